"""The parts that answers of several shapes are made of."""

from typing import Any

from flask_marshmallow import Schema
from marshmallow import fields

from app.schemas.answers.lists import Instant
from app.schemas.answers.objects import ObjectSchema


def nested(schema: type[Schema], *, many: bool = False, allow_none: bool = False) -> fields.Nested:
    """A required part of an answer."""
    return fields.Nested(schema, many=many, allow_none=allow_none, required=True)


def number(description: str = "", *, allow_none: bool = False) -> fields.Integer:
    """A required count, duration or rank."""
    metadata: dict[str, Any] = {"minimum": 0} | ({"description": description} if description else {})
    return fields.Integer(required=True, allow_none=allow_none, metadata=metadata)


class WindowSchema(ObjectSchema):
    """The window that was asked for: its name or `custom`, and its ends, null where open."""

    range = fields.String(required=True)
    from_ = Instant(attribute="start", data_key="from", required=True, allow_none=True)
    to = Instant(attribute="end", required=True, allow_none=True)
    tz = fields.String(attribute="tz.key", required=True)
