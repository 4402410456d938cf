"""Fields that read one parameter of a path or query. Every error names what was given and what is allowed."""

import re
from collections.abc import Mapping
from datetime import date, datetime
from typing import Any

from marshmallow import ValidationError, fields, validate

from app.domain.audience import MAX_GROUP_SIZE, MAX_USER_ID
from app.domain.timezones import WindowError, quoted, timezone
from app.domain.windows import MAX_BOUND, MIN_BOUND, parse_bound

TRUE, FALSE = ("true", "1", "yes"), ("false", "0", "no")


def _whole_number(text: str, minimum: int, maximum: int) -> int | None:
    """A number in plain digits, within bounds. int() takes other scripts, signs, spaces and underscores, too."""
    if not re.fullmatch("0*[0-9]{1,20}", text):
        return None
    value = int(text.lstrip("0") or "0")
    return value if minimum <= value <= maximum else None


class BoundedInteger(fields.Integer):
    """A whole number in plain digits, within bounds."""

    def __init__(self, minimum: int, maximum: int, default: int | None, description: str, **metadata: Any) -> None:
        self.minimum, self.maximum = minimum, maximum
        metadata |= {"description": description, "minimum": minimum, "maximum": maximum}
        if default is None:
            super().__init__(required=True, metadata=metadata)
        else:
            super().__init__(load_default=default, metadata=metadata)

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> int:
        number = _whole_number(value, self.minimum, self.maximum)
        if number is None:
            raise ValidationError(
                f"{self.name} must be a whole number from {self.minimum} to {self.maximum}, not {quoted(value)}"
            )
        return number


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
        user_id = _whole_number(value, 1, MAX_USER_ID)
        if user_id is None:
            raise ValidationError(f"{self.name} must be from 1 to {MAX_USER_ID}, not {quoted(value)}")
        return user_id


class UserIds(fields.String):
    """User ids, comma separated, in the order in which they are given; doubles are dropped."""

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> Any:
        user_ids = tuple(dict.fromkeys(_whole_number(part, 1, MAX_USER_ID) for part in value.split(",")))
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


class Day(fields.Date):
    """A calendar day, `YYYY-MM-DD`."""

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> date:
        try:
            if not re.fullmatch("[0-9]{4}-[0-9]{2}-[0-9]{2}", value, re.ASCII):
                raise ValueError
            day = date.fromisoformat(value)
        except ValueError:
            raise ValidationError(f"{self.name} must be a day such as 2026-01-31, not {quoted(value)}") from None
        if not MIN_BOUND.year <= day.year < MAX_BOUND.year:
            allowed = f"{MIN_BOUND.year} to {MAX_BOUND.year - 1}"
            raise ValidationError(f"{self.name} must be a day of the years {allowed}, not {quoted(value)}")
        return day


class Instant(fields.DateTime):
    """An instant at which something was played: an ISO 8601 date or date-time, in UTC unless it says otherwise."""

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> datetime:
        try:
            return parse_bound(str(self.name), value, timezone("UTC"))
        except WindowError as error:
            raise ValidationError(error.detail) from error


class AnyText(fields.String):
    """An id of a track or an artist, or a genre: any text that PostgreSQL can compare with."""

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> str:
        if "\0" in value:
            raise ValidationError(f"{self.name} must be a text without NUL characters, not {quoted(value)}")
        return str(value)


class ShortText(fields.String):
    """A text of printable characters, up to a length."""

    def __init__(self, longest: int, **options: Any) -> None:
        self.longest = longest
        super().__init__(validate=validate.Length(max=longest), allow_none=False, **options)

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> str:
        if len(value) > self.longest or not value.isprintable():
            raise ValidationError(f"{self.name} must be up to {self.longest} printable characters, not {quoted(value)}")
        return str(value)
