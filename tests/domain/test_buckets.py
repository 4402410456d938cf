"""Buckets of a series, against a scan of the clock and as properties over every zone."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.domain.buckets import MAX_BUCKETS, UNITS, Bucket, BucketError, Unit, buckets, default_unit
from app.domain.timezones import DAY, RESOLUTION, first_instant, local_date, timezone
from app.domain.windows import MAX_BOUND, MIN_BOUND, Window
from tests.domain.test_timezones import CHANGES, HOUR, MINUTE, any_instants, moments, shown, zones
from tests.support.depth import scaled

PARIS, UTC_ZONE = timezone("Europe/Paris"), timezone("UTC")
LONGEST = {"hour": HOUR, "day": 32 * HOUR, "week": 7 * DAY + 8 * HOUR, "month": 32 * DAY, "year": 367 * DAY}


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def hours(window: tuple[str, str], zone: str) -> list[tuple[str, float]]:
    """What the clock shows where each bucket of an hour begins, and its length in minutes."""
    tz = timezone(zone)
    made = buckets(at(window[0]), at(window[1]), "hour", tz)
    return [(f"{shown(bucket.start, tz):%H:%M:%S}", (bucket.end - bucket.start) / MINUTE) for bucket in made]


# What a series is


@settings(max_examples=scaled(600))
@given(moments(), st.integers(1, 60 * 24 * 70), st.sampled_from(UNITS))
def test_buckets_are_a_partition(moment: tuple[ZoneInfo, datetime], minutes: int, unit: Unit) -> None:
    tz, start = moment
    end = start + minutes * MINUTE
    made = buckets(start, end, unit, tz)
    assert made[0].start == start
    assert made[-1].end == end
    assert all(left.end == right.start for left, right in pairwise(made))
    assert all(timedelta(0) < bucket.end - bucket.start <= LONGEST[unit] for bucket in made)
    assert all(bucket.start.tzinfo is UTC for bucket in made)


@settings(max_examples=scaled(300))
@given(zones, any_instants, any_instants, st.sampled_from(["month", "year"]))
def test_long_series_are_partitions(tz: ZoneInfo, one: datetime, other: datetime, unit: Unit) -> None:
    start, end = sorted((one, other))
    made = buckets(start, end, unit, tz)
    if start == end:
        assert made == []
        return
    assert (made[0].start, made[-1].end) == (start, end)
    assert all(left.end == right.start for left, right in pairwise(made))
    first, last = local_date(start, tz), local_date(end - RESOLUTION, tz)
    months = (last.year - first.year) * 12 + last.month - first.month
    assert len(made) == 1 + (months if unit == "month" else last.year - first.year)


@settings(max_examples=scaled(300))
@given(moments(), st.integers(1, 60 * 24 * 70), st.sampled_from(UNITS))
def test_buckets_are_aligned_to_the_calendar(moment: tuple[ZoneInfo, datetime], minutes: int, unit: Unit) -> None:
    tz, start = moment
    for bucket in buckets(start, start + minutes * MINUTE, unit, tz)[1:]:
        day = local_date(bucket.start, tz)
        if unit == "hour":
            clock = shown(bucket.start, tz)
            changed = bucket.start - shown(bucket.start - RESOLUTION, tz).replace(tzinfo=UTC)
            on_change = changed - RESOLUTION != bucket.start - clock.replace(tzinfo=UTC)
            assert (clock.minute, clock.second, clock.microsecond) == (0, 0, 0) or on_change
            continue
        assert bucket.start == first_instant(day, tz)
        before = local_date(bucket.start - RESOLUTION, tz)
        if unit == "week":
            assert day.isocalendar()[:2] != before.isocalendar()[:2]
        elif unit != "day":
            assert getattr(day, unit) != getattr(before, unit)


@settings(max_examples=scaled(200))
@given(moments(), st.integers(1, 60 * 24 * 40), st.sampled_from(UNITS), st.integers(0, 100))
def test_a_window_cut_in_two_has_the_same_boundaries(
    moment: tuple[ZoneInfo, datetime], minutes: int, unit: Unit, percent: int
) -> None:
    tz, start = moment
    end = start + minutes * MINUTE
    cut = start + (end - start) * percent / 100
    whole = {bucket.end for bucket in buckets(start, end, unit, tz)}
    parts = {bucket.end for half in ((start, cut), (cut, end)) for bucket in buckets(*half, unit, tz)}
    assert parts - {cut} == whole - {cut}


@settings(max_examples=scaled(200))
@given(moments(), st.integers(1, 60 * 24 * 40))
def test_smaller_units_lie_within_larger_ones(moment: tuple[ZoneInfo, datetime], minutes: int) -> None:
    tz, start = moment
    ends = {unit: {b.end for b in buckets(start, start + minutes * MINUTE, unit, tz)} for unit in UNITS}
    assert ends["year"] <= ends["month"] <= ends["day"] <= ends["hour"]
    assert ends["week"] <= ends["day"]


@settings(max_examples=scaled(200))
@given(moments(), st.integers(1, 40))
def test_there_is_a_bucket_for_each_day(moment: tuple[ZoneInfo, datetime], days: int) -> None:
    tz, start = moment
    made = buckets(start, start + days * DAY, "day", tz)
    instants = [start + n * HOUR for n in range(24 * days)]
    assert [local_date(bucket.start, tz) for bucket in made] == sorted(
        {local_date(instant, tz) for instant in [*instants, start + days * DAY - RESOLUTION]}
    )
    assert all(local_date(bucket.end - RESOLUTION, tz) == local_date(bucket.start, tz) for bucket in made)


@pytest.mark.parametrize("unit", UNITS)
def test_a_window_within_one_bucket_is_that_bucket(unit: Unit) -> None:
    start, end = at("2026-06-10T10:15:00"), at("2026-06-10T10:15:00.000001")
    assert buckets(start, end, unit, PARIS) == [Bucket(start, end)]
    assert buckets(start, start, unit, PARIS) == []
    assert buckets(end, start, unit, PARIS) == []


# Days, weeks, months, years


def test_days_of_23_and_25_hours() -> None:
    march = buckets(at("2026-03-27T23:00"), at("2026-03-30T22:00"), "day", PARIS)
    assert [(b.end - b.start) / HOUR for b in march] == [24, 23, 24]
    october = buckets(at("2026-10-23T22:00"), at("2026-10-26T23:00"), "day", PARIS)
    assert [(b.end - b.start) / HOUR for b in october] == [24, 25, 24]


def test_the_day_that_a_zone_left_out_has_no_bucket() -> None:
    tz = timezone("Pacific/Apia")
    made = buckets(at("2011-12-29T00:00"), at("2012-01-01T00:00"), "day", tz)
    assert [shown(bucket.start, tz).isoformat() for bucket in made] == [
        "2011-12-28T14:00:00",
        "2011-12-29T00:00:00",
        "2011-12-31T00:00:00",
        "2012-01-01T00:00:00",
    ]


def test_weeks_begin_on_monday_also_around_new_year() -> None:
    made = buckets(at("2026-12-27T00:00"), at("2027-01-06T00:00"), "week", UTC_ZONE)
    assert [b.start for b in made] == [at("2026-12-27T00:00"), at("2026-12-28T00:00"), at("2027-01-04T00:00")]


def test_months_and_years_are_clipped_to_the_window() -> None:
    start, end = at("2024-01-31T12:00"), at("2024-03-01T00:00:01")
    assert buckets(start, end, "month", PARIS) == [
        Bucket(start, at("2024-01-31T23:00")),
        Bucket(at("2024-01-31T23:00"), at("2024-02-29T23:00")),
        Bucket(at("2024-02-29T23:00"), end),
    ]
    assert buckets(start, end, "year", PARIS) == [Bucket(start, end)]
    new_year = at("2024-12-31T23:00")
    assert buckets(start, new_year, "year", PARIS) == [Bucket(start, new_year)]


# Hours


@pytest.mark.parametrize(("zone", "change"), [c for c in CHANGES.values() if c[0] != "Africa/Monrovia"])
def test_hours_around_a_change_against_a_scan_of_the_clock(zone: str, change: datetime) -> None:
    tz = timezone(zone)
    start, end = change - 30 * HOUR - 7 * MINUTE, change + 30 * HOUR + 7 * MINUTE
    expected, offset = [start], None
    instant = start
    while instant < end:
        clock = shown(instant, tz)
        if instant > start and (clock.minute == 0 or clock - instant.replace(tzinfo=None) != offset):
            expected.append(instant)
        offset = clock - instant.replace(tzinfo=None)
        instant += MINUTE
    assert [bucket.start for bucket in buckets(start, end, "hour", tz)] == expected


def test_an_hour_that_comes_twice_is_two_buckets() -> None:
    assert hours(("2026-10-24T23:30", "2026-10-25T02:30"), "Europe/Paris") == [
        ("01:30:00", 30),
        ("02:00:00", 60),
        ("02:00:00", 60),
        ("03:00:00", 30),
    ]


def test_an_hour_that_is_missing_has_no_bucket() -> None:
    assert hours(("2026-03-29T00:00", "2026-03-29T02:00"), "Europe/Paris") == [("01:00:00", 60), ("03:00:00", 60)]


def test_half_an_hour_on_and_back() -> None:
    spring = hours(("2026-10-03T14:30", "2026-10-03T17:00"), "Australia/Lord_Howe")
    assert spring == [("01:00:00", 60), ("02:30:00", 30), ("03:00:00", 60)]
    autumn = hours(("2026-04-04T14:00", "2026-04-04T16:30"), "Australia/Lord_Howe")
    assert autumn == [("01:00:00", 60), ("01:30:00", 30), ("02:00:00", 60)]


def test_hours_of_zones_with_a_half_and_a_quarter() -> None:
    assert hours(("2026-01-01T00:00", "2026-01-01T01:00"), "Asia/Kolkata") == [("05:30:00", 30), ("06:00:00", 30)]
    assert hours(("2026-01-01T00:00", "2026-01-01T01:00"), "Asia/Kathmandu") == [("05:45:00", 15), ("06:00:00", 45)]


def test_hours_of_an_offset_with_seconds() -> None:
    assert hours(("1972-01-06T23:00", "1972-01-07T02:00"), "Africa/Monrovia") == [
        ("22:15:30", 44.5),
        ("23:00:00", 60),
        ("00:44:30", 15.5),
        ("01:00:00", 60),
    ]


# How many


@pytest.mark.parametrize("unit", ["hour", "day"])
def test_ten_thousand_buckets_are_allowed_and_no_more(unit: Unit) -> None:
    start = at("1990-01-01T00:00")
    end = start + MAX_BUCKETS * {"hour": HOUR, "day": DAY}[unit]
    assert len(buckets(start, end, unit, UTC_ZONE)) == MAX_BUCKETS
    with pytest.raises(
        BucketError, match=f"at most 10,000 buckets over the window, not more, as {unit} does"
    ) as caught:
        buckets(start, end + RESOLUTION, unit, UTC_ZONE)
    assert caught.value.parameter == "bucket"


def test_a_window_of_centuries_is_refused_at_once() -> None:
    for unit in ("hour", "day"):
        with pytest.raises(BucketError):
            buckets(MIN_BOUND, MAX_BOUND, unit, PARIS)
    assert len(buckets(MIN_BOUND, MAX_BOUND, "year", PARIS)) == 132


@pytest.mark.parametrize("zone", ["UTC", "Asia/Tokyo", "Pacific/Kiritimati", "America/New_York", "Etc/GMT+12"])
@pytest.mark.parametrize("unit", UNITS)
def test_the_first_and_the_last_days_of_all_are_no_errors(zone: str, unit: Unit) -> None:
    for start, end in ((MIN_BOUND, MIN_BOUND + 3 * DAY), (MAX_BOUND - 3 * DAY, MAX_BOUND)):
        made = buckets(start, end, unit, timezone(zone))
        assert (made[0].start, made[-1].end) == (start, end)
        assert len(made) <= 73
        assert default_unit(start, end, timezone(zone)) == "day"


# The unit where none is asked for


@pytest.mark.parametrize(
    ("start", "end", "unit"),
    [
        ("2026-01-01", "2026-01-01T00:00:00.000001", "day"),
        ("2026-01-01", "2026-04-03", "day"),  # 92 days, one of them of 23 hours
        ("2026-01-01", "2026-04-03T00:00:00.000001", "month"),
        ("2026-10-01", "2027-01-01", "day"),  # 92 days and an hour
        ("2026-10-01T12:00", "2027-01-01T12:00", "day"),
        ("2026-10-01T12:00", "2027-01-01T12:00:00.000001", "month"),
        ("2021-01-01", "2026-01-01", "month"),
        ("2021-01-01", "2026-01-01T00:00:00.000001", "year"),
        ("2020-03-29T12:00", "2025-03-29T12:00", "month"),
        ("2020-03-29T12:00", "2025-03-29T12:00:01", "year"),
        ("2024-02-29", "2029-03-01", "month"),
        ("2024-02-29", "2029-03-01T00:00:00.000001", "year"),
        ("2023-03-01", "2028-03-01", "month"),
        ("2023-03-01", "2028-03-02", "year"),
        ("1970-01-02", "2100-12-31", "year"),
    ],
)
def test_the_default_unit(start: str, end: str, unit: Unit) -> None:
    window = Window.between(start, end, PARIS)
    assert default_unit(window.start, window.end, PARIS) == unit


@settings(max_examples=scaled(300))
@given(moments())
def test_the_default_unit_of_named_ranges(moment: tuple[ZoneInfo, datetime]) -> None:
    tz, now = moment
    if tz.key.startswith(("Pacific/", "Kwajalein")):  # where a day was left out, 93 dates are 92 days
        return
    for name in ("today", "this_week", "last_month", "this_quarter", "92d", "93d", "this_year", "3660d"):
        window = Window.named(name, tz, now)
        expected = {"93d": "month", "this_year": "month", "3660d": "year"}.get(name, "day")
        assert default_unit(window.start, window.end, tz) == expected


@settings(max_examples=scaled(200))
@given(zones, any_instants, any_instants)
def test_the_default_unit_never_gives_too_many_buckets(tz: ZoneInfo, one: datetime, other: datetime) -> None:
    start, end = sorted((one, other))
    if start < end:
        unit = default_unit(start, end, tz)
        assert len(buckets(start, end, unit, tz)) <= {"day": 93, "month": 61, "year": 132}[unit]
