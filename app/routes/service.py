"""Whether the process runs, whether it can answer, and what it has done."""

import structlog
from apifairy import other_responses, response
from flask import Blueprint, Response, current_app
from prometheus_client import CONTENT_TYPE_PLAIN_0_0_4
from sqlalchemy.exc import SQLAlchemyError

from app.cache.backends import CacheUnavailableError, backend
from app.database.outages import unavailable
from app.database.readiness import missing_from_schema, replica_lag
from app.domain.timezones import format_instant
from app.extensions import db
from app.rollups.state import read
from app.schemas.answers.service import HealthSchema, ReadySchema
from app.taste import model
from app.telemetry.metrics import exposition

service_bp = Blueprint("service", __name__)

log = structlog.get_logger(__name__)


@service_bp.get("/health")
@response(HealthSchema)
def health() -> dict[str, str]:
    """Whether the process runs; touches nothing."""
    return {"status": "ok"}


@service_bp.get("/ready")
@other_responses({503: (ReadySchema, "The database or its schema is not as it has to be.")})
@response(ReadySchema)
def ready() -> tuple[dict[str, object], int, dict[str, str]]:
    """Whether the service can answer: its database, and the platform's schema in it. Without its cache it can, too."""
    database, schema, lag = _database_checks()
    # A database that is silent would be waited for once more.
    rollups, taste = (_rollups_check(), _taste_check()) if database == "ok" else ("unknown", "unknown")
    checks = {"database": database, "schema": schema, "cache": _cache_check(), "rollups": rollups, "taste": taste}
    if lag is not None:
        checks["replica"] = lag
    is_ready = database == schema == "ok"
    status = "ready" if is_ready else "unavailable"
    return {"status": status, "checks": checks}, 200 if is_ready else 503, {"Cache-Control": "no-store"}


@service_bp.get("/metrics")
def metrics() -> Response:
    """Numbers for Prometheus."""
    return Response(exposition(), content_type=CONTENT_TYPE_PLAIN_0_0_4, headers={"Cache-Control": "no-store"})


def _cache_check() -> str:
    if current_app.config["CACHE_TYPE"] == "NullCache":
        return "none"
    try:
        backend().get_many("ready")
    except CacheUnavailableError:
        return "cannot be reached"
    return "ok"


def _rollups_check() -> str:
    try:
        rollups = read(db.session())
    except SQLAlchemyError:
        return "unknown"
    return "not installed" if rollups is None else rollups.distrust or "ok"


def _taste_check() -> str:
    try:
        found = model.status(db.session())
    except SQLAlchemyError:
        return "unknown"
    if found is None:
        return "not built"
    return "ok" if found.age < model.MAX_AGE else f"computed at {format_instant(found.computed_at)}, too long ago"


def _database_checks() -> tuple[str, str, str | None]:
    try:
        missing, lag = missing_from_schema(db.session()), replica_lag(db.session())
    except SQLAlchemyError as error:
        log.warning("database_unreachable", error=type(error).__name__)
        return unavailable(error) or "cannot answer", "unknown", None
    return "ok", f"missing or not readable: {', '.join(missing)}" if missing else "ok", lag
