"""Structured logs: a static event name with fields, JSON unless a person reads along in a terminal."""

import logging
import re
import sys
import time
import uuid
from typing import Any

import orjson
import structlog
from flask import Flask, Response, g, request

# What is taken from a caller as a request id: nothing that could break a log line or a header.
REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,128}", re.ASCII)

log = structlog.get_logger(__name__)


def configure(level: str) -> None:
    """Send this service's events, and those of its libraries, to standard error."""
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    if sys.stderr.isatty():
        renderer: list[Any] = [structlog.dev.ConsoleRenderer()]
    else:
        renderer = [structlog.processors.format_exc_info, structlog.processors.JSONRenderer(serializer=_dumps)]
    structlog.configure(
        processors=[*shared, *renderer],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=_stderr_logger,
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler()
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared, processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *renderer]
        )
    )
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)


def _stderr_logger(*_args: Any) -> structlog.WriteLogger:
    # Looked up at each event: sys.stderr is replaced under test runners and by daemons.
    return structlog.WriteLogger(sys.stderr)


def _dumps(event: dict[str, Any], **_options: Any) -> str:
    return orjson.dumps(event, default=str).decode()


def _start_request() -> None:
    g.started = time.perf_counter()
    given = request.headers.get("X-Request-ID", "")
    g.request_id = given if REQUEST_ID.fullmatch(given) else uuid.uuid4().hex
    structlog.contextvars.clear_contextvars()
    structlog.contextvars.bind_contextvars(request_id=g.request_id)


def _finish_request(response: Response) -> Response:
    response.headers["X-Request-ID"] = g.request_id
    log.info(
        "request",
        method=request.method,
        route=request.url_rule.rule if request.url_rule else None,
        status=response.status_code,
        duration_ms=round((time.perf_counter() - g.started) * 1000, 3),
    )
    return response


def init_app(app: Flask) -> None:
    """Give every request an id, and log one line for it."""
    configure(app.config["LOG_LEVEL"])
    app.before_request(_start_request)
    app.after_request(_finish_request)
