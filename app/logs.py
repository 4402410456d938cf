"""Structured logs: a static event name with fields, JSON unless a person reads along in a terminal.

No line holds a path, a query string, a header or a row: routes are templates, and of an exception JSON tells the type
and where it was raised, for its text may quote what it fell over.
"""

import logging
import os
import re
import sys
import time
import traceback
from collections.abc import Iterator, Mapping
from contextvars import ContextVar
from datetime import UTC, datetime
from io import UnsupportedOperation
from typing import Any

import orjson
import structlog
from flask import Flask, Response, g, request

# What is taken from a caller as a request id: nothing that could break a log line or a header.
REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,128}", re.ASCII)

# Logs as any other logger does. It is bound once, by `configure`, for what logs with every request.
log = structlog.get_logger(__name__)

_request_id: ContextVar[str | None] = ContextVar("request_id", default=None)
# The name of the key that the request was made with.
_caller: ContextVar[str | None] = ContextVar("caller", default=None)
# What a request has logged and not yet written; None where no request is served.
_unwritten: ContextVar[list[str] | None] = ContextVar("unwritten", default=None)


def configure(level: str) -> None:
    """Send this service's events, and those of its libraries, to standard error."""
    shared: list[Any] = [_add_common_fields]
    if sys.stderr.isatty():
        renderer: list[Any] = [structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)]
    else:
        renderer = [structlog.processors.ExceptionRenderer(_without_texts), _as_json]
    structlog.configure(
        processors=[*shared, *renderer],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=_stderr_logger,
        cache_logger_on_first_use=False,
    )
    global log
    log = structlog.get_logger(__name__).bind()
    handler = logging.StreamHandler()
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared, processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *renderer]
        )
    )
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)


class _StandardError:
    """Where events go. sys.stderr is looked up for each: it is replaced under test runners and by daemons.

    What cannot be written, as where a disk is full, is lost, and no request with it; the next line that can be written
    comes after one that tells how many were lost.
    """

    def __init__(self) -> None:
        self._lost = 0
        self._is_torn = False

    def msg(self, text: str) -> None:
        """Write one line or more."""
        lost = self._lost
        told = _lost_lines(lost) if lost else ""
        torn = "\n" if self._is_torn else ""
        unwritten = f"{torn}{told}{text}\n".encode(errors="backslashreplace")
        length = len(unwritten)
        try:
            # Past Python's buffer, which would keep what it could not write, and say so again at the end.
            descriptor = sys.stderr.fileno()
            while unwritten:
                unwritten = unwritten[os.write(descriptor, unwritten) :]
        except UnsupportedOperation:  # no file
            sys.stderr.write(unwritten.decode())
        except (OSError, ValueError):  # ValueError: it is closed
            self._lost += text.count("\n") + 1
            self._is_torn = self._is_torn or len(unwritten) < length
        else:
            self._lost -= lost
            self._is_torn = False

    def info(self, line: str) -> None:
        """Write the line at the request's end: all of a request's lines go in one system call."""
        if (lines := _unwritten.get()) is None:
            self.msg(line)
        else:
            lines.append(line)

    def warning(self, line: str) -> None:
        self.info(line)
        _write()

    debug = info
    error = critical = warning


def _write() -> None:
    if lines := _unwritten.get():
        _STANDARD_ERROR.msg("\n".join(lines))
        lines.clear()


def _lost_lines(number: int) -> str:
    event = {"event": "log_lines_lost", "number": number, "level": "warning", "timestamp": datetime.now(UTC)}
    return _as_json(None, "warning", event) + "\n"


def _stderr_logger(*_args: Any) -> _StandardError:
    return _STANDARD_ERROR


_STANDARD_ERROR = _StandardError()


def _add_common_fields(_logger: Any, level: str, event: dict[str, Any]) -> dict[str, Any]:
    # In one step: every line pays for it, and structlog's own three steps take several times as long.
    if (request_id := _request_id.get()) is not None:
        event["request_id"] = request_id
    if (caller := _caller.get()) is not None:
        event["caller"] = caller
    event["level"] = level
    event["timestamp"] = datetime.now(UTC)
    return event


def _without_texts(exc_info: Any) -> str:
    """A traceback of the exception, and of those that it came from, without their texts."""
    return "\n".join(
        f"{type(error).__module__}.{type(error).__qualname__}\n{''.join(traceback.format_tb(error.__traceback__))}"
        for error in _chain(exc_info[1])
    )


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)


def _as_json(_logger: Any, _level: str, event: dict[str, Any]) -> str:
    return orjson.dumps(event, default=str, option=orjson.OPT_UTC_Z).decode()


def begin(environ: Mapping[str, Any]) -> str:
    """Begin to serve a request: its id, which stands in every line until the end."""
    given = environ.get("HTTP_X_REQUEST_ID", "")
    request_id = given if REQUEST_ID.fullmatch(given) else os.urandom(16).hex()
    _request_id.set(request_id)
    _caller.set(None)
    _unwritten.set([])
    return request_id


def bind_caller(name: str | None) -> None:
    """Let the caller's name stand in every line until the request's end."""
    _caller.set(name)


def end(
    method: str, route: str | None, status: int, started: float, cache: str | None = None, queries: int = 0
) -> None:
    """Log the line of a request that began at `started` (time.perf_counter), and write what it has logged.

    `route` is the template and never the path, `cache` what `X-Cache` says, `queries` the number of SQL statements.
    """
    log.info(
        "request",
        method=method,
        route=route,
        status=status,
        duration_ms=round((time.perf_counter() - started) * 1000, 3),
        cache=cache,
        queries=queries,
    )
    _write()
    _unwritten.set(None)
    # What this thread logs until its next request is nobody's: gunicorn's word on a request that is none, say.
    _request_id.set(None)
    _caller.set(None)


def start_request() -> None:
    """Give a request an id, before Flask serves it."""
    g.started = time.perf_counter()
    g.queries = 0
    g.request_id = begin(request.environ)


def finish_request(response: Response) -> Response:
    """Log the line of a request that Flask has served."""
    response.headers["X-Request-ID"] = g.request_id
    route = request.url_rule.rule if request.url_rule else None
    end(request.method, route, response.status_code, g.started, response.headers.get("X-Cache"), g.queries)
    return response


def init_app(app: Flask) -> None:
    """Give every request an id, and log one line for it."""
    configure(app.config["LOG_LEVEL"])
    app.before_request(start_request)
    app.after_request(finish_request)
