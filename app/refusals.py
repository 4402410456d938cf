"""The answer to what is no request that the application could be given: a problem, as all errors are."""

from http import HTTPStatus
from ssl import SSLError

import orjson
import structlog
from gunicorn.http.errors import (
    ConfigurationProblem,
    ExpectationFailed,
    ForbiddenProxyRequest,
    InvalidResponseHeader,
    InvalidResponseHeaderName,
    LimitRequestHeaders,
    LimitRequestLine,
    ParseException,
    UnsupportedTransferCoding,
)

from app.errors import FAULT, document
from app.logs import new_request_id
from app.sizes import TOO_LONG

log = structlog.get_logger(__name__)

# What gunicorn's parser raises, by the status that it is answered with where that is no 400.
STATUSES: dict[type[Exception], HTTPStatus] = {
    ForbiddenProxyRequest: HTTPStatus.FORBIDDEN,
    LimitRequestLine: HTTPStatus.REQUEST_URI_TOO_LONG,
    ExpectationFailed: HTTPStatus.EXPECTATION_FAILED,
    LimitRequestHeaders: HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
    UnsupportedTransferCoding: HTTPStatus.NOT_IMPLEMENTED,
    # Of the same family, and not the client's fault.
    ConfigurationProblem: HTTPStatus.INTERNAL_SERVER_ERROR,
    InvalidResponseHeader: HTTPStatus.INTERNAL_SERVER_ERROR,
    InvalidResponseHeaderName: HTTPStatus.INTERNAL_SERVER_ERROR,
}

DETAILS = {
    HTTPStatus.BAD_REQUEST: "This is no HTTP request that can be read",
    HTTPStatus.REQUEST_URI_TOO_LONG: TOO_LONG,
    HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE: "The headers are too many or too long",
    HTTPStatus.INTERNAL_SERVER_ERROR: FAULT,
}


def refusal(error: Exception) -> bytes:
    """All of the answer to what ended with an error before there was another one; it is logged under the answer's id.

    What a caller sent stands neither in the answer nor in the log.
    """
    is_callers = isinstance(error, ParseException | SSLError)
    status = STATUSES.get(type(error), HTTPStatus.BAD_REQUEST if is_callers else HTTPStatus.INTERNAL_SERVER_ERROR)
    request_id = new_request_id()
    if status is HTTPStatus.INTERNAL_SERVER_ERROR:
        log.error("unexpected_error", exc_info=error, request_id=request_id)
    else:
        log.warning("request_refused", status=status, error=type(error).__name__, request_id=request_id)
    return _answer(status, request_id)


def _answer(status: HTTPStatus, request_id: str) -> bytes:
    # The address that was asked for may be none.
    body = orjson.dumps(document(status, DETAILS.get(status, status.phrase), "", request_id))
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
