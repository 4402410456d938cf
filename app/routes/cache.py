"""Cache admin: drop what is cached, and count it."""

import structlog
from apifairy import authenticate, other_responses, response
from flask import Blueprint

from app.auth import invalidation_secret
from app.cache import backends, generations
from app.cache.keys import count_live
from app.routes.arguments import checked
from app.schemas.problems import FORBIDDEN, WRONG_PARAMETERS
from app.schemas.service import CacheSizeSchema, InvalidationParameters, InvalidationSchema

cache_bp = Blueprint("cache", __name__, url_prefix="/cache")

log = structlog.get_logger(__name__)


@cache_bp.post("/invalidate")
@other_responses(FORBIDDEN | WRONG_PARAMETERS)
@authenticate(invalidation_secret)
@checked(InvalidationParameters)
@response(InvalidationSchema)
def invalidate(user_id: int | None) -> dict[str, str]:
    """Clear the cache, or one user's part of it."""
    generations.end(user_id)
    message = "Cache has been cleared" if user_id is None else f"Cache of user {user_id} has been cleared"
    log.info("cache_invalidated", user_id=user_id)
    return {"status": "success", "message": message}


@cache_bp.get("/size")
@response(CacheSizeSchema)
def size() -> dict[str, int]:
    """The number of live entries."""
    return {"size": count_live(backends.keys())}
