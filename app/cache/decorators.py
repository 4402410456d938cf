"""The caching decorator that wraps every insight route."""

import time
from collections.abc import Callable
from functools import wraps
from inspect import signature
from typing import Any

import structlog
from flask import Response, current_app, request

from app.cache.answers import Found, NotKept, State, Times, find
from app.cache.backends import backend
from app.cache.keys import Question

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

    `timeout` is in seconds, CACHE_DEFAULT_TIMEOUT where it is None; after it an answer may be served stale for
    CACHE_STALE_TIMEOUT while one caller computes it anew. `unless` keeps the cache out: without a parameter it is asked
    before the cache is looked at, with one it is given the response before that is stored. Only answers of status 200
    are stored. A cached `0` or `[]` is a hit like any other.
    """
    asked_first = unless is not None and not signature(unless).parameters

    def decorator(view: Callable[..., Any]) -> Callable[..., Response]:
        @wraps(view)
        def call(**arguments: Any) -> Response:
            def compute() -> Response:
                response = current_app.make_response(view(**arguments))
                if response.status_code != 200 or (unless and not asked_first and unless(response)):
                    raise NotKept(response)
                return response

            if unless and asked_first and unless():
                return _marked(current_app.make_response(view(**arguments)), State.BYPASS)
            started = time.perf_counter()
            question = Question.of(key_prefix + (request.endpoint or view.__name__), arguments)
            fresh = current_app.config["CACHE_DEFAULT_TIMEOUT"] if timeout is None else timeout
            try:
                found = find(question, compute, Times(fresh, current_app.config["CACHE_STALE_TIMEOUT"]))
            except NotKept as passed:
                return _marked(passed.response, State.BYPASS)
            backend().count(found.state)
            log.info(
                f"cache_{found.state.lower()}",
                key=question.text,
                duration_ms=round((time.perf_counter() - started) * 1000, 3),
            )
            return _response(found)

        return call

    return decorator


def _marked(response: Response, state: State) -> Response:
    response.headers["X-Cache"] = state.value
    return response


def _response(found: Found) -> Response:
    """The answer, or a 304 for a caller that has it."""
    entry = found.entry
    etag = next((tag for tag in request.if_none_match.as_set() if tag.partition(":")[0] == entry.etag), None)
    if etag is None and request.if_none_match.star_tag:
        etag = entry.etag
    if etag is None:
        response = Response(entry.payload, mimetype=entry.mimetype, headers=entry.headers)
        response.set_etag(entry.etag)
    else:
        # A compressed answer's tag ends in ":" and the algorithm: the caller is told the tag that it has.
        response = Response(status=304, headers=entry.headers)
        response.set_etag(etag)
    response.headers["Cache-Control"] = "private, no-cache"
    response.vary.add("Accept-Encoding")
    return _marked(response, found.state)
