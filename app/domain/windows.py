"""Windows: the half-open spans of `played_at` that insights are about.

Pure: "now" is an argument, and nothing here knows of requests or databases. Zone arithmetic is in
`app.domain.timezones`, the buckets of a series are in `app.domain.buckets`.
"""

import re
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

from app.domain.timezones import (
    DAY,
    RESOLUTION,
    WindowError,
    first_instant,
    format_instant,
    local_date,
    period,
    quoted,
    to_instant,
)

ALL_TIME = "all_time"
CUSTOM = "custom"

# Listens of other dates, and requests for them, are none.
MIN_BOUND = datetime(1970, 1, 1, tzinfo=UTC)
MAX_BOUND = datetime(2101, 1, 1, tzinfo=UTC)

# Both patterns are for OpenAPI as well, hence the anchors: JSON Schema seeks a pattern anywhere in the text.
RANGE_PATTERN = (
    "^(all_time|today|yesterday|(this|last)_(week|month|quarter|half_year|year)"
    "|([1-9][0-9]{0,2}|[12][0-9]{3}|3[0-5][0-9]{2}|36[0-5][0-9]|3660)d)$"
)
BOUND_PATTERN = (
    r"^[0-9]{4}-[0-9]{2}-[0-9]{2}"
    r"(T([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9](\.[0-9]{1,6})?)?(Z|[+-]([01][0-9]|2[0-3]):[0-5][0-9])?)?$"
)


@dataclass(frozen=True)
class Window:
    """A half-open span `[start, end)` of instants in UTC; None is an open end. `tz` is where its days begin.

    `range` is the name that it was asked for by, or `custom`. `until` is the instant at which that name comes to mean
    another span, the next midnight in `tz`: an answer must not be served from then on. None where no "now" is in it.
    """

    range: str
    start: datetime | None
    end: datetime | None
    tz: ZoneInfo
    until: datetime | None = None

    @classmethod
    def all_time(cls, tz: ZoneInfo) -> "Window":
        """The window of every listen, open at both ends."""
        return cls(ALL_TIME, None, None, tz)

    @classmethod
    def named(cls, range: str, tz: ZoneInfo, now: datetime) -> "Window":
        """The window of a named range at `now` (aware).

        `this_*` is the whole calendar period that `now` lies in, `last_*` the one before, `Nd` the last N calendar days
        with today. Days are counted on the calendar, so that one left out by the zone counts too. Raises `WindowError`
        for another name.
        """
        if not re.fullmatch(RANGE_PATTERN, range):
            raise WindowError(
                "range",
                "range must be all_time, today, yesterday, this_ or last_ with week, month, quarter, half_year or "
                f"year, or Nd with N from 1 to 3660, not {quoted(range)}",
            )
        if range == ALL_TIME:
            return cls.all_time(tz)
        today = local_date(now, tz)
        first, after = _days(range, today)
        until = first_instant(today + DAY, tz)
        window = cls(range, first_instant(first, tz), first_instant(after, tz), tz, until)
        return window.previous() if range.startswith(("last_", "yesterday")) else window

    @classmethod
    def between(cls, start: str | None, end: str | None, tz: ZoneInfo) -> "Window":
        """The window from one bound to another, as `parse_bound` reads them; None is an open end, two are all time.

        Raises `WindowError`, of `from` also where it is not before `to`.
        """
        if start is None and end is None:
            return cls.all_time(tz)
        first = None if start is None else parse_bound("from", start, tz)
        after = None if end is None else parse_bound("to", end, tz)
        if first is not None and after is not None and first >= after:
            raise WindowError(
                "from",
                f"from must be before to, not {quoted(start or '')} ({format_instant(first)}) "
                f"with to {quoted(end or '')} ({format_instant(after)})",
            )
        return cls(CUSTOM, first, after, tz)

    def previous(self) -> "Window":
        """The window of the same kind just before: it ends where this one starts.

        For a named range the calendar period or the N days before, for bounds the span of equal elapsed time. It keeps
        the `range`, as the name of its kind, and `until`. Raises `WindowError` of `compare` where an end is open.
        """
        if self.start is None or self.end is None:
            given = f"range {self.range}" if self.range == ALL_TIME else "a window with an open end"
            raise WindowError("compare", f"compare must go with a window of two ends, not with {given}")
        if self.range == CUSTOM:
            return replace(self, start=self.start - (self.end - self.start), end=self.start)
        first, _ = _days(self.range, local_date(self.start - RESOLUTION, self.tz))
        return replace(self, start=first_instant(first, self.tz), end=self.start)


def _days(range: str, day: date) -> tuple[date, date]:
    """The first day, and the first day after, of the calendar period around `day`, or of the N days up to it."""
    if range.endswith("d") and range[0].isdigit():
        return day - (int(range[:-1]) - 1) * DAY, day + DAY
    return period("day" if range in {"today", "yesterday"} else range.partition("_")[2], day)


def parse_bound(parameter: str, text: str, tz: ZoneInfo) -> datetime:
    """The instant of a window's bound, in UTC: an ISO 8601 date or date-time in the extended format.

    `YYYY-MM-DD` is the day's first instant in `tz`. `YYYY-MM-DDThh:mm`, with `:ss` and up to six decimals or without,
    ends in `Z`, in an offset `±hh:mm`, or is a local time in `tz`: of two the earlier, a missing one moved forward by
    the gap. Other forms of the standard (basic format, week dates, hour 24, a comma) are errors, and so are lower case
    letters and a blank for the `T`. Raises `WindowError` of `parameter`, also for an instant before 1970 or after the
    first one of 2101.
    """
    try:
        if not re.fullmatch(BOUND_PATTERN, text):
            raise ValueError
        parsed = datetime.fromisoformat(text)
    except ValueError:
        # A client that does not encode the + of an offset sends a blank.
        hint = " (in a URL, + is written %2B)" if re.search(r"T.* [0-9]{2}:[0-9]{2}$", text[-30:]) else ""
        raise WindowError(
            parameter,
            f"{parameter} must be an ISO 8601 date such as 2026-01-31, or a date-time such as 2026-01-31T18:30:00, "
            f"2026-01-31T18:30:00.5Z or 2026-01-31T18:30+02:00, not {quoted(text)}{hint}",
        ) from None
    # At the ends of the calendar an offset would lead out of it.
    if MIN_BOUND.year - 1 <= parsed.year <= MAX_BOUND.year:
        if "T" not in text:
            instant = first_instant(parsed.date(), tz)
        else:
            instant = to_instant(parsed if parsed.tzinfo else parsed.replace(tzinfo=tz))
        if MIN_BOUND <= instant <= MAX_BOUND:
            return instant
    allowed = f"{format_instant(MIN_BOUND)} to {format_instant(MAX_BOUND)}"
    raise WindowError(parameter, f"{parameter} must be an instant from {allowed}, not {quoted(text)}")
