"""The buckets of a series: a window cut at the hours, days, weeks, months or years of a time zone."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Literal, NamedTuple
from zoneinfo import ZoneInfo

from app.domain.timezones import RESOLUTION, WindowError, clock_change, first_instant, local_date, period

Unit = Literal["hour", "day", "week", "month", "quarter", "year"]
UNITS: tuple[Unit, ...] = ("hour", "day", "week", "month", "year")
CHART_UNITS: tuple[Unit, ...] = ("week", "month", "quarter", "year")
MAX_BUCKETS = 10_000
MAX_CHARTS = 120

_HOUR = timedelta(hours=1)


class Bucket(NamedTuple):
    """A half-open span `[start, end)` of instants in UTC."""

    start: datetime
    end: datetime


class BucketError(WindowError):
    """A series of too many buckets; its parameter is `bucket`."""


def buckets(start: datetime, end: datetime, unit: Unit, tz: ZoneInfo, most: int = MAX_BUCKETS) -> list[Bucket]:
    """The window `[start, end)` in buckets of one unit, ascending. Empty where `start` is not before `end`.

    Buckets are aligned to the calendar in `tz`, weeks to Monday; the first and the last are clipped to the window. They
    are a partition: each begins where the one before ends, none is empty, and a day that the zone left out has none.

    A bucket of an hour is bounded by the instants at which the local clock shows a full hour, and by those at which it
    is changed. It is thus one hour of one day at one offset from UTC and never longer than an hour: an hour that comes
    twice is two buckets, and the half hour that Lord Howe repeats is one of 30 minutes. Hours never cross a day.

    Raises `BucketError` where there are more than `most`, before it makes the rest.
    """
    found: list[Bucket] = []
    left = start
    for boundary in _hours(start, tz) if unit == "hour" else _periods(start, unit, tz):
        if boundary >= end:
            break
        if boundary == left:
            continue
        found.append(Bucket(left, boundary))
        left = boundary
        if len(found) == most:
            raise BucketError(
                "bucket",
                f"bucket must give at most {most:,} buckets over the window, not more, as {unit} does: "
                "take a longer bucket or a shorter window",
            )
    if left < end:
        found.append(Bucket(left, end))
    return found


def default_unit(start: datetime, end: datetime, tz: ZoneInfo) -> Unit:
    """The unit for a window when none is asked for: `day` up to 92 days, `month` up to 5 years, else `year`.

    Measured on the local clock, from what it shows at `start` to what it shows at the window's last microsecond: 92
    days of 23, 24 or 25 hours are 92 days, and 5 years from 1 March end with February. Five years from midnight of 29
    February do, too.
    """
    first, last = start.astimezone(tz), (end - RESOLUTION).astimezone(tz)
    if last - first < timedelta(days=92):
        return "day"
    if (last.year - 5, last.month, last.day, last.time()) < (first.year, first.month, first.day, first.time()):
        return "month"
    return "year"


def default_chart_unit(start: datetime, end: datetime, tz: ZoneInfo) -> Unit:
    """The unit of charts when none is asked for: `month` where that gives at most `MAX_CHARTS`, else `year`."""
    try:
        buckets(start, end, "month", tz, MAX_CHARTS)
    except BucketError:
        return "year"
    return "month"


def _hours(start: datetime, tz: ZoneInfo) -> Iterator[datetime]:
    """The instants after `start` at which the clock shows a full hour or is changed."""
    instant, shown = start, start.astimezone(tz)
    while True:
        ahead = instant + _HOUR - timedelta(0, shown.second, shown.microsecond, 0, shown.minute)
        shown_ahead = ahead.astimezone(tz)
        if shown_ahead - shown != ahead - instant:
            ahead = clock_change(instant, ahead, tz)
            shown_ahead = ahead.astimezone(tz)
        yield ahead
        instant, shown = ahead, shown_ahead


def _periods(start: datetime, unit: Unit, tz: ZoneInfo) -> Iterator[datetime]:
    """The first instants of the calendar periods after the one that `start` lies in."""
    day = local_date(start, tz)
    while True:
        _, day = period(unit, day)
        yield first_instant(day, tz)


def bucket_around(instant: datetime, unit: Unit, tz: ZoneInfo) -> Bucket:
    """The whole bucket of a unit that an instant lies in."""
    day = local_date(instant, tz)
    first, after = (first_instant(edge, tz) for edge in period("day" if unit == "hour" else unit, day))
    if unit != "hour":
        return Bucket(first, after)
    return next(hour for hour in buckets(first, after, unit, tz) if hour.start <= instant < hour.end)
