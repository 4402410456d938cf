"""The contract's calendar in plain Python: zones, days, periods, windows and buckets. Nothing of it is the service's.

Offsets are multiples of five minutes, and clocks change at whole minutes: true of the zones and years that the tests
ask for. Instants are aware, in UTC.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from importlib.resources import files
from typing import NamedTuple
from zoneinfo import ZoneInfo

MICROSECOND = timedelta(microseconds=1)
MINUTE = timedelta(minutes=1)
FIVE_MINUTES = timedelta(minutes=5)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)

# The days of the longest period of each kind. From a period's first day they lead into the next period.
LONGEST = {"day": 1, "week": 7, "month": 31, "quarter": 92, "half_year": 184, "year": 366}
MOST_BUCKETS = 10_000


@cache
def zone(name: str) -> ZoneInfo:
    """The zone of an IANA name, from the pinned tzdata."""
    with files("tzdata").joinpath("zoneinfo", *name.split("/")).open("rb") as file:
        return ZoneInfo.from_file(file, key=name)


def instant_text(instant: datetime) -> str:
    """An instant as answers have it, with the fraction digits that it needs."""
    seconds, _, fraction = f"{instant.astimezone(UTC):%Y-%m-%dT%H:%M:%S.%f}".partition(".")
    digits = fraction.rstrip("0")
    return f"{seconds}.{digits}Z" if digits else f"{seconds}Z"


def meant(local: datetime, tz: ZoneInfo) -> datetime:
    """The first instant at which the clock shows a naive local time. There has to be one."""
    offsets = {(local + side * DAY).replace(tzinfo=UTC).astimezone(tz).utcoffset() for side in (-1, 1)}
    instants = [(local - offset).replace(tzinfo=UTC) for offset in offsets if offset is not None]
    return min(instant for instant in instants if instant.astimezone(tz).replace(tzinfo=None) == local)


def local_date(instant: datetime, tz: ZoneInfo) -> date:
    """The latest date that the clock has shown by then: it may be put back over midnight."""
    shown = instant.astimezone(tz)
    if (instant - 3 * HOUR).astimezone(tz).utcoffset() == shown.utcoffset():
        return shown.date()
    return max((instant - minutes * MINUTE).astimezone(tz).date() for minutes in range(181))


@cache
def first_instant(day: date, tz: ZoneInfo) -> datetime:
    """The first instant of a local day, or of the next one where the zone left the day out."""
    midnight = datetime.combine(day, time(), tz).astimezone(UTC)
    if local_date(midnight, tz) == day and local_date(midnight - MICROSECOND, tz) < day:
        return midnight
    before, after = midnight - 2 * DAY, midnight + 2 * DAY
    while after - before > MICROSECOND:
        middle = before + (after - before) // 2
        before, after = (before, middle) if local_date(middle, tz) >= day else (middle, after)
    return after


def first_day(unit: str, day: date) -> date:
    """The first day of the calendar period around a day."""
    if unit == "day":
        return day
    if unit == "week":
        return day - day.weekday() * DAY
    months = {"month": 1, "quarter": 3, "half_year": 6, "year": 12}[unit]
    return date(day.year, day.month - (day.month - 1) % months, 1)


def next_first_day(unit: str, day: date) -> date:
    """The first day of the calendar period after the one around a day."""
    return first_day(unit, first_day(unit, day) + LONGEST[unit] * DAY)


@dataclass(frozen=True)
class Window:
    """The half-open span `[start, end)` of a range, or of `custom` bounds; None is an open end.

    `first` is the first local day, where the window is made of days.
    """

    range: str
    start: datetime | None
    end: datetime | None
    tz: ZoneInfo
    first: date | None = None

    @classmethod
    def of_days(cls, range: str, first: date, after: date, tz: ZoneInfo) -> "Window":
        """The window from a local day up to another."""
        return cls(range, first_instant(first, tz), first_instant(after, tz), tz, first)

    @classmethod
    def named(cls, range: str, tz: ZoneInfo, now: datetime) -> "Window":
        """The window of a range at an instant."""
        if range == "all_time":
            return cls(range, None, None, tz)
        today = local_date(now, tz)
        if range.endswith("d"):
            return cls.of_days(range, today - (int(range[:-1]) - 1) * DAY, today + DAY, tz)
        unit = _unit(range)
        first, after = first_day(unit, today), next_first_day(unit, today)
        if range.startswith(("last_", "yesterday")):
            first, after = first_day(unit, first - DAY), first
        return cls.of_days(range, first, after, tz)

    @property
    def is_bounded(self) -> bool:
        """Whether neither end is open."""
        return self.start is not None and self.end is not None

    def previous(self) -> "Window":
        """The window of the same kind just before a bounded one."""
        if self.first is None:
            assert self.start is not None
            assert self.end is not None
            return replace(self, start=self.start - (self.end - self.start), end=self.start)
        if self.range.endswith("d"):
            first = self.first - int(self.range[:-1]) * DAY
        else:
            first = first_day(_unit(self.range), self.first - DAY)
        return Window.of_days(self.range, first, self.first, self.tz)

    def holds(self, instant: datetime) -> bool:
        """Whether an instant lies in the window."""
        return (self.start is None or self.start <= instant) and (self.end is None or instant < self.end)


def _unit(range: str) -> str:
    return "day" if range in {"today", "yesterday"} else range.partition("_")[2]


class Bucket(NamedTuple):
    """A half-open span."""

    start: datetime
    end: datetime


class TooManyBucketsError(ValueError):
    """More buckets than an answer may have."""


def buckets(start: datetime, end: datetime, unit: str, tz: ZoneInfo, most: int = MOST_BUCKETS) -> list[Bucket]:
    """The span cut where calendar periods begin; an hour begins where the clock shows a full one or is changed."""
    cuts = [start]
    for cut in _hours(start, tz) if unit == "hour" else _periods(start, unit, tz):
        if cut >= end:
            break
        if cut > cuts[-1]:  # a day that the zone left out is empty
            cuts.append(cut)
        if len(cuts) > most:
            raise TooManyBucketsError
    return [Bucket(*pair) for pair in zip(cuts, [*cuts[1:], end], strict=True)]


def bucket_around(instant: datetime, unit: str, tz: ZoneInfo) -> Bucket:
    """The whole bucket that an instant lies in."""
    day = local_date(instant, tz)
    around = "day" if unit == "hour" else unit
    start, end = first_instant(first_day(around, day), tz), first_instant(next_first_day(around, day), tz)
    return next(bucket for bucket in buckets(start, end, unit, tz) if bucket.start <= instant < bucket.end)


def default_unit(start: datetime, end: datetime, tz: ZoneInfo) -> str:
    """`day` up to 92 days, `month` up to 5 years, else `year`: by what the clock shows at both ends."""
    first = start.astimezone(tz).replace(tzinfo=None)
    last = (end - MICROSECOND).astimezone(tz).replace(tzinfo=None)
    if last - first < 92 * DAY:
        return "day"
    on_leap_day = (first.month, first.day) == (2, 29)
    years_on = first.replace(year=first.year + 5, month=3, day=1) if on_leap_day else first.replace(year=first.year + 5)
    return "month" if last < years_on else "year"


def _periods(start: datetime, unit: str, tz: ZoneInfo) -> Iterator[datetime]:
    """The first instants of the periods after the one around an instant."""
    day = local_date(start, tz)
    while True:
        day = next_first_day(unit, day)
        yield first_instant(day, tz)


def _hours(start: datetime, tz: ZoneInfo) -> Iterator[datetime]:
    """The instants after `start` at which the clock shows a full hour or is changed."""
    instant = start.replace(minute=start.minute // 5 * 5, second=0, microsecond=0)
    shown_before = (instant - MINUTE).astimezone(tz)
    while True:
        # Minute by minute where the clock is changed within the next five.
        is_changed = (instant + FIVE_MINUTES).astimezone(tz).utcoffset() != shown_before.utcoffset()
        shown = instant.astimezone(tz)
        if instant > start and (shown.minute == 0 or shown.utcoffset() != shown_before.utcoffset()):
            yield instant
        instant, shown_before = instant + (MINUTE if is_changed or instant.minute % 5 else FIVE_MINUTES), shown
