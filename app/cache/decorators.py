"""The caching decorator that wraps every insight route."""

import time
from collections.abc import Callable
from functools import wraps
from inspect import signature
from typing import Any

import structlog
from flask import Response, current_app, request

from app.cache.entries import Entry
from app.cache.keys import answer_key, question
from app.extensions import cache

log = structlog.get_logger(__name__)


def cached(
    timeout: int | None = None, key_prefix: str = "", unless: Callable[..., bool] | None = None
) -> Callable[[Callable[..., Any]], Callable[..., Response]]:
    """Keep a view's successful answers.

    The key is `key_prefix`, the route, and the arguments that the view is called with. So it stands below what checks
    the arguments and above what dumps the answer:

        @bp.get("/insights/moods/<user_id>")
        @checked(MoodParameters)
        @cached()
        @response(MoodSchema)
        def moods(audience, window): ...

    `timeout` is in seconds, `CACHE_DEFAULT_TIMEOUT` where it is None. `unless` keeps the cache out: without a parameter
    it is asked before the cache is looked at, with one it is given the response before that is stored. Only answers of
    status 200 are stored. A cached `0` or `[]` is a hit like any other.
    """
    refuses_request = unless is not None and not signature(unless).parameters
    refuses_response = unless is not None and not refuses_request

    def decorator(view: Callable[..., Any]) -> Callable[..., Response]:
        @wraps(view)
        def call(**arguments: Any) -> Response:
            if refuses_request and unless and unless():
                return _marked(current_app.make_response(view(**arguments)), "BYPASS")
            started = time.perf_counter()
            asked = question(key_prefix + (request.endpoint or view.__name__), arguments)
            key = answer_key(asked, arguments)
            entry = Entry.read(cache.get(key))
            if entry is not None:
                _log("cache_hit", asked, started)
                return _marked(entry.response(), "HIT")
            response = current_app.make_response(view(**arguments))
            if response.status_code == 200 and not (refuses_response and unless and unless(response)):
                cache.set(key, Entry.of(response).dump(), timeout=timeout)
            _log("cache_miss", asked, started)
            return _marked(response, "MISS")

        return call

    return decorator


def _log(event: str, key: str, started: float) -> None:
    log.info(event, key=key, duration_ms=round((time.perf_counter() - started) * 1000, 3))


def _marked(response: Response, state: str) -> Response:
    response.headers["X-Cache"] = state
    return response
