"""How many requests one caller may make, and how large their bodies may be.

Flask-Limiter counts where this service keeps what it shares. One limit holds for all routes together; probes are not
counted. Where the counts cannot be reached, nobody is refused.
"""

import threading
from typing import Any

from flask import Flask, Response, abort, g, request
from flask_limiter import Limiter, RateLimitExceeded
from gunicorn.http.errors import ParseException
from limits.storage import Storage

from app.auth import Access, access_of, caller_id, is_preflight
from app.cache.backends import shared_counters
from app.cache.breaker import CacheUnavailableError
from app.counters import Counters, LocalCounters, Window
from app.errors import problem

# What Flask-Limiter counts by, besides the caller: not by route, as it does by default.
ALL_ROUTES = "all"

# Bytes.
MOST_BODY = 64 * 1024


class WindowStorage(Storage):
    """Flask-Limiter's counts in windows of this service, one round trip for each request and limit."""

    STORAGE_SCHEME = ["songswap-insights"]

    def __init__(self, uri: str | None = None, wrap_exceptions: bool = False, **options: Any) -> None:
        super().__init__(uri, wrap_exceptions)
        self._counters: Counters = options["counters"]
        self._seen = threading.local()

    @property
    def base_exceptions(self) -> type[Exception]:
        return CacheUnavailableError

    def incr(self, key: str, expiry: int, amount: int = 1) -> int:
        """Count one; 0, so that nobody is refused, where the counts cannot be reached."""
        self._seen.key, self._seen.window = key, None
        try:
            window = self._seen.window = self._counters.hit(key, expiry)
        except CacheUnavailableError:
            return 0
        return window.hits

    def counted(self, key: str) -> Window | None:
        """The window that this thread has just counted in, if it is the key's and could be reached."""
        return self._seen.window if getattr(self._seen, "key", None) == key else None

    def get(self, key: str) -> int:
        return self._counters.window(key).hits

    def get_expiry(self, key: str) -> float:
        return self._counters.window(key).ends

    def check(self) -> bool:
        return True

    def reset(self) -> int | None:
        raise NotImplementedError

    def clear(self, key: str) -> None:
        raise NotImplementedError


class Limits:
    """RATELIMIT_DEFAULT, as it holds for all that one caller asks for."""

    def __init__(self, app: Flask) -> None:
        self._limiter = Limiter(
            lambda: caller_id(g.caller, request.environ),
            request_identifier=lambda: ALL_ROUTES,
            storage_uri=f"{WindowStorage.STORAGE_SCHEME[0]}://",
            storage_options={"counters": shared_counters(app) or LocalCounters()},  # type: ignore[dict-item]
        )
        self._limiter.request_filter(_is_exempt)
        self._limiter.init_app(app)
        app.after_request(self.add_headers)

    def add_headers(self, response: Response) -> Response:
        """Tell the caller what is left, and when there will be more."""
        if counted := self._limiter.current_limits[-1:]:
            for name, value in self._headers(counted[0].key, counted[0].limit.amount).items():
                response.headers.setdefault(name, value)
            if counted[0].breached:
                response.headers.setdefault("Retry-After", response.headers["RateLimit-Reset"])
        return response

    def _headers(self, key: str, allowed: int) -> dict[str, str]:
        storage = self._limiter.storage
        assert isinstance(storage, WindowStorage)
        window = storage.counted(key)
        return {} if window is None else window.headers(allowed)


def _is_exempt() -> bool:
    """Probes, and what a browser asks before it asks."""
    access = access_of(request.endpoint) if request.endpoint else None
    return access in (Access.OPEN, Access.METRICS) or is_preflight()


def _refuse(error: RateLimitExceeded) -> Response:
    return problem(429, f"Too many requests: {error.limit.limit} are allowed")


def check_body() -> None:
    """Abort with 413 for a body over MOST_BODY: Flask looks at bodies that are read, and no route reads one."""
    length = request.content_length or 0
    if "Transfer-Encoding" in request.headers:
        try:
            length = len(request.get_data())
        except ParseException:
            abort(400, "The body is not made of chunks")
    if length > MOST_BODY:
        abort(413, f"The body may have up to {MOST_BODY} bytes")


def init_app(app: Flask) -> None:
    """Limit the size of bodies, and the number of requests where RATELIMIT_ENABLED says so.

    To be called after authentication: callers are known by then, and others are told nothing.
    """
    if app.config["RATELIMIT_ENABLED"]:
        Limits(app)
        app.register_error_handler(RateLimitExceeded, _refuse)
    # A body of undeclared length is cut here, without an error: one byte more tells that it was too large.
    app.config["MAX_CONTENT_LENGTH"] = MOST_BODY + 1
    app.before_request(check_body)
