"""What the cache and service routes give."""

from flask_marshmallow import Schema
from marshmallow import fields

from config import SHARED_CACHES


class InvalidationSchema(Schema):
    """What was cleared."""

    status = fields.String(required=True, metadata={"examples": ["success"]})
    message = fields.String(required=True, metadata={"examples": ["Cache has been cleared"]})


class CacheSizeSchema(Schema):
    """The number of live entries."""

    size = fields.Integer(required=True, metadata={"examples": [120]})


class CacheStatsSchema(Schema):
    """What the cache did, over the fleet where the backend is shared."""

    backend = fields.String(required=True, metadata={"enum": ["SimpleCache", *SHARED_CACHES, "NullCache"]})
    size = fields.Integer(required=True, metadata={"description": "Live entries.", "examples": [120]})
    hits = fields.Integer(required=True, metadata={"examples": [900]})
    misses = fields.Integer(required=True, metadata={"examples": [300]})
    stale = fields.Integer(required=True, metadata={"examples": [0]})
    errors = fields.Integer(
        required=True, metadata={"description": "Answers that were computed past the cache.", "examples": [0]}
    )
    hit_ratio = fields.Float(
        required=True,
        metadata={
            "description": "Hits of all answers that were looked up, 0 where there are none.",
            "examples": [0.75],
        },
    )


class HealthSchema(Schema):
    """The process runs."""

    status = fields.String(required=True, metadata={"examples": ["ok"]})


class ReadySchema(Schema):
    """Whether the service can answer, and what each of its parts says: `ok`, or what is wrong."""

    status = fields.String(required=True, metadata={"examples": ["ready"]})
    checks = fields.Dict(
        keys=fields.String(),
        values=fields.String(),
        required=True,
        metadata={"examples": [{"database": "ok", "schema": "ok", "cache": "ok", "rollups": "ok", "taste": "ok"}]},
    )
