"""What the insight routes take in their path and query. One schema a concern; a route's schema combines them.

Loading gives the values that services take: an `Audience`, a `Window`, a `Ranking`. Every error names what was given
and what is allowed.
"""

import re
from collections.abc import Mapping
from typing import Any

from flask import current_app
from marshmallow import RAISE, Schema, ValidationError, fields, post_load, validates_schema

from app.audience import EVERYONE, MAX_GROUP_SIZE, MAX_USER_ID, Audience
from app.ranking import DEFAULT_LIMIT, MAX_LIMIT, MAX_OFFSET, Page, Ranking, SortBy
from app.timezones import WindowError, quoted, timezone
from app.windows import BOUND_PATTERN, RANGE_PATTERN, Window

# Decimal digits of ASCII, few enough to be read at once: int() takes other scripts, signs, spaces and underscores.
DIGITS = re.compile(r"[0-9]{1,20}", re.ASCII)
TRUE, FALSE = ("true", "1", "yes"), ("false", "0", "no")


def _user_id(text: str) -> int | None:
    value = int(text) if DIGITS.fullmatch(text) else 0
    return value if 1 <= value <= MAX_USER_ID else None


class BoundedInteger(fields.Integer):
    """A whole number in plain digits, within bounds."""

    def __init__(self, minimum: int, maximum: int, default: int, description: str) -> None:
        self.minimum, self.maximum = minimum, maximum
        metadata = {"description": description, "minimum": minimum, "maximum": maximum}
        super().__init__(load_default=default, metadata=metadata)

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> int:
        if not DIGITS.fullmatch(value) or not self.minimum <= int(value) <= self.maximum:
            raise ValidationError(
                f"{self.name} must be a whole number from {self.minimum} to {self.maximum}, not {quoted(value)}"
            )
        return int(value)


class Flag(fields.Boolean):
    """A yes or no, in any case."""

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> bool:
        if value.lower() not in TRUE + FALSE:
            raise ValidationError(f"{self.name} must be one of {', '.join(TRUE + FALSE)}, not {quoted(value)}")
        return value.lower() in TRUE


class Choice(fields.String):
    """One of a few words."""

    def __init__(self, choices: tuple[str, ...], default: str | None, description: str) -> None:
        self.choices = choices
        super().__init__(
            load_default=default,
            allow_none=False,
            metadata={"description": description, "enum": list(choices)},
        )

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> str:
        if value not in self.choices:
            raise ValidationError(f"{self.name} must be {' or '.join(self.choices)}, not {quoted(value)}")
        return str(value)


class UserId(fields.Integer):
    """A user's id in the path."""

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> int:
        user_id = _user_id(value)
        if user_id is None:
            raise ValidationError(f"{self.name} must be from 1 to {MAX_USER_ID}, not {quoted(value)}")
        return user_id


class UserIds(fields.String):
    """A set of user ids, comma separated."""

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> Any:
        user_ids = {_user_id(part) for part in value.split(",")}
        if None in user_ids:
            raise ValidationError(
                f"users must be user ids from 1 to {MAX_USER_ID}, comma separated, not {quoted(value)}"
            )
        if len(user_ids) > MAX_GROUP_SIZE:
            raise ValidationError(f"users must be at most {MAX_GROUP_SIZE} user ids, not {len(user_ids)}")
        return user_ids


class TimeZone(fields.String):
    """The name of a time zone."""

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> Any:
        try:
            return timezone(value)
        except ValueError as error:
            raise ValidationError(str(error)) from error


class Parameters(Schema):
    """Base of all parameter schemas: a name that no field has is an error."""

    class Meta:
        unknown = RAISE


class OfUser(Parameters):
    """The listens of the user in the path."""

    user_id = UserId(
        required=True, metadata={"description": "A user's id.", "minimum": 1, "maximum": MAX_USER_ID, "example": 1}
    )

    @post_load
    def _audience(self, data: dict[str, Any], **kwargs: Any) -> dict[str, Any]:
        data["audience"] = Audience.user(data.pop("user_id"))
        return data


class OfEveryone(Parameters):
    """Everyone's listens, or those of a group."""

    users = UserIds(
        load_default=None,
        allow_none=False,
        metadata={
            "description": f"Up to {MAX_GROUP_SIZE} user ids, comma separated: the insight over that group alone."
        },
    )

    @post_load
    def _audience(self, data: dict[str, Any], **kwargs: Any) -> dict[str, Any]:
        users = data.pop("users")
        data["audience"] = EVERYONE if users is None else Audience.group(users)
        return data


class InWindow(Parameters):
    """The window of the listens: a named range or two bounds, in a time zone."""

    range = fields.String(
        load_default=None,
        allow_none=False,
        metadata={
            "description": "A named window: `all_time`, `today`, `yesterday`, `this_` or `last_` and `week`, `month`, "
            "`quarter`, `half_year` or `year`, or the last N days as `Nd`, today included.",
            "pattern": RANGE_PATTERN,
            "default": "all_time",
        },
    )
    from_ = fields.String(
        data_key="from",
        load_default=None,
        allow_none=False,
        metadata={
            "description": "First instant of the window: an ISO 8601 date or date-time. Not beside `range`.",
            "pattern": BOUND_PATTERN,
        },
    )
    to = fields.String(
        load_default=None,
        allow_none=False,
        metadata={
            "description": "First instant after the window: an ISO 8601 date or date-time. Not beside `range`.",
            "pattern": BOUND_PATTERN,
        },
    )
    tz = TimeZone(
        load_default=lambda: timezone("UTC"),
        metadata={"description": "An IANA time zone: where days begin.", "default": "UTC"},
    )

    @validates_schema(skip_on_field_errors=False)
    def _check_window(self, data: dict[str, Any], **kwargs: Any) -> None:
        self._window(data)

    @post_load
    def _make_window(self, data: dict[str, Any], **kwargs: Any) -> dict[str, Any]:
        window = self._window(data)
        for name in ("range", "from_", "to", "tz"):
            del data[name]
        return data | {"window": window}

    @staticmethod
    def _window(data: dict[str, Any]) -> Window:
        # Where the zone itself is wrong, the rest is checked in UTC: an error of its own says so.
        tz = data.get("tz", timezone("UTC"))
        try:
            if data["range"] is None:
                return Window.between(data["from_"], data["to"], tz)
            if data["from_"] is not None or data["to"] is not None:
                raise WindowError("range", "range cannot stand beside from or to: give the one or the others")
            return Window.named(data["range"], tz, current_app.config["CLOCK"]())
        except WindowError as error:
            raise ValidationError(error.detail, error.parameter) from error


class InPages(Parameters):
    """Which page of a list."""

    limit = BoundedInteger(1, MAX_LIMIT, DEFAULT_LIMIT, "The number of rows on a page.")
    offset = BoundedInteger(0, MAX_OFFSET, 0, "The number of rows before the page.")

    @post_load
    def _page(self, data: dict[str, Any], **kwargs: Any) -> dict[str, Any]:
        return data | {"page": Page(limit=data.pop("limit"), offset=data.pop("offset"))}


class RankedInWindow(InPages, InWindow):
    """A page of a ranked list over a window."""

    by = Choice(tuple(SortBy), SortBy.COUNT.value, "The measure that the list is ranked by.")
    compare = Choice(("previous",), None, "Adds each row's rank and count in the window just before.")

    @validates_schema(skip_on_field_errors=False)
    def _check_compare(self, data: dict[str, Any], **kwargs: Any) -> None:
        if data.get("compare"):
            try:
                self._window(data).previous()
            except WindowError as error:
                raise ValidationError(error.detail, "compare") from error

    @post_load
    def _page(self, data: dict[str, Any], **kwargs: Any) -> dict[str, Any]:
        ranking = Ranking(
            limit=data.pop("limit"),
            offset=data.pop("offset"),
            by=SortBy(data.pop("by")),
            compare=data.pop("compare") is not None,
        )
        return data | {"ranking": ranking}


class ListenTimeInWindow(InWindow):
    """The listen time over a window, as a number or as a text."""

    as_string = Flag(
        load_default=False, metadata={"description": "Gives the text `28093d 4h 35m 1s` rather than milliseconds."}
    )
