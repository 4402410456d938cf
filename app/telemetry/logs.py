"""Structured logs: a static event name with fields, as JSON unless standard error is a terminal.

No line holds a path, a query string, a header or a row: routes are templates, and of an exception JSON has the type
and where it was raised, because its text may quote data.
"""

import logging
import re
import sys
import time
import traceback
from random import getrandbits
from typing import Any

import orjson
import structlog
from flask import Flask, Response, g, request
from structlog.contextvars import bind_contextvars, clear_contextvars, merge_contextvars
from structlog.stdlib import ProcessorFormatter

from app.telemetry import metrics

# A caller's request id is taken if nothing in it could break a log line or a header.
REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,128}", re.ASCII)

# The fields that every line has, those of libraries included.
SHARED: list[Any] = [
    merge_contextvars,
    structlog.processors.add_log_level,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
]

log = structlog.get_logger(__name__)


def configure(level: str) -> None:
    """Send this service's events of a level and above, and its libraries' warnings, to standard error.

    A line that cannot be written, because the disk is full for example, is lost, and nothing else fails.
    """
    if sys.stderr.isatty():
        renderers: list[Any] = [structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)]
    else:
        renderers = [structlog.processors.ExceptionRenderer(_without_texts), _as_json]
    # Our events are rendered first: ProcessorFormatter copies each record, which takes a tenth of a cached hit.
    events = logging.getLogger("songswap_insights")
    events.handlers = [logging.StreamHandler()]
    events.propagate = False
    events.setLevel(level)
    structlog.configure(
        processors=[*SHARED, *renderers],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=lambda *_: events,
    )
    libraries = logging.StreamHandler()
    libraries.setFormatter(
        ProcessorFormatter(foreign_pre_chain=SHARED, processors=[ProcessorFormatter.remove_processors_meta, *renderers])
    )
    logging.basicConfig(handlers=[libraries], level=logging.WARNING, force=True)
    logging.raiseExceptions = False


def _without_texts(exc_info: Any) -> str:
    """The tracebacks of an exception and of those that it came from, without their texts."""
    error: BaseException | None = exc_info[1]
    parts = []
    while error is not None:
        name = f"{type(error).__module__}.{type(error).__qualname__}\n"
        parts += [name, *traceback.format_tb(error.__traceback__), "\n"]
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    return "".join(parts)


def _as_json(_logger: Any, _level: str, event: dict[str, Any]) -> str:
    return orjson.dumps(event, default=str).decode()


def bind_caller(name: str | None) -> None:
    """Put the caller's name, if there is one, in every line until the request's end."""
    if name is not None:
        bind_contextvars(caller=name)


def bind_question(text: str) -> None:
    """Put what an insight was asked for in every line until the request's end, as the cache writes it."""
    bind_contextvars(question=text)


def start_request() -> None:
    """Give a request its id, which stands in every line until the request's end."""
    g.started = time.perf_counter()
    g.queries = 0
    given = request.headers.get("X-Request-ID", "")
    g.request_id = given if REQUEST_ID.fullmatch(given) else f"{getrandbits(128):032x}"
    bind_contextvars(request_id=g.request_id)


def finish_request(response: Response) -> Response:
    """Log one line for a request, and count it."""
    seconds = time.perf_counter() - g.started
    route = request.url_rule.rule if request.url_rule else None  # the template, never the path
    metrics.observe(request.method, route, response.status_code, seconds)
    log.info(
        "request",
        method=request.method,
        route=route,
        status=response.status_code,
        duration_ms=round(seconds * 1000, 3),
        cache=response.headers.get("X-Cache"),
        queries=g.queries,
    )
    response.headers["X-Request-ID"] = g.request_id
    # What this thread logs until its next request belongs to no request: gunicorn's line about broken HTTP, say.
    clear_contextvars()
    return response


def init_app(app: Flask) -> None:
    """Give every request an id, and log and count it."""
    configure(app.config["LOG_LEVEL"])
    app.before_request(start_request)
    app.after_request(finish_request)
