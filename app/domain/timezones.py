"""Time zones, local days and calendar periods: the one source of all zone arithmetic of this service.

Zones are read from the pinned `tzdata` package and from nowhere else. The machine's own zone files may be older, may
lack the legacy names, and differ between the hosts of a fleet; PostgreSQL brings a third set. So SQL never converts
between zones: this module gives boundaries as instants, and SQL only compares with the boundaries that it is given.

An *instant* is an aware `datetime` in UTC. A *local time* is what a clock in a zone shows. Which instant it means,
clients are promised: an ambiguous local time is the earlier of the two, a missing one moves forward by the gap. That is
what `fold=0` means in PEP 495.

A *day* is the span from its first instant to the first instant of the day after. Where a clock is put back over
midnight (00:01 to 23:01, St. John's until 2011), the day that has begun goes on: the minutes that show the old date
again belong to the new day. So days follow each other without overlap, and every sum over days adds up. A day that a
zone left out (30 December 2011 in Apia) begins where the next one does: it is empty.
"""

from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from importlib.resources import files
from zoneinfo import ZoneInfo

RESOLUTION = timedelta.resolution  # one microsecond, PostgreSQL's too: the last instant of a span is its end less this
DAY = timedelta(days=1)

_MONTHS = {"month": 1, "quarter": 3, "half_year": 6, "year": 12}


class WindowError(ValueError):
    """A parameter of a window that cannot be served. `detail` names what was given and what is allowed."""

    def __init__(self, parameter: str, detail: str) -> None:
        super().__init__(parameter, detail)
        self.parameter = parameter
        self.detail = detail

    def __str__(self) -> str:
        return self.detail


def quoted(text: str, length: int = 40) -> str:
    """A given text as an error quotes it: printable, and no longer than `length` characters of it."""
    return repr(text if len(text) <= length else text[:length] + "…")


class _PinnedZone(ZoneInfo):
    """A zone read from the pinned package, which can be copied and pickled: by its name."""

    def __reduce__(self) -> tuple[Callable[[str], ZoneInfo], tuple[str]]:
        return timezone, (self.key,)


@cache
def timezone_names() -> frozenset[str]:
    """The names that IANA lists, legacy ones (`US/Eastern`, `EST5EDT`) included: tzdata's own list, read once."""
    return frozenset(files("tzdata").joinpath("zones").read_text("ascii").split())


def timezone(name: str) -> ZoneInfo:
    """The time zone of an IANA name, exactly as IANA writes it. The same name gives the same object.

    Raises `WindowError` for anything else. The name is looked up in a list: no file is sought under a name that a
    client made up.
    """
    if name not in timezone_names():
        raise WindowError("tz", f"tz must be an IANA time zone name such as Europe/Paris or UTC, not {quoted(name)}")
    return _read(name)


@cache
def _read(name: str) -> ZoneInfo:
    with files("tzdata").joinpath("zoneinfo", *name.split("/")).open("rb") as file:
        return _PinnedZone.from_file(file, key=name)


def to_instant(local: datetime) -> datetime:
    """The instant that a local time means: of two the earlier, a missing one moved forward by the gap.

    `local` is aware, in a zone or at an offset.
    """
    return local.replace(fold=0).astimezone(UTC)


def clock_change(before: datetime, after: datetime, tz: ZoneInfo) -> datetime:
    """The instant in (before, after] at which the clock in `tz` is changed. There has to be exactly one.

    zoneinfo does not tell its transitions, so this halves the span down to a microsecond.
    """
    offset = before.astimezone(tz).utcoffset()
    while after - before > RESOLUTION:
        middle = before + (after - before) // 2
        if middle.astimezone(tz).utcoffset() == offset:
            before = middle
        else:
            after = middle
    return after


def first_instant(day: date, tz: ZoneInfo) -> datetime:
    """The first instant of a local day, in UTC: the first at which the clock shows this date or a later one.

    That is the earlier midnight where there are two (Havana in autumn), and the change of the clock where there is none
    (Havana in spring: the day begins at 01:00). Never decreases from a day to the next.
    """
    midnight = datetime.combine(day, time(), tz)
    first = to_instant(midnight)
    shown = first.astimezone(tz)
    if shown > midnight:
        # Midnight was skipped. A gap may begin before it (23:30 to 00:30, Toronto in 1919): so does the day.
        return clock_change(first - (shown - midnight), first, tz)
    return first


def local_date(instant: datetime, tz: ZoneInfo) -> date:
    """The local day that an instant belongs to: `first_instant(day) <= instant < first_instant(day + 1)`.

    This is the date that the clock shows, but for clocks put back over midnight: see the module's own text.
    """
    day = instant.astimezone(tz).date()
    while first_instant(day + DAY, tz) <= instant:
        day += DAY
    return day


def period(unit: str, day: date) -> tuple[date, date]:
    """The calendar period that a day lies in: its first day, and the first day after it.

    `unit` is `day`, `week` (from Monday, ISO 8601), `month`, `quarter`, `half_year` or `year`. Raises `KeyError` for
    another one.
    """
    if unit == "day":
        return day, day + DAY
    if unit == "week":
        monday = day - day.weekday() * DAY
        return monday, monday + 7 * DAY
    length = _MONTHS[unit]
    month = (day.month - 1) // length * length  # counted from 0
    return date(day.year, month + 1, 1), date(day.year + (month + length) // 12, (month + length) % 12 + 1, 1)


def naive(instant: datetime) -> datetime:
    """An instant as the platform's tables hold it: in UTC, without saying so."""
    return instant.astimezone(UTC).replace(tzinfo=None)


def aware(instant: datetime) -> datetime:
    """An instant of the platform's tables, in UTC and saying so."""
    return instant.replace(tzinfo=UTC)


def format_instant(instant: datetime) -> str:
    """An instant as the API writes it: `2026-01-01T00:00:00Z`, with the fraction digits that it has and no more.

    A naive `datetime` is taken as UTC, as `History.played_at` is.
    """
    if instant.tzinfo is not None:
        instant = instant.astimezone(UTC).replace(tzinfo=None)
    text = instant.isoformat()
    return (text.rstrip("0") if instant.microsecond else text) + "Z"
