"""Cache admin: drop what is cached, and count it."""

import structlog
from apifairy import authenticate, other_responses, response
from flask import Blueprint, current_app

from app.cache import generations
from app.cache.answers import State
from app.cache.backends import backend
from app.routes.arguments import checked
from app.schemas.answers.problems import CACHE_UNAVAILABLE, FORBIDDEN, WRONG_PARAMETERS
from app.schemas.answers.service import CacheSizeSchema, CacheStatsSchema, InvalidationSchema
from app.schemas.requests.invalidation import InvalidationParameters
from app.web.auth import invalidation_secret, key

cache_bp = Blueprint("cache", __name__, url_prefix="/cache")

log = structlog.get_logger(__name__)


@cache_bp.post("/invalidate")
@other_responses(FORBIDDEN | WRONG_PARAMETERS | CACHE_UNAVAILABLE)
@authenticate(invalidation_secret)
@checked(InvalidationParameters)
@response(InvalidationSchema)
def invalidate(user_id: int | None) -> dict[str, str]:
    """Clear the cache, or one user's part of it."""
    generations.end(backend(), user_id)
    message = "Cache has been cleared" if user_id is None else f"Cache of user {user_id} has been cleared"
    log.info("cache_invalidated", user_id=user_id)
    return {"status": "success", "message": message}


@cache_bp.get("/size")
@other_responses(CACHE_UNAVAILABLE)
@authenticate(key)
@response(CacheSizeSchema)
def size() -> dict[str, int]:
    """The number of live entries."""
    return {"size": generations.count_live(backend())}


@cache_bp.get("/stats")
@other_responses(CACHE_UNAVAILABLE)
@authenticate(key)
@response(CacheStatsSchema)
def stats() -> dict[str, object]:
    """What the cache did."""
    counts = backend().counts()
    hits, misses, stale, errors = (counts.get(state, 0) for state in (State.HIT, State.MISS, State.STALE, State.BYPASS))
    looked_up = hits + misses + stale
    return {
        "backend": current_app.config["CACHE_TYPE"],
        "size": generations.count_live(backend()),
        "hits": hits,
        "misses": misses,
        "stale": stale,
        "errors": errors,
        "hit_ratio": hits / looked_up if looked_up else 0.0,
    }
