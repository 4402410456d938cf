"""How a request names its window: a range or two bounds, in a time zone."""

from typing import Any

from flask import current_app
from marshmallow import RAISE, Schema, ValidationError, fields, post_load, validates_schema

from app.domain.timezones import WindowError, timezone
from app.domain.windows import BOUND_PATTERN, RANGE_PATTERN, Window, parse_bound
from app.schemas.requests.fields import TimeZone


class Parameters(Schema):
    """Base of all parameter schemas: a name that no field has is an error."""

    class Meta:
        unknown = RAISE


class InZone(Parameters):
    """The time zone that days are in."""

    tz = TimeZone(
        load_default=lambda: timezone("UTC"),
        metadata={"description": "An IANA time zone: where days begin.", "default": "UTC"},
    )


def named_window(default: str) -> fields.String:
    """The name of a window; without it, `from` and `to` it is the default."""
    return fields.String(
        load_default=None,
        allow_none=False,
        metadata={
            "description": "A named window: `all_time`, `today`, `yesterday`, `this_` or `last_` and `week`, `month`, "
            "`quarter`, `half_year` or `year`, or the last N days as `Nd`, today included. Not beside `from` or `to`; "
            f"without any of the three it is `{default}`.",
            "pattern": RANGE_PATTERN,
        },
    )


class InWindow(InZone):
    """The window of the listens: a named range or two bounds, in a time zone."""

    range = named_window("all_time")
    from_ = fields.String(
        data_key="from",
        load_default=None,
        allow_none=False,
        metadata={
            "description": "First instant of the window: an ISO 8601 date or date-time. Open where it is absent.",
            "pattern": BOUND_PATTERN,
        },
    )
    to = fields.String(
        load_default=None,
        allow_none=False,
        metadata={
            "description": "First instant after the window: an ISO 8601 date or date-time. Open where it is absent.",
            "pattern": BOUND_PATTERN,
        },
    )

    @validates_schema(skip_on_field_errors=False)
    def _check_window(self, data: dict[str, Any], **kwargs: Any) -> None:
        window_of(data)

    @post_load
    def _make_window(self, data: dict[str, Any], **kwargs: Any) -> dict[str, Any]:
        window = window_of(data)
        for name in ("range", "from_", "to", "tz"):
            del data[name]
        return data | {"window": window}


def window_of(data: dict[str, Any]) -> Window:
    """The window that the fields of InWindow name. Raises ValidationError for all that is wrong with them."""
    # Where the zone itself is wrong, the rest is checked in UTC: an error of its own says so.
    tz = data.get("tz", timezone("UTC"))
    errors: dict[str, list[str]] = {}
    for name, bound in (("from", data["from_"]), ("to", data["to"])):
        try:
            if bound is not None:
                parse_bound(name, bound, tz)
        except WindowError as error:
            errors[name] = [error.detail]
    try:
        if data["range"] is not None:
            if data["from_"] is not None or data["to"] is not None:
                raise WindowError("range", "range cannot stand beside from or to: give the one or the others")
            return Window.named(data["range"], tz, current_app.config["CLOCK"]())
        if not errors:
            return Window.between(data["from_"], data["to"], tz)
    except WindowError as error:
        errors[error.parameter] = [error.detail]
    raise ValidationError(errors)
