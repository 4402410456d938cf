"""Every error as an RFC 9457 problem, with the member `error` that clients of the first version read."""

from http import HTTPStatus
from typing import Any, NamedTuple
from urllib.parse import quote

import structlog
from flask import Flask, Response, current_app, g, request
from sqlalchemy.exc import SQLAlchemyError
from werkzeug.exceptions import HTTPException

from app.cache.backends import CacheUnavailableError
from app.database.outages import sqlstate, unavailable
from app.domain.timezones import WindowError

log = structlog.get_logger(__name__)

# What may stand in a URI's path as it is (RFC 3986).
IN_A_PATH = "/!$&'()*+,;=:@"


class BadParameter(NamedTuple):
    """One thing wrong with a request: the parameter's name, and what was given and what is allowed."""

    parameter: str
    detail: str


class BadParametersError(ValueError):
    """A request with one or more bad parameters, the most telling one first."""

    def __init__(self, errors: list[BadParameter]) -> None:
        super().__init__(errors[0].detail)
        self.errors = errors


def problem(status: int, detail: str, **members: Any) -> Response:
    """A problem document of the given status; `members` are added to the standard ones."""
    standard = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        "instance": quote(request.root_path + request.path, safe=IN_A_PATH),
        "error": detail,
        "request_id": g.get("request_id"),
    }
    body = current_app.json.dumps(standard | members)
    return Response(body, status, {"Cache-Control": "no-store"}, mimetype="application/problem+json")


def _bad_parameters(error: BadParametersError) -> Response:
    return problem(400, str(error), errors=[item._asdict() for item in error.errors])


def _bad_window(error: WindowError) -> Response:
    return _bad_parameters(BadParametersError([BadParameter(error.parameter, error.detail)]))


def _http_error(error: HTTPException) -> Response:
    assert error.code is not None  # Flask keeps those without a code, and redirects, to itself
    response = problem(error.code, error.description or HTTPStatus(error.code).phrase)
    for name, value in error.get_headers():
        if name not in {"Content-Type", "Content-Length"}:
            response.headers[name] = value
    return response


def _database_error(error: SQLAlchemyError) -> Response:
    meaning = unavailable(error)
    if meaning is None:
        return _unexpected(error)
    # The first line of the driver's text names the table or the server; what follows may quote rows.
    reason = str(getattr(error, "orig", error)).partition("\n")[0]
    log.error("database_unavailable", error=type(error).__name__, sqlstate=sqlstate(error), reason=reason)
    response = problem(503, f"The database {meaning}")
    response.headers["Retry-After"] = "5"
    return response


def _cache_error(_error: CacheUnavailableError) -> Response:
    return problem(503, "The shared cache cannot be reached")


def _unexpected(error: Exception) -> Response:
    log.error("unexpected_error", exc_info=error)
    return problem(500, "The server ran into an error of its own")


def init_app(app: Flask) -> None:
    """Register one handler for each family of errors."""
    app.register_error_handler(BadParametersError, _bad_parameters)
    app.register_error_handler(WindowError, _bad_window)
    app.register_error_handler(HTTPException, _http_error)
    app.register_error_handler(SQLAlchemyError, _database_error)
    app.register_error_handler(CacheUnavailableError, _cache_error)
    app.register_error_handler(Exception, _unexpected)
