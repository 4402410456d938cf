"""Who may do what. No secret has a default, and every comparison takes constant time."""

import hashlib
import hmac
from collections.abc import Callable, Mapping, Sequence
from enum import Enum
from typing import Any, NamedTuple, NoReturn, TypeVar, cast

from flask import Flask, abort, current_app, g, request
from flask_httpauth import HTTPTokenAuth
from werkzeug.datastructures import WWWAuthenticate
from werkzeug.exceptions import Unauthorized

from app.telemetry import logs
from app.web.signatures import is_signed
from config import ApiKey

View = TypeVar("View", bound=Callable[..., Any])


class Access(Enum):
    """What a route asks of its caller."""

    OPEN = "nothing: a probe"
    KEY = "a key, where keys are configured"
    CARD = "as KEY, or a signature in the URL"
    DOCS = "a key, where keys are configured and DOCS_PUBLIC is false"
    METRICS = "METRICS_TOKEN where it is set, else as KEY"


# What every route asks, by its endpoint or else by its blueprint. A route that is missing here wants a key.
ACCESS = {
    "insights": Access.KEY,
    "insights_global": Access.KEY,
    "entities": Access.KEY,
    "cards": Access.CARD,
    "cache": Access.KEY,
    "docs": Access.DOCS,
    "static": Access.DOCS,
    "page": Access.OPEN,
    "service.health": Access.OPEN,
    "service.ready": Access.OPEN,
    "service.metrics": Access.METRICS,
}

# Below these nothing is told to who has no key, not even which routes there are.
GUARDED = ("insights", "cache")

# The caller's name in the logs where it has shown METRICS_TOKEN.
METRICS_CALLER = "metrics"


def access_of(endpoint: str) -> Access | None:
    """What a route asks; None where that is not declared."""
    return ACCESS.get(endpoint) or ACCESS.get(endpoint.partition(".")[0])


class Gate:
    """Who gets in, by the settings of one application."""

    def __init__(self, settings: Mapping[str, Any]) -> None:
        self._keys: Sequence[ApiKey] = settings["API_KEYS"]
        self._docs_public: bool = settings["DOCS_PUBLIC"]
        self._metrics_token: str | None = settings["METRICS_TOKEN"]

    @property
    def has_keys(self) -> bool:
        """Whether keys are configured."""
        return bool(self._keys)

    def wants_key(self, access: Access) -> bool:
        """Whether a route of this access is for callers with a key alone."""
        if access is Access.OPEN or (access is Access.DOCS and self._docs_public):
            return False
        return self.has_keys and not self.wants_token(access)

    def wants_token(self, access: Access) -> bool:
        """Whether a route of this access is for callers with METRICS_TOKEN alone."""
        return access is Access.METRICS and self._metrics_token is not None

    def caller(self, environ: Mapping[str, Any]) -> str | None:
        """The name of the key that a request shows; None where it shows none, or a wrong one."""
        given = _credential(environ)
        if not given or not self._keys:
            return None
        digest = hashlib.sha256(given.encode("latin-1")).digest()
        # Each key is compared with, so that the time tells nothing of which one it was.
        names = [key.name for key in self._keys if hmac.compare_digest(key.digest, digest)]
        return names[0] if names else None

    def shows_token(self, environ: Mapping[str, Any]) -> bool:
        """Whether a request shows METRICS_TOKEN."""
        return self._metrics_token is not None and _is_equal(_credential(environ), self._metrics_token)


def gate() -> Gate:
    """The gate of the current application."""
    return cast(Gate, current_app.extensions["gate"])


def caller_id(name: str | None, environ: Mapping[str, Any]) -> str:
    """What tells callers apart: the key's name, else the address."""
    return f"address:{environ.get('REMOTE_ADDR', '')}" if name is None else f"key:{name}"


def is_preflight() -> bool:
    """Whether a browser asks if a page of CORS_ORIGINS may ask; it sends no key along."""
    return bool(
        current_app.config["CORS_ORIGINS"]
        and request.method == "OPTIONS"
        and request.endpoint
        and "Origin" in request.headers
        and "Access-Control-Request-Method" in request.headers
    )


def _credential(environ: Mapping[str, Any]) -> str:
    """What stands after `Authorization: Bearer`, or else in `X-API-Key`."""
    scheme, _, token = environ.get("HTTP_AUTHORIZATION", "").partition(" ")
    if scheme.lower() == "bearer":
        return str(token.strip())
    return str(environ.get("HTTP_X_API_KEY", "").strip())


def _is_equal(given: str, secret: str) -> bool:
    # WSGI hands headers over as latin-1, whatever bytes the caller sent.
    return hmac.compare_digest(given.encode("latin-1"), secret.encode())


def authenticate() -> None:
    """Let in who may ask for what a request asks for, before anything else is looked at.

    Raises Unauthorized for the others, also where there is no such route.
    """
    doors, environ = gate(), request.environ
    access = _asked_access()
    if access is Access.CARD and "signature" in request.args:
        access = _access_of_signed()
    g.caller = doors.caller(environ)
    if doors.wants_token(access):
        g.caller = METRICS_CALLER if doors.shows_token(environ) else None
    logs.bind_caller(g.caller)
    if g.caller is None and not is_preflight() and (doors.wants_key(access) or doors.wants_token(access)):
        _refuse_caller(environ, TOKEN if doors.wants_token(access) else KEY)


def _access_of_signed() -> Access:
    """What a request for a card with a signature is asked for beyond that: nothing."""
    now = current_app.config["CLOCK"]().timestamp()
    query = request.query_string.decode("latin-1")
    if not is_signed(current_app.config["CARD_SIGNING_KEY"], request.path, query, now):
        abort(403, "The signature is wrong or has expired")
    return Access.OPEN


def _asked_access() -> Access:
    if request.endpoint is not None:
        return access_of(request.endpoint) or Access.KEY
    first = next((part for part in request.path.split("/") if part), "")
    return Access.KEY if first in GUARDED else Access.OPEN


class Wanted(NamedTuple):
    """What a route wants of its caller, as it is told to one who has none, and to one whose is wrong."""

    missing: str
    wrong: str


KEY = Wanted("A key is missing: send Authorization: Bearer KEY, or X-API-Key: KEY", "The key is wrong")
TOKEN = Wanted(
    "The token is missing: send Authorization: Bearer, and what METRICS_TOKEN is",
    "The token is wrong: METRICS_TOKEN is wanted here, and no key",
)


def _refuse_caller(environ: Mapping[str, Any], wanted: Wanted) -> NoReturn:
    challenge: dict[str, str | None] = {"realm": "SongSwap Insights"}
    detail = wanted.missing
    if _credential(environ):
        challenge["error"] = "invalid_token"  # RFC 6750
        detail = wanted.wrong
    raise Unauthorized(detail, www_authenticate=WWWAuthenticate("bearer", challenge))


class Documented(HTTPTokenAuth):  # type: ignore[misc]
    """What the OpenAPI document says of a route; `authenticate` has looked before the route is called."""

    def login_required(self, *_args: Any, **_kwargs: Any) -> Callable[[View], View]:
        return lambda view: view


# APIFairy shows the texts.
key = Documented()
key.__doc__ = "A key of `flask api-keys new`, where API_KEYS is set; `/metrics` may want a token of its own."

invalidation_secret = HTTPTokenAuth(header="X-Invalidation-Secret")
invalidation_secret.__doc__ = "The secret for clearing the cache, in addition to a key."


@invalidation_secret.verify_token
def _is_invalidation_secret(given: str) -> bool:
    secret: str | None = current_app.config["CACHE_INVALIDATION_SECRET"]
    return secret is not None and _is_equal(given, secret)


@invalidation_secret.error_handler
def _refuse(_status: int) -> NoReturn:
    abort(403, "Invalid secret key")


def init_app(app: Flask) -> None:
    """Guard every route. To be called right after the logs are set up, so that nothing else has a say before."""
    app.extensions["gate"] = Gate(app.config)
    app.before_request(authenticate)
