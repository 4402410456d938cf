"""What the cache and service routes take and give."""

from flask_marshmallow import Schema
from marshmallow import fields

from app.audience import MAX_USER_ID
from app.schemas.fields import UserId
from app.schemas.windows import Parameters


class InvalidationParameters(Parameters):
    """Whose entries are meant: one user's, or all."""

    user_id = UserId(
        load_default=None,
        allow_none=False,
        metadata={"description": "Clears this user's entries alone.", "minimum": 1, "maximum": MAX_USER_ID},
    )


class InvalidationSchema(Schema):
    """What was cleared."""

    status = fields.String(required=True)
    message = fields.String(required=True)


class CacheSizeSchema(Schema):
    """The number of live entries."""

    size = fields.Integer(required=True)


class CacheStatsSchema(Schema):
    """What the cache did, over the fleet where the backend is shared; numbers of the fleet are up to 0.2 s old."""

    backend = fields.String(required=True, metadata={"enum": ["SimpleCache", "RedisCache", "NullCache"]})
    size = fields.Integer(required=True, metadata={"description": "Live entries."})
    hits = fields.Integer(required=True)
    misses = fields.Integer(required=True)
    stale = fields.Integer(required=True)
    errors = fields.Integer(required=True, metadata={"description": "Answers that were computed past the cache."})
    hit_ratio = fields.Float(
        required=True, metadata={"description": "Hits of all answers that were looked up, 0 where there are none."}
    )


class HealthSchema(Schema):
    """The process runs."""

    status = fields.String(required=True)


class ReadySchema(Schema):
    """Whether the service can answer, and what each of its parts says: `ok`, or what is wrong."""

    status = fields.String(required=True)
    checks = fields.Dict(keys=fields.String(), values=fields.String(), required=True)
