"""Hits before Flask: what the cache holds and Flask has sent before is sent again by a layer in front of Flask.

Most of what a hit costs is Flask's: contexts, routing, checking of parameters, hooks. For a request that Flask has
answered, this layer knows what question it asks and how its answer is sent (headers, compressed body). It looks the
question up as the decorator does, and where the cache holds that very answer, fresh, it sends it. All else is Flask's:
what is missing, stale or changed, and each request in which a route or a hook that is not known here has a say.
"""

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple, Protocol, cast

from flask import Flask, Response, g, request

from app import auth, logs, metrics, sizes
from app.cache.answers import State, note
from app.cache.backends import Backend
from app.cache.breaker import CacheUnavailableError
from app.cache.entries import Entry
from app.cache.generations import look_up
from app.cache.keys import Question
from app.extensions import cache, compress

# Answers that are known in one process; the longest text of a request (in characters) and the longest compressed body
# (in bytes) that are worth it.
MOST, LONGEST_TEXT, LONGEST_BODY = 1000, 500, 20_000

# Hooks of Flask's whose part in a hit `Front` does itself. One that is not listed keeps its say: then hits are Flask's.
# List one only when `Front` does all that it does: a check of who asks, listed and not done, would let everyone in.
DONE_HERE: list[Callable[..., Any]] = [
    logs.start_request,
    logs.finish_request,
    auth.authenticate,
    sizes.check,
    metrics.finish_request,
    compress.after_request,
]

NO_BODY = {None, "", "0"}

# Headers of one request alone.
OF_ONE_REQUEST = {"X-Cache", "X-Request-ID", "RateLimit-Limit", "RateLimit-Remaining", "RateLimit-Reset"}
# Headers of a body, which a 304 has not.
OF_A_BODY = {"Content-Type", "Content-Length", "Content-Encoding"}


class Known(NamedTuple):
    """What a request asks, and how Flask sent the answer of this tag; `body` where that is not the entry's payload."""

    question: Question
    route: str
    etag: str
    headers: list[tuple[str, str]]
    body: bytes | None


class HitLimits(Protocol):
    """How many requests one caller may make."""

    def hit(self, caller: str) -> dict[str, str] | None:
        """Count a request; the headers that tell of it, or None where it is one too many."""


class Front:
    """A WSGI application in front of Flask's."""

    def __init__(self, app: Flask) -> None:
        self._app = app
        self._flask = app.wsgi_app
        self.limits: HitLimits | None = None
        self._store = cast(Backend, app.extensions["cache"][cache])
        self._known: dict[tuple[str, ...], Known] = {}
        self._hooks = [self.learn, *DONE_HERE]

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        self._store.begin()
        known = self._known.get(_text(environ)) if _is_plain(environ) else None
        answer = self._answer(known, environ, start_response) if known is not None else None
        return self._flask(environ, start_response) if answer is None else answer

    def _answer(
        self, known: Known, environ: dict[str, Any], start_response: Callable[..., Any]
    ) -> Iterable[bytes] | None:
        """The answer that is known, if the cache holds it fresh and the caller may have it; None leaves it to Flask."""
        started = time.perf_counter()
        gate = auth.gate(self._app)
        caller = gate.caller(environ)
        if caller is None and gate.has_keys:
            return None
        entry = self._find(known)
        tag = environ.get("HTTP_IF_NONE_MATCH")
        if entry is None or (tag is not None and ("ETag", tag) not in known.headers):
            return None
        counted = self.limits.hit(auth.caller_id(caller, environ)) if self.limits else {}
        if counted is None:
            return None
        request_id = logs.begin(environ)
        logs.bind_caller(caller)
        own = [("X-Cache", State.HIT.value), ("X-Request-ID", request_id), *counted.items()]
        note(self._store, State.HIT, known.question, started)
        if tag is None:
            start_response("200 OK", known.headers + own)
            body = [entry.payload if known.body is None else known.body]
        else:
            headers = [header for header in known.headers if header[0] not in OF_A_BODY]
            start_response("304 NOT MODIFIED", headers + own)
            body = []
        status = 200 if tag is None else 304
        logs.end("GET", known.route, status, started, State.HIT)
        metrics.observe("GET", known.route, status, time.perf_counter() - started)
        return body

    def _find(self, known: Known) -> Entry | None:
        """The entry of the answer that is known, if the cache holds it fresh."""
        try:
            _, stored = look_up(self._store, known.question)
        except CacheUnavailableError:
            return None
        entry = Entry.read(stored)
        if entry is None or entry.etag != known.etag:
            return None
        return entry if self._app.config["CLOCK"]().timestamp() < entry.fresh_until else None

    @contextmanager
    def doing_the_part_of_hooks(self) -> Iterator[None]:
        """Take the hooks that are registered within the block for ones whose part in a hit is done here."""
        before = self._hooks_of_flask()
        yield
        self._hooks += [hook for hook in self._hooks_of_flask() if hook not in before]

    def learn(self, response: Response) -> Response:
        """Note how Flask sends an answer, after all other hooks."""
        found: tuple[Question, Entry] | None = g.pop("sent_from_cache", None)
        if found is not None and response.status_code == 200 and self._may_answer(request.environ):
            body = response.get_data() if "Content-Encoding" in response.headers else None
            text = _text(request.environ)
            if len("".join(text)) <= LONGEST_TEXT and len(body or b"") <= LONGEST_BODY:
                if len(self._known) >= MOST:
                    self._known.clear()
                question, entry = found
                headers = [(name, value) for name, value in response.headers if name not in OF_ONE_REQUEST]
                assert request.url_rule is not None
                self._known[text] = Known(question, request.url_rule.rule, entry.etag, headers, body)
        return response

    def _may_answer(self, environ: dict[str, Any]) -> bool:
        """Whether nothing but what is known here has a say in the answer to this request."""
        view = self._app.view_functions[request.endpoint or ""]
        return (
            _is_plain(environ)
            and getattr(view, "asks_by_path_and_query", None) is view
            and all(hook in self._hooks for hook in self._hooks_of_flask())
        )

    def _hooks_of_flask(self) -> list[Callable[..., Any]]:
        app = self._app
        by_scope = app.before_request_funcs, app.after_request_funcs, app.url_value_preprocessors
        return [hook for hooks in by_scope for of_scope in hooks.values() for hook in of_scope]


def _is_plain(environ: dict[str, Any]) -> bool:
    """Whether a request is a GET without a body, from no other site: nothing but the cache has to be asked."""
    return (
        environ["REQUEST_METHOD"] == "GET"
        and environ.get("CONTENT_LENGTH") in NO_BODY
        and "HTTP_TRANSFER_ENCODING" not in environ
        and "HTTP_ORIGIN" not in environ
        and "%" not in environ["PATH_INFO"]  # which may have been written in a wrong way
    )


def _text(environ: dict[str, Any]) -> tuple[str, ...]:
    """What of a request decides about the answer and its form."""
    return (
        environ.get("SCRIPT_NAME", ""),
        environ["PATH_INFO"],
        environ.get("QUERY_STRING", ""),
        environ.get("HTTP_ACCEPT_ENCODING", ""),
    )


def init_app(app: Flask) -> None:
    """Put a front before the application. To be called before any other after_request hook is registered."""
    front = Front(app)
    app.after_request(front.learn)
    app.wsgi_app = front  # type: ignore[method-assign]
    app.extensions["front"] = front


def front_of(app: Flask) -> Front:
    """The front of an application."""
    return cast(Front, app.extensions["front"])
