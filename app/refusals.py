"""The answer to what is no request that the application could be given: a problem, as all errors are."""

import os
from http import HTTPStatus

import orjson
from gunicorn.http.errors import (
    ConfigurationProblem,
    ExpectationFailed,
    InvalidResponseHeader,
    InvalidResponseHeaderName,
    LimitRequestHeaders,
    LimitRequestLine,
    ParseException,
    UnsupportedTransferCoding,
)

# What gunicorn's parser raises, by the status that it is answered with where that is no 400.
STATUSES: dict[type[Exception], HTTPStatus] = {
    LimitRequestLine: HTTPStatus.REQUEST_URI_TOO_LONG,
    LimitRequestHeaders: HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
    ExpectationFailed: HTTPStatus.EXPECTATION_FAILED,
    UnsupportedTransferCoding: HTTPStatus.NOT_IMPLEMENTED,
    # Of the same family, and not the client's fault.
    ConfigurationProblem: HTTPStatus.INTERNAL_SERVER_ERROR,
    InvalidResponseHeader: HTTPStatus.INTERNAL_SERVER_ERROR,
    InvalidResponseHeaderName: HTTPStatus.INTERNAL_SERVER_ERROR,
}

DETAILS = {
    HTTPStatus.BAD_REQUEST: "This is no HTTP request that can be read",
    HTTPStatus.REQUEST_URI_TOO_LONG: "The request line must be no longer than 8190 bytes",
    HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE: "The headers are too many or too long",
    HTTPStatus.INTERNAL_SERVER_ERROR: "The server ran into an error of its own",
}


def refusal(error: Exception) -> bytes:
    """All of the answer to what ended with an error before the application, or the server, had an answer."""
    otherwise = HTTPStatus.BAD_REQUEST if isinstance(error, ParseException) else HTTPStatus.INTERNAL_SERVER_ERROR
    status = STATUSES.get(type(error), otherwise)
    detail = DETAILS.get(status, status.phrase)
    request_id = os.urandom(16).hex()
    body = orjson.dumps(
        {
            "type": "about:blank",
            "title": status.phrase,
            "status": status,
            "detail": detail,
            "error": detail,
            "request_id": request_id,
        }
    )
    headers = {
        "Content-Type": "application/problem+json",
        "Content-Length": len(body),
        "Cache-Control": "no-store",
        "X-Content-Type-Options": "nosniff",
        "X-Request-ID": request_id,
        "Connection": "close",
    }
    lines = [f"HTTP/1.1 {status} {status.phrase}", *(f"{name}: {value}" for name, value in headers.items()), "", ""]
    return "\r\n".join(lines).encode() + body
