"""Who may do what. No secret has a default, and every comparison takes constant time."""

import hmac
from typing import NoReturn

from flask import abort, current_app
from flask_httpauth import HTTPTokenAuth

invalidation_secret = HTTPTokenAuth(header="X-Invalidation-Secret")


@invalidation_secret.verify_token
def _is_invalidation_secret(given: str) -> bool:
    secret: str | None = current_app.config["CACHE_INVALIDATION_SECRET"]
    # WSGI hands headers over as latin-1, whatever bytes the caller sent.
    return secret is not None and hmac.compare_digest(given.encode("latin-1"), secret.encode())


@invalidation_secret.error_handler
def _refuse(_status: int) -> NoReturn:
    abort(403, "Invalid secret key")
