"""How much one caller may ask for, how often it may be wrong about the secret, and how large bodies may be.

Flask-Limiter counts: in Redis where the cache is there, else in the memory of the process, and so while Redis is away.
One limit holds for all routes together; probes are not counted.
"""

from collections.abc import Mapping
from typing import Any

import structlog
from flask import Flask, Response, abort, g, request
from flask_limiter import ApplicationLimit, HeaderNames, Limit, Limiter
from gunicorn.http.errors import ParseException
from redis.exceptions import RedisClusterException

from app.cache.backends.redis import options_of, patience
from app.web.auth import Access, access_of, caller_id, invalidation_secret, is_preflight

log = structlog.get_logger(__name__)

# Wrong secrets of one caller that are answered with 403.
GUESSES = "10 per minute"

# Flask-Limiter's header for Retry-After tells seconds and its header for the reset an instant, which is not wanted: the
# former takes the place of the latter.
HEADERS = {
    HeaderNames.LIMIT: "RateLimit-Limit",
    HeaderNames.REMAINING: "RateLimit-Remaining",
    HeaderNames.RESET: "RateLimit-Reset",
    HeaderNames.RETRY_AFTER: "RateLimit-Reset",
}

# Seconds. A Redis that is away costs the first request one of them, and later ones nothing.
TIMEOUTS = patience()

# Bytes.
MOST_BODY = 64 * 1024


def storage(settings: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """Where to count, by the settings of the cache: a URI of the library `limits`, and options for it."""
    kind, url = settings["CACHE_TYPE"], settings["CACHE_REDIS_URL"]
    if kind in {"SimpleCache", "NullCache"}:
        return "memory://", {}
    options = TIMEOUTS | {"key_prefix": f"{settings['CACHE_KEY_PREFIX']}limits"}
    if kind == "RedisCache":
        return url.replace("unix://", "redis+unix://", 1), options
    server = options_of(url)
    host, port = server.pop("host"), server.pop("port", 6379)
    options |= server
    if kind == "RedisClusterCache":
        options.pop("db", None)
        return f"redis+cluster://{host}:{port}", options
    # By the name `default` a Sentinel that has no password takes any.
    user = {"username": server.get("username", "default")} if "password" in server else {}
    options |= {"sentinel_kwargs": TIMEOUTS | {"ssl": server["ssl"]} | user, "use_replicas": False}
    sentinels = ",".join(f"{address}:{port}" for address, port in settings["CACHE_REDIS_SENTINELS"])
    return f"redis+sentinel://{sentinels}/{host}", options


def _is_free() -> bool:
    """Whether a request is not counted: probes, and what a browser asks before it asks."""
    access = access_of(request.endpoint) if request.endpoint else None
    return access in (Access.OPEN, Access.METRICS) or is_preflight()


def _is_guess() -> bool:
    """Whether a request shows an invalidation secret, right or wrong."""
    return request.endpoint == "cache.invalidate" and bool(request.headers.get(invalidation_secret.header))


def _limiter(app: Flask, uri: str, options: dict[str, Any], are_requests_limited: bool) -> Limiter:
    limiter = Limiter(
        lambda: caller_id(g.caller, request.environ),
        # What is counted, besides the caller: not each route for itself, as is Flask-Limiter's default.
        request_identifier=lambda: "requests",
        default_limits=[
            Limit(
                app.config["RATELIMIT_DEFAULT"],
                exempt_when=lambda: not are_requests_limited,
                error_message=f"Too many requests: {app.config['RATELIMIT_DEFAULT']} are allowed",
            )
        ],
        application_limits=[
            ApplicationLimit(
                GUESSES,
                scope="guesses",
                exempt_when=lambda: not _is_guess(),
                deduct_when=lambda response: response.status_code == 403,
                error_message=f"Too many wrong secrets: {GUESSES} are allowed",
            )
        ],
        headers_enabled=True,
        header_name_mapping=HEADERS,
        storage_uri=uri,
        storage_options=options,
        in_memory_fallback_enabled=True,
        # Of several threads that find Redis away at once, Flask-Limiter has only the first one fall back.
        swallow_errors=True,
    )
    limiter.request_filter(lambda: _is_free() or not (are_requests_limited or _is_guess()))
    limiter.init_app(app)
    return limiter


def _limit(app: Flask) -> None:
    are_requests_limited = app.config["RATELIMIT_ENABLED"]
    app.config["RATELIMIT_ENABLED"] = True  # Flask-Limiter's own switch, for wrong secrets as well
    app.after_request(_tell_when_to_come_back)  # runs after Flask-Limiter's, which is registered later
    try:
        _limiter(app, *storage(app.config), are_requests_limited)
    except RedisClusterException as error:  # a cluster is asked for its nodes at once
        log.warning("limits_in_process", error=type(error).__name__)
        _limiter(app, "memory://", {}, are_requests_limited)


def _tell_when_to_come_back(response: Response) -> Response:
    if response.status_code == 429 and "RateLimit-Reset" in response.headers:
        response.headers["Retry-After"] = str(max(1, int(response.headers["RateLimit-Reset"])))
    return response


def check_body() -> None:
    """Abort with 413 for a body that is too large: Flask looks at bodies that are read, and hardly a route reads one.

    A route that takes more has set `request.max_content_length` when its URL was matched.
    """
    most = (request.max_content_length or 1) - 1
    length = request.content_length or 0
    if "Transfer-Encoding" in request.headers:
        try:
            length = len(request.get_data())
        except ParseException:
            abort(400, "The body is not made of chunks")
    if length > most:
        abort(413, f"The body may have up to {most} bytes")


def init_app(app: Flask) -> None:
    """Limit wrong secrets and the size of bodies, and the number of requests where RATELIMIT_ENABLED says so.

    To be called after authentication: callers are known by then, and others are told nothing.
    """
    if app.config["RATELIMIT_ENABLED"] or app.config["CACHE_INVALIDATION_SECRET"]:
        _limit(app)
    # A body of undeclared length is cut here, without an error: one byte more tells that it was too large.
    app.config["MAX_CONTENT_LENGTH"] = MOST_BODY + 1
    app.before_request(check_body)
