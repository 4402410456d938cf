"""What the insights give that tell when and how somebody listens."""

from marshmallow import fields
from marshmallow.validate import Length

from app.schemas.answers.lists import Instant
from app.schemas.answers.objects import ObjectSchema
from app.schemas.answers.parts import WindowSchema, nested, number


class BucketSchema(ObjectSchema):
    """The listens from `start` up to `end`."""

    start = Instant(required=True)
    end = Instant(required=True)
    count = number()
    listen_time_ms = number()


class ActivitySchema(ObjectSchema):
    """A series without holes, oldest first."""

    window = nested(WindowSchema)
    bucket = fields.String(required=True, metadata={"enum": ["hour", "day", "week", "month", "year"]})
    buckets = nested(BucketSchema, many=True)


class ClockSchema(ObjectSchema):
    """Two tables of 7 rows, Monday to Sunday, by 24 hours."""

    window = nested(WindowSchema)
    count = fields.List(fields.List(fields.Integer(), validate=Length(equal=24)), required=True)
    listen_time_ms = fields.List(fields.List(fields.Integer(), validate=Length(equal=24)), required=True)


class StreakSchema(ObjectSchema):
    """A run of days with a listen, both included."""

    start = fields.Date(required=True)
    end = fields.Date(required=True)
    days = number()


class StreaksSchema(ObjectSchema):
    """Runs of days, longest first, then newest; `current` ends today or yesterday."""

    window = nested(WindowSchema)
    current = nested(StreakSchema, allow_none=True)
    longest = nested(StreakSchema, allow_none=True)
    streaks = nested(StreakSchema, many=True)


class SessionSchema(ObjectSchema):
    """A listening session."""

    start = Instant(required=True)
    end = Instant(required=True)
    listens = number()
    duration_ms = number()


class SessionsSchema(ObjectSchema):
    """The sessions of a window; the longest first, then newest. Means are null without sessions."""

    window = nested(WindowSchema)
    gap_minutes = number()
    sessions = number()
    mean_listens = fields.Float(required=True, allow_none=True)
    mean_duration_ms = fields.Float(required=True, allow_none=True)
    longest = nested(SessionSchema, many=True)


class FeatureSchema(ObjectSchema):
    """One feature, weighted by listens; null where no listen has features. The deviation is the population's."""

    mean = fields.Float(required=True, allow_none=True)
    stddev = fields.Float(required=True, allow_none=True)
    min = fields.Float(required=True, allow_none=True)
    max = fields.Float(required=True, allow_none=True)
    histogram = fields.List(fields.Integer(), required=True, validate=Length(equal=10))


class FeaturesSchema(ObjectSchema):
    """A profile of audio features."""

    window = nested(WindowSchema)
    listens = number()
    coverage = fields.Float(required=True, metadata={"description": "The share of listens that have features."})
    features = fields.Dict(keys=fields.String(), values=fields.Nested(FeatureSchema), required=True)
    keys = fields.List(fields.Integer(), required=True, validate=Length(equal=12))
    modes = fields.Dict(keys=fields.String(), values=fields.Integer(), required=True)
