"""Zones, days and instants, against oracles that only read clocks: they scan instants, and never convert local times.

The oracles read the service's own zones, not `ZoneInfo(name)`: the machine's zone files may be of another year.
"""

import copy
import pickle
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from importlib.resources import files
from itertools import pairwise
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.domain.timezones import (
    DAY,
    RESOLUTION,
    WindowError,
    clock_change,
    first_instant,
    format_instant,
    local_date,
    period,
    timezone,
    timezone_names,
    to_instant,
)
from tests.support.depth import scaled

SECOND, MINUTE, HOUR = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1)
ZONES = sorted(timezone_names())

# Changes of the clock that are hard in one way or another, with the instant that the new offset begins at.
CHANGES = {
    "gap in the night": ("Europe/Paris", datetime(2026, 3, 29, 1, tzinfo=UTC)),
    "fold in the night": ("Europe/Paris", datetime(2026, 10, 25, 1, tzinfo=UTC)),
    "no midnight": ("America/Havana", datetime(2026, 3, 8, 5, tzinfo=UTC)),
    "midnight twice": ("America/Havana", datetime(2025, 11, 2, 5, tzinfo=UTC)),
    "no midnight, Beirut": ("Asia/Beirut", datetime(2021, 3, 27, 22, tzinfo=UTC)),
    "midnight put back to 23:00": ("America/Asuncion", datetime(2024, 3, 24, 3, tzinfo=UTC)),
    "midnight put back to 23:00, by rule": ("America/Nuuk", datetime(2090, 10, 29, 1, tzinfo=UTC)),
    "23:00 to midnight": ("America/Nuuk", datetime(2026, 3, 29, 1, tzinfo=UTC)),
    "00:01 put back to 23:01": ("America/St_Johns", datetime(2010, 11, 7, 2, 31, tzinfo=UTC)),
    "00:01 put back to 22:01": ("America/St_Johns", datetime(1988, 10, 30, 1, 31, tzinfo=UTC)),
    "02:00 put back to 23:00": ("Antarctica/Casey", datetime(2010, 3, 4, 15, tzinfo=UTC)),
    "back by seven hours": ("Antarctica/Vostok", datetime(1994, 1, 31, 17, tzinfo=UTC)),
    "half an hour on": ("Australia/Lord_Howe", datetime(2026, 10, 3, 15, 30, tzinfo=UTC)),
    "half an hour back": ("Australia/Lord_Howe", datetime(2026, 4, 4, 15, tzinfo=UTC)),
    "a quarter of an hour on": ("Asia/Kathmandu", datetime(1985, 12, 31, 18, 30, tzinfo=UTC)),
    "23:30 to midnight": ("Asia/Pyongyang", datetime(2018, 5, 4, 15, tzinfo=UTC)),
    "midnight put back to 23:30": ("Asia/Pyongyang", datetime(2015, 8, 14, 15, tzinfo=UTC)),
    "a day left out": ("Pacific/Apia", datetime(2011, 12, 30, 10, tzinfo=UTC)),
    "a day left out in 1993": ("Pacific/Kwajalein", datetime(1993, 8, 21, 12, tzinfo=UTC)),
    "an offset with seconds": ("Africa/Monrovia", datetime(1972, 1, 7, 0, 44, 30, tzinfo=UTC)),
    "a gap around midnight": ("America/Toronto", datetime(1919, 3, 31, 4, 30, tzinfo=UTC)),
}

zones = st.sampled_from(ZONES).map(timezone)
any_instants = st.datetimes(datetime(1970, 1, 1), datetime(2101, 1, 1), timezones=st.just(UTC))


@st.composite
def moments(draw: st.DrawFn) -> tuple[ZoneInfo, datetime]:
    """A zone and an instant: any, or within two days of a hard change, often to the second."""
    if draw(st.booleans()):
        return draw(zones), draw(any_instants)
    name, change = draw(st.sampled_from(list(CHANGES.values())))
    minutes, rest = draw(st.integers(-2880, 2880)), draw(st.sampled_from([timedelta(0), SECOND, RESOLUTION]))
    return timezone(name), change + minutes * MINUTE - rest


def shown(instant: datetime, tz: ZoneInfo) -> datetime:
    """What the clock shows, naive. Only zoneinfo's way from an instant to local time is taken, as everywhere here."""
    return instant.astimezone(tz).replace(tzinfo=None, fold=0)


def first_that(condition: Callable[[datetime], bool], start: datetime, end: datetime) -> datetime:
    """The first second in [start, end) where the condition holds, found minute by minute, then second by second."""
    while not condition(start):
        start += MINUTE
        assert start < end
    start -= MINUTE
    while not condition(start):
        start += SECOND
    return start


def scanned_first_instant(day: date, tz: ZoneInfo) -> datetime:
    utc_midnight = datetime.combine(day, datetime.min.time(), UTC)
    return first_that(
        lambda instant: shown(instant, tz).date() >= day, utc_midnight - 30 * HOUR, utc_midnight + 60 * HOUR
    )


def scanned_instants(change: datetime, tz: ZoneInfo) -> Callable[[datetime], datetime]:
    """What naive local times of whole minutes, within two days of a change, mean; offsets must be of whole minutes."""
    start = change - 96 * HOUR
    clock = [(start + n * MINUTE, shown(start + n * MINUTE, tz)) for n in range(2 * 96 * 60)]
    earliest = {reading: instant for instant, reading in reversed(clock)}

    def instant_of(local: datetime) -> datetime:
        if local in earliest:
            return earliest[local]
        gap = next(after - before - MINUTE for (_, before), (_, after) in pairwise(clock) if before < local < after)
        return earliest[local + gap]

    return instant_of


# Names


def test_every_name_of_iana_is_a_zone_of_the_pinned_package() -> None:
    root = Path(str(files("tzdata") / "zoneinfo"))
    zone_files = {str(path.relative_to(root)) for path in root.rglob("*") if path.is_file() and _is_zone(path)}
    assert timezone_names() == zone_files
    assert [str(timezone(name)) for name in ZONES] == ZONES


def _is_zone(path: Path) -> bool:
    return path.read_bytes().startswith(b"TZif")


def test_zones_are_those_of_the_pinned_package_not_of_the_machine() -> None:
    # The release 2026 of tzdata keeps Vancouver on summer time; many machines have an older one.
    instant = datetime(2026, 12, 1, tzinfo=UTC)
    with files("tzdata").joinpath("zoneinfo", "America", "Vancouver").open("rb") as file:
        pinned = ZoneInfo.from_file(file)
    assert instant.astimezone(timezone("America/Vancouver")).utcoffset() == instant.astimezone(pinned).utcoffset()


@pytest.mark.parametrize(
    ("legacy", "today"),
    [
        ("US/Eastern", "America/New_York"),
        ("Asia/Calcutta", "Asia/Kolkata"),
        ("Asia/Katmandu", "Asia/Kathmandu"),
        ("EST5EDT", "America/New_York"),
        ("GMT+0", "UTC"),
        ("Etc/GMT-0", "UTC"),
        ("Zulu", "UTC"),
        ("Cuba", "America/Havana"),
        ("GB-Eire", "Europe/London"),
    ],
)
def test_legacy_names_are_zones(legacy: str, today: str) -> None:
    for month in (1, 7):
        instant = datetime(2026, month, 1, tzinfo=UTC)
        assert shown(instant, timezone(legacy)) == shown(instant, timezone(today))


def test_signs_of_etc_names_are_those_of_posix() -> None:
    assert shown(datetime(2026, 1, 1, tzinfo=UTC), timezone("Etc/GMT+5")).hour == 19


@pytest.mark.parametrize(
    "name",
    [
        "",
        " ",
        "America",
        "America/",
        "/America/New_York",
        "America//New_York",
        "America/../UTC",
        "../x",
        "../../etc/passwd",
        "/etc/passwd",
        "localtime",
        "posixrules",
        "posix/UTC",
        "right/UTC",
        "tzdata.zi",
        "zone.tab",
        "__init__.py",
        "utc",
        "europe/paris",
        "UTC ",
        " UTC",
        "UTC\n",
        "UTC\0",
        "\0",
        "\udc80",
        "+02:00",
        "UTC+2",
        "EST5EDT,M3.2.0,M11.1.0",
        "Europe/Pari\u017f",
        "Mars/Olympus",
        pytest.param("x" * 6000, id="long"),
        pytest.param("a/" * 3000, id="deep"),
    ],
)
def test_other_names_are_refused(name: str) -> None:
    with pytest.raises(WindowError, match="tz must be an IANA time zone name such as Europe/Paris") as caught:
        timezone(name)
    assert caught.value.parameter == "tz"
    assert str(caught.value) == caught.value.detail
    assert name[:5].strip("\0\n\udc80") in caught.value.detail
    assert len(caught.value.detail) < 140
    assert caught.value.detail.isprintable()


@given(st.text(max_size=20))
def test_no_text_gives_another_error(name: str) -> None:
    try:
        assert timezone(name).key == name
    except WindowError:
        assert name not in timezone_names()


def test_a_zone_is_one_object_also_when_copied_or_pickled() -> None:
    zone = timezone("Europe/Paris")
    assert timezone("Europe/Paris") is zone
    assert copy.deepcopy(zone) is zone
    assert pickle.loads(pickle.dumps(zone)) is zone


def test_errors_can_be_pickled() -> None:
    error = pickle.loads(pickle.dumps(WindowError("tz", "what")))
    assert (error.parameter, error.detail) == ("tz", "what")


# Days


@pytest.mark.parametrize(
    ("zone", "day", "expected"),
    [
        ("UTC", "2026-01-01", "2026-01-01T00:00:00Z"),
        ("Europe/Paris", "2026-11-01", "2026-10-31T23:00:00Z"),
        ("Asia/Kolkata", "2026-01-01", "2025-12-31T18:30:00Z"),
        ("Asia/Kathmandu", "2026-01-01", "2025-12-31T18:15:00Z"),
        ("Asia/Kathmandu", "1985-06-01", "1985-05-31T18:30:00Z"),
        ("Asia/Kathmandu", "1986-01-01", "1985-12-31T18:30:00Z"),  # 00:00 is missing, 00:15 is the first
        ("America/Havana", "2026-03-08", "2026-03-08T05:00:00Z"),  # 00:00 is missing, 01:00 is the first
        ("America/Havana", "2025-11-02", "2025-11-02T04:00:00Z"),  # 00:00 comes twice, at 04:00Z and 05:00Z
        ("Asia/Beirut", "2021-03-28", "2021-03-27T22:00:00Z"),
        ("Africa/Cairo", "2024-04-26", "2024-04-25T22:00:00Z"),
        ("America/Asuncion", "2024-03-24", "2024-03-24T04:00:00Z"),  # 24:00 is 23:00 again
        ("America/Sao_Paulo", "2019-02-17", "2019-02-17T03:00:00Z"),
        ("America/Sao_Paulo", "2018-11-04", "2018-11-04T03:00:00Z"),
        ("America/Nuuk", "2026-10-25", "2026-10-25T02:00:00Z"),
        ("America/St_Johns", "2010-11-07", "2010-11-07T02:30:00Z"),  # 00:00, and again an hour later
        ("Antarctica/Casey", "2010-03-05", "2010-03-04T13:00:00Z"),
        ("Pacific/Apia", "2011-12-30", "2011-12-30T10:00:00Z"),  # left out: begins where the next does
        ("Pacific/Apia", "2011-12-31", "2011-12-30T10:00:00Z"),
        ("Africa/Monrovia", "1972-01-06", "1972-01-06T00:44:30Z"),
        ("Africa/Monrovia", "1972-01-07", "1972-01-07T00:44:30Z"),
        ("Africa/Monrovia", "1972-01-08", "1972-01-08T00:00:00Z"),
        ("America/Toronto", "1919-03-31", "1919-03-31T04:30:00Z"),  # 23:30 to 00:30
        ("US/Eastern", "2024-02-29", "2024-02-29T05:00:00Z"),
    ],
)
def test_a_day_begins_at_its_first_instant(zone: str, day: str, expected: str) -> None:
    tz = timezone(zone)
    assert format_instant(first_instant(date.fromisoformat(day), tz)) == expected
    assert scanned_first_instant(date.fromisoformat(day), tz) == datetime.fromisoformat(expected)


@pytest.mark.parametrize(("zone", "change"), CHANGES.values(), ids=CHANGES)
def test_days_around_a_change_begin_where_a_scan_of_the_clock_says(zone: str, change: datetime) -> None:
    tz = timezone(zone)
    for days in range(-2, 4):
        day = change.date() + days * DAY
        assert first_instant(day, tz) == scanned_first_instant(day, tz)


@settings(max_examples=scaled(150))
@given(zones, st.dates(date(1970, 1, 1), date(2101, 1, 1)))
def test_days_begin_where_a_scan_of_the_clock_says(tz: ZoneInfo, day: date) -> None:
    assert first_instant(day, tz) == scanned_first_instant(day, tz)


@settings(max_examples=scaled(500))
@given(moments())
def test_every_instant_lies_in_its_day(moment: tuple[ZoneInfo, datetime]) -> None:
    tz, instant = moment
    day = local_date(instant, tz)
    assert first_instant(day, tz) <= instant < first_instant(day + DAY, tz)
    assert day >= shown(instant, tz).date()  # only a clock put back over midnight shows an earlier one


@pytest.mark.parametrize(("zone", "change"), CHANGES.values(), ids=CHANGES)
def test_days_around_a_change_never_go_back(zone: str, change: datetime) -> None:
    tz = timezone(zone)
    days = [local_date(change + n * MINUTE, tz) for n in range(-3000, 3000)]
    assert days == sorted(days)


def test_a_day_that_has_begun_goes_on_when_the_clock_is_put_back_over_midnight() -> None:
    tz = timezone("America/St_Johns")
    instant = datetime(2010, 11, 7, 3, tzinfo=UTC)
    assert shown(instant, tz).isoformat() == "2010-11-06T23:30:00"
    assert local_date(instant, tz) == date(2010, 11, 7)


def test_the_day_that_a_zone_left_out_has_no_instant() -> None:
    tz = timezone("Pacific/Apia")
    change = first_instant(date(2011, 12, 30), tz)
    assert local_date(change, tz) == date(2011, 12, 31)
    assert local_date(change - RESOLUTION, tz) == date(2011, 12, 29)


@pytest.mark.parametrize(
    ("zone", "day", "hours"),
    [
        ("Europe/Paris", date(2026, 3, 29), 23),
        ("Europe/Paris", date(2026, 10, 25), 25),
        ("Europe/Paris", date(2026, 6, 1), 24),
        ("America/Havana", date(2026, 3, 8), 23),
        ("America/Havana", date(2025, 11, 2), 25),
        ("America/Nuuk", date(2026, 10, 24), 25),
        ("Australia/Lord_Howe", date(2026, 10, 4), 23.5),
        ("Australia/Lord_Howe", date(2026, 4, 5), 24.5),
        ("Antarctica/Vostok", date(1994, 1, 31), 31),
        ("Pacific/Apia", date(2011, 12, 30), 0),
    ],
)
def test_the_length_of_a_day(zone: str, day: date, hours: float) -> None:
    tz = timezone(zone)
    assert first_instant(day + DAY, tz) - first_instant(day, tz) == hours * HOUR


# Local times


@pytest.mark.parametrize(("zone", "change"), [c for c in CHANGES.values() if c[0] != "Africa/Monrovia"])
def test_a_local_time_is_the_earlier_of_two_and_moves_forward_by_a_gap(zone: str, change: datetime) -> None:
    tz = timezone(zone)
    instant_of = scanned_instants(change, tz)
    for side in (change, change - MINUTE):
        for minutes in (*range(-500, 500), -1500, -1440, 1440, 1500):
            local = shown(side, tz) + minutes * MINUTE
            assert to_instant(local.replace(tzinfo=tz)) == instant_of(local)
            assert to_instant(local.replace(tzinfo=tz, fold=1)) == instant_of(local)


@settings(max_examples=scaled(300))
@given(moments())
def test_local_times_go_there_and_back(moment: tuple[ZoneInfo, datetime]) -> None:
    tz, instant = moment
    local = instant.astimezone(tz)
    assert local.tzinfo is tz
    assert to_instant(local) <= instant
    assert to_instant(local).astimezone(tz) == local


@pytest.mark.parametrize(("zone", "change"), CHANGES.values(), ids=CHANGES)
def test_a_change_is_found_to_the_microsecond(zone: str, change: datetime) -> None:
    tz = timezone(zone)
    assert clock_change(change - HOUR, change + HOUR, tz) == change
    assert clock_change(change - RESOLUTION, change, tz) == change
    assert clock_change(change - 7 * RESOLUTION, change + DAY, tz) == change


# Periods


@pytest.mark.parametrize(
    ("unit", "day", "first", "after"),
    [
        ("day", "2024-02-28", "2024-02-28", "2024-02-29"),
        ("day", "2024-02-29", "2024-02-29", "2024-03-01"),
        ("week", "2026-01-01", "2025-12-29", "2026-01-05"),
        ("week", "2027-01-03", "2026-12-28", "2027-01-04"),
        ("week", "2024-12-30", "2024-12-30", "2025-01-06"),
        ("month", "2024-02-29", "2024-02-01", "2024-03-01"),
        ("month", "2025-12-31", "2025-12-01", "2026-01-01"),
        ("quarter", "2026-03-31", "2026-01-01", "2026-04-01"),
        ("quarter", "2026-04-01", "2026-04-01", "2026-07-01"),
        ("quarter", "2026-12-31", "2026-10-01", "2027-01-01"),
        ("half_year", "2026-06-30", "2026-01-01", "2026-07-01"),
        ("half_year", "2026-07-01", "2026-07-01", "2027-01-01"),
        ("year", "2024-02-29", "2024-01-01", "2025-01-01"),
    ],
)
def test_periods_of_the_calendar(unit: str, day: str, first: str, after: str) -> None:
    assert period(unit, date.fromisoformat(day)) == (date.fromisoformat(first), date.fromisoformat(after))


@given(st.dates(max_value=date(9998, 12, 31)))
def test_a_period_holds_its_day_and_is_the_same_for_all_its_days(day: date) -> None:
    for unit in ("day", "week", "month", "quarter", "half_year", "year"):
        first, after = period(unit, day)
        assert first <= day < after
        assert period(unit, first) == period(unit, after - DAY) == (first, after)
        assert period(unit, after)[0] == after
    assert period("week", day)[0].isocalendar()[1:] == (day.isocalendar().week, 1)


# Instants


@pytest.mark.parametrize(
    ("microsecond", "fraction"), [(0, ""), (830_000, ".83"), (1, ".000001"), (500_000, ".5"), (123_456, ".123456")]
)
def test_an_instant_has_the_fraction_digits_that_it_has(microsecond: int, fraction: str) -> None:
    naive = datetime(2026, 1, 1, 10, 20, 0, microsecond)
    expected = f"2026-01-01T10:20:00{fraction}Z"
    assert format_instant(naive) == expected
    assert format_instant(naive.replace(tzinfo=UTC)) == expected
    assert format_instant(naive.replace(tzinfo=UTC).astimezone(timezone("Asia/Kolkata"))) == expected


@given(st.datetimes(timezones=st.just(UTC)))
def test_an_instant_can_be_read_back(instant: datetime) -> None:
    assert datetime.fromisoformat(format_instant(instant)) == instant
