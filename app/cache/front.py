"""Hits before Flask: what the cache holds and Flask has sent before is sent again by a layer in front of Flask.

Most of what a hit costs is Flask's: contexts, routing, checking of parameters, hooks. For a request that Flask has
answered, this layer knows what question it asks and how its answer is sent (headers, compressed body). It looks the
question up as the decorator does, and where the cache holds that very answer, fresh, it sends it. All else is Flask's:
what is missing, stale or changed, and each request in which a route or a hook that is not known here has a say.
"""

import time
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple, cast

from flask import Flask, Response, g, request

from app import auth, logs
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
    compress.after_request,
]

# Headers of one request alone.
OF_ONE_REQUEST = {"X-Cache", "X-Request-ID"}
# Headers of a body, which a 304 has not.
OF_A_BODY = {"Content-Type", "Content-Length", "Content-Encoding"}


class Known(NamedTuple):
    """What a request asks, and how Flask sent the answer of this tag; `body` where that is not the entry's payload."""

    question: Question
    route: str
    etag: str
    headers: list[tuple[str, str]]
    body: bytes | None


class Front:
    """A WSGI application in front of Flask's."""

    def __init__(self, app: Flask) -> None:
        self._app = app
        self._flask = app.wsgi_app
        self._store = cast(Backend, app.extensions["cache"][cache])
        self._known: dict[tuple[str, ...], Known] = {}
        self._hooks = [self.learn, *DONE_HERE]

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        self._store.begin()
        known = self._known.get(_text(environ)) if environ["REQUEST_METHOD"] == "GET" else None
        gate = auth.gate(self._app)
        caller = gate.caller(environ) if known is not None else None
        # Who shows no key where keys are wanted is refused by Flask, before the cache is looked at.
        if known is not None and (caller is not None or not gate.has_keys):
            started = time.perf_counter()
            entry = self._find(known)
            tag = environ.get("HTTP_IF_NONE_MATCH")
            if entry is not None and (tag is None or ("ETag", tag) in known.headers):
                return self._send(known, entry, tag is not None, caller, started, environ, start_response)
        return self._flask(environ, start_response)

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

    def _send(
        self,
        known: Known,
        entry: Entry,
        caller_has_it: bool,
        caller: str | None,
        started: float,
        environ: dict[str, Any],
        start_response: Callable[..., Any],
    ) -> Iterable[bytes]:
        request_id = logs.begin(environ)
        logs.bind_caller(caller)
        own = [("X-Cache", State.HIT.value), ("X-Request-ID", request_id)]
        note(self._store, State.HIT, known.question, started)
        if caller_has_it:
            headers = [header for header in known.headers if header[0] not in OF_A_BODY]
            start_response("304 NOT MODIFIED", headers + own)
        else:
            start_response("200 OK", known.headers + own)
        logs.end("GET", known.route, 304 if caller_has_it else 200, started)
        return [] if caller_has_it else [entry.payload if known.body is None else known.body]

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
        app = self._app
        by_scope = app.before_request_funcs, app.after_request_funcs, app.url_value_preprocessors
        hooks = [hook for hooks in by_scope for of_scope in hooks.values() for hook in of_scope]
        view = app.view_functions[request.endpoint or ""]
        return (
            environ["REQUEST_METHOD"] == "GET"
            and getattr(view, "asks_by_path_and_query", None) is view
            and all(hook in self._hooks for hook in hooks)
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
