"""The caching decorator that wraps every insight route."""

from collections.abc import Callable
from functools import wraps
from inspect import signature
from typing import Any

from flask import Response, current_app, request
from werkzeug.http import quote_etag

from app.cache.answers import Asked, Found, NotKept, State, count, find
from app.cache.backends import backend
from app.cache.entries import Entry
from app.cache.keys import Question
from app.telemetry import logs


def cached(
    timeout: int | None = None,
    key_prefix: str = "",
    unless: Callable[..., bool] | None = None,
    *,
    of_everyone: bool = False,
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
    CACHE_STALE_TIMEOUT while one caller computes it again. `unless` keeps the cache out: without a parameter it is
    asked before the cache is looked at, with one it is given the response before that is stored. Only answers of status
    200 are stored, with the list headers and no others. A cached `0` or `[]` is a hit like any other.

    An argument that is one user's `Audience`, or named `user_id`, makes it an answer of that user, which the user's
    invalidation drops. One whose argument is a group or everyone, or that is said to be `of_everyone`, is dropped with
    anybody's listens. An answer that depends on "now" has an argument with an attribute `until`.
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
                return _passed(current_app.make_response(view(**arguments)))
            question = Question.of(key_prefix + (request.endpoint or view.__name__), arguments, of_everyone=of_everyone)
            config, store = current_app.config, backend()
            fresh = config["CACHE_DEFAULT_TIMEOUT"] if timeout is None else timeout
            try:
                found = find(store, Asked(question, compute, fresh, config["CACHE_STALE_TIMEOUT"]))
            except NotKept as passed:
                return _passed(passed.response)
            count(store, found.state)
            logs.bind_question(question.text)
            return _response(found)

        return call

    return decorator


def _passed(response: Response) -> Response:
    """A response that the cache is not to keep."""
    if response.status_code == 200:
        return _response(Found(Entry.of(response, 0, 0), State.BYPASS))
    response.headers["X-Cache"] = State.BYPASS.value
    return response


def _response(found: Found) -> Response:
    """The answer, or a 304 for a caller that has it."""
    entry = found.entry
    headers = [
        *entry.headers,
        ("ETag", quote_etag(entry.etag)),
        ("Cache-Control", "private, no-cache"),
        ("Vary", "Accept-Encoding"),
        ("X-Cache", found.state.value),
    ]
    response = Response(entry.payload, headers=headers)
    if "If-None-Match" in request.headers:
        asked = request.if_none_match
        # A compressed answer's tag ends in ":" and the algorithm; the caller is told the tag that it has.
        tags = (tag for tag in asked.as_set(include_weak=True) if tag and tag.partition(":")[0] == entry.etag)
        tag = next(tags, entry.etag if asked.star_tag else None)
        if tag is not None:
            response.set_etag(tag)
            response.status_code = 304
            response.set_data(b"")
    return response
