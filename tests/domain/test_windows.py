"""Named ranges and bounds. Spans are worked out by hand, or by looking at every day of a calendar."""

import re
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.domain.timezones import DAY, RESOLUTION, WindowError, first_instant, format_instant, local_date, timezone
from app.domain.windows import BOUND_PATTERN, MAX_BOUND, MIN_BOUND, RANGE_PATTERN, Window, parse_bound
from tests.domain.test_timezones import moments, zones
from tests.support.depth import scaled

PERIODS = ["week", "month", "quarter", "half_year", "year"]
NAMES = ["today", "yesterday", *(f"{which}_{unit}" for which in ("this", "last") for unit in PERIODS)]
PARIS, UTC_ZONE = timezone("Europe/Paris"), timezone("UTC")
NOW = datetime(2026, 11, 15, 12, tzinfo=UTC)

relative_ranges = st.sampled_from(NAMES) | st.integers(1, 3660).map("{}d".format)


def span(window: Window) -> tuple[str | None, str | None]:
    start, end = (None if end is None else format_instant(end) for end in (window.start, window.end))
    return start, end


def label(unit: str, day: date) -> tuple[int, ...]:
    """What tells one calendar period from another, by other means than the code's."""
    return {
        "week": day.isocalendar()[:2],
        "month": (day.year, day.month),
        "quarter": (day.year, -(-day.month // 3)),
        "half_year": (day.year, day.month > 6),
        "year": (day.year,),
    }[unit]


# Named ranges


@pytest.mark.parametrize(
    ("name", "start", "end"),
    [
        ("all_time", None, None),
        ("today", "2026-11-14T23:00:00Z", "2026-11-15T23:00:00Z"),
        ("yesterday", "2026-11-13T23:00:00Z", "2026-11-14T23:00:00Z"),
        ("this_week", "2026-11-08T23:00:00Z", "2026-11-15T23:00:00Z"),
        ("last_week", "2026-11-01T23:00:00Z", "2026-11-08T23:00:00Z"),
        ("this_month", "2026-10-31T23:00:00Z", "2026-11-30T23:00:00Z"),
        ("last_month", "2026-09-30T22:00:00Z", "2026-10-31T23:00:00Z"),
        ("this_quarter", "2026-09-30T22:00:00Z", "2026-12-31T23:00:00Z"),
        ("last_quarter", "2026-06-30T22:00:00Z", "2026-09-30T22:00:00Z"),
        ("this_half_year", "2026-06-30T22:00:00Z", "2026-12-31T23:00:00Z"),
        ("last_half_year", "2025-12-31T23:00:00Z", "2026-06-30T22:00:00Z"),
        ("this_year", "2025-12-31T23:00:00Z", "2026-12-31T23:00:00Z"),
        ("last_year", "2024-12-31T23:00:00Z", "2025-12-31T23:00:00Z"),
        ("1d", "2026-11-14T23:00:00Z", "2026-11-15T23:00:00Z"),
        ("30d", "2026-10-16T22:00:00Z", "2026-11-15T23:00:00Z"),
        ("3660d", "2016-11-07T23:00:00Z", "2026-11-15T23:00:00Z"),
    ],
)
def test_a_named_range(name: str, start: str | None, end: str | None) -> None:
    window = Window.named(name, PARIS, NOW)
    assert span(window) == (start, end)
    assert window.range == name
    assert window.tz is PARIS
    assert window.until == (None if name == "all_time" else datetime(2026, 11, 15, 23, tzinfo=UTC))


@pytest.mark.parametrize(
    ("name", "now", "start", "end"),
    [
        ("this_week", "2027-01-01", "2026-12-28", "2027-01-04"),
        ("this_week", "2024-12-30", "2024-12-30", "2025-01-06"),
        ("last_week", "2026-01-04", "2025-12-22", "2025-12-29"),
        ("last_month", "2024-03-31", "2024-02-01", "2024-03-01"),
        ("last_month", "2026-01-31", "2025-12-01", "2026-01-01"),
        ("last_quarter", "2026-03-31", "2025-10-01", "2026-01-01"),
        ("this_quarter", "2026-04-01", "2026-04-01", "2026-07-01"),
        ("last_half_year", "2026-06-30", "2025-07-01", "2026-01-01"),
        ("this_half_year", "2026-07-01", "2026-07-01", "2027-01-01"),
        ("yesterday", "2024-03-01", "2024-02-29", "2024-03-01"),
        ("365d", "2024-12-31", "2024-01-02", "2025-01-01"),
        ("last_year", "2024-02-29", "2023-01-01", "2024-01-01"),
    ],
)
def test_a_named_range_at_the_edges_of_the_calendar(name: str, now: str, start: str, end: str) -> None:
    window = Window.named(name, UTC_ZONE, datetime.fromisoformat(now).replace(tzinfo=UTC))
    assert span(window) == (f"{start}T00:00:00Z", f"{end}T00:00:00Z")


@settings(max_examples=scaled(300))
@given(moments(), relative_ranges)
def test_a_named_range_against_the_days_of_the_calendar(moment: tuple[ZoneInfo, datetime], name: str) -> None:
    tz, now = moment
    window = Window.named(name, tz, now)
    today = local_date(now, tz)
    around = [today + n * DAY for n in range(-750, 400)]
    which, _, unit = name.partition("_")
    if unit:
        periods = list(dict.fromkeys(label(unit, day) for day in around))
        wanted = periods[periods.index(label(unit, today)) - (which == "last")]
        days = [day for day in around if label(unit, day) == wanted]
    elif name == "yesterday":
        days = [max(day for day in around if first_instant(day, tz) < first_instant(today, tz))]
    else:
        count = 1 if name == "today" else int(name[:-1])
        days = [today - (count - 1) * DAY, today]
    assert window.start == first_instant(days[0], tz)
    assert window.end == first_instant(days[-1] + DAY, tz)


@settings(max_examples=scaled(500))
@given(moments(), relative_ranges)
def test_a_named_range_holds_now_or_ends_before_it(moment: tuple[ZoneInfo, datetime], name: str) -> None:
    tz, now = moment
    window = Window.named(name, tz, now)
    assert window.start < window.end
    if name.startswith(("last_", "yesterday")):
        this = "today" if name == "yesterday" else name.replace("last", "this")
        assert window.end == Window.named(this, tz, now).start <= now
    else:
        assert window.start <= now < window.end
        if not name.startswith("this_"):
            assert window.end == window.until


@settings(max_examples=scaled(300))
@given(moments(), relative_ranges)
def test_a_named_range_means_the_same_until_midnight(moment: tuple[ZoneInfo, datetime], name: str) -> None:
    tz, now = moment
    window = Window.named(name, tz, now)
    assert now < window.until == first_instant(local_date(now, tz) + DAY, tz)
    assert Window.named(name, tz, window.until - RESOLUTION) == window
    later = Window.named(name, tz, window.until)
    assert later.until > window.until
    if name == "yesterday" or name[0].isdigit():
        assert later != window


@pytest.mark.parametrize(
    "name",
    [
        "",
        "0d",
        "00d",
        "01d",
        "3661d",
        "9999d",
        "10000d",
        "-1d",
        "+1d",
        "1.5d",
        "1 d",
        "1d ",
        " 1d",
        "1d\n",
        "1D",
        "d",
        "1",
        "1w",
        "\u0661d",
        "1_0d",
        pytest.param("9" * 6000 + "d", id="many digits"),
        "All_Time",
        "all_time\0",
        "custom",
        "this",
        "this_",
        "this_day",
        "this_decade",
        "next_week",
        "last_month ",
        "week",
        pytest.param("x" * 6000, id="long"),
        "\0",
    ],
)
def test_another_range_is_refused(name: str) -> None:
    with pytest.raises(WindowError) as caught:
        Window.named(name, PARIS, NOW)
    assert caught.value.parameter == "range"
    assert "last_" in caught.value.detail
    assert "1 to 3660" in caught.value.detail
    assert repr(name[:40])[1:-1] in caught.value.detail
    assert len(caught.value.detail) < 240
    assert caught.value.detail.isprintable()


def test_the_pattern_of_ranges_takes_each_number_of_days_once() -> None:
    taken = [n for n in range(12_000) if re.search(RANGE_PATTERN, f"{n}d")]
    assert taken == list(range(1, 3661))


# The window before


@pytest.mark.parametrize(
    ("name", "start", "end"),
    [
        ("today", "2026-11-13T23:00:00Z", "2026-11-14T23:00:00Z"),
        ("yesterday", "2026-11-12T23:00:00Z", "2026-11-13T23:00:00Z"),
        ("this_month", "2026-09-30T22:00:00Z", "2026-10-31T23:00:00Z"),
        ("last_month", "2026-08-31T22:00:00Z", "2026-09-30T22:00:00Z"),
        ("last_quarter", "2026-03-31T22:00:00Z", "2026-06-30T22:00:00Z"),
        ("this_half_year", "2025-12-31T23:00:00Z", "2026-06-30T22:00:00Z"),
        ("last_year", "2023-12-31T23:00:00Z", "2024-12-31T23:00:00Z"),
        ("30d", "2026-09-16T22:00:00Z", "2026-10-16T22:00:00Z"),
    ],
)
def test_the_window_before_a_named_range(name: str, start: str, end: str) -> None:
    window = Window.named(name, PARIS, NOW)
    assert span(window.previous()) == (start, end)
    assert window.previous().range == name
    assert window.previous().until == window.until


@settings(max_examples=scaled(300))
@given(moments(), relative_ranges)
def test_windows_before_each_other_are_adjacent(moment: tuple[ZoneInfo, datetime], name: str) -> None:
    tz, now = moment
    window = Window.named(name, tz, now)
    for _ in range(3):
        before = window.previous()
        assert before.start < before.end == window.start
        window = before


@settings(max_examples=scaled(200))
@given(moments(), st.sampled_from(["today", *(f"this_{unit}" for unit in PERIODS)]))
def test_the_window_before_this_is_the_last_and_the_one_that_was_this_then(
    moment: tuple[ZoneInfo, datetime], name: str
) -> None:
    tz, now = moment
    before = Window.named(name, tz, now).previous()
    last = "yesterday" if name == "today" else name.replace("this", "last")
    assert span(before) == span(Window.named(last, tz, now))
    assert span(before) == span(Window.named(name, tz, before.end - RESOLUTION))


@settings(max_examples=scaled(200))
@given(zones, st.datetimes(datetime(1990, 1, 1), datetime(2090, 1, 1)), st.integers(1, 3660))
def test_the_days_before_are_as_many(tz: ZoneInfo, now: datetime, count: int) -> None:
    window = Window.named(f"{count}d", tz, now.replace(tzinfo=UTC))
    before = window.previous()
    left_out = 1 if tz.key.startswith(("Pacific/", "Kwajalein")) else 0
    assert 0 <= (local_date(window.start, tz) - local_date(before.start, tz)).days - count <= left_out


def test_the_window_before_bounds_is_of_equal_elapsed_time() -> None:
    window = Window.between("2026-03-29", "2026-03-30", PARIS)  # 23 hours
    assert span(window.previous()) == ("2026-03-28T00:00:00Z", "2026-03-28T23:00:00Z")
    assert window.previous().range == "custom"
    assert window.previous().until is None


def test_the_window_before_the_widest_bounds_is_no_overflow() -> None:
    window = Window.between("1970-01-01", "2101-01-01", UTC_ZONE)
    assert window.previous().start == MIN_BOUND - (MAX_BOUND - MIN_BOUND)


@pytest.mark.parametrize(
    "window",
    [
        Window.all_time(PARIS),
        Window.between("2026-01-01", None, PARIS),
        Window.between(None, "2026-01-01", PARIS),
    ],
)
def test_nothing_is_before_an_open_end(window: Window) -> None:
    with pytest.raises(WindowError, match="compare must") as caught:
        window.previous()
    assert caught.value.parameter == "compare"


# Bounds


def test_a_window_between_bounds() -> None:
    window = Window.between("2026-01-01", "2026-02-01T12:30", PARIS)
    assert span(window) == ("2025-12-31T23:00:00Z", "2026-02-01T11:30:00Z")
    assert (window.range, window.tz, window.until) == ("custom", PARIS, None)


def test_a_bound_may_be_left_open() -> None:
    assert span(Window.between("2026-01-01", None, UTC_ZONE)) == ("2026-01-01T00:00:00Z", None)
    assert span(Window.between(None, "2026-01-01", UTC_ZONE)) == (None, "2026-01-01T00:00:00Z")
    assert Window.between(None, None, PARIS) == Window.all_time(PARIS) == Window.named("all_time", PARIS, NOW)


@pytest.mark.parametrize(
    ("text", "zone", "expected"),
    [
        ("2026-01-31", "UTC", "2026-01-31T00:00:00Z"),
        ("2024-02-29", "Asia/Kolkata", "2024-02-28T18:30:00Z"),
        ("2026-01-31T18:30", "Europe/Paris", "2026-01-31T17:30:00Z"),
        ("2026-01-31T18:30:15", "Asia/Kathmandu", "2026-01-31T12:45:15Z"),
        ("2026-01-31T18:30Z", "Europe/Paris", "2026-01-31T18:30:00Z"),
        ("2026-01-31T18:30:00.5Z", "Europe/Paris", "2026-01-31T18:30:00.5Z"),
        ("2026-01-31T18:30:00.123", "UTC", "2026-01-31T18:30:00.123Z"),
        ("2026-01-31T18:30:00.000001+02:00", "UTC", "2026-01-31T16:30:00.000001Z"),
        ("2026-01-31T18:30-03:30", "UTC", "2026-01-31T22:00:00Z"),
        ("2026-01-31T18:30-00:00", "Europe/Paris", "2026-01-31T18:30:00Z"),
        ("2026-01-31T18:30+23:59", "UTC", "2026-01-30T18:31:00Z"),
        # The earlier of two, and forward by the gap.
        ("2026-10-25T02:30", "Europe/Paris", "2026-10-25T00:30:00Z"),
        ("2026-03-29T02:30", "Europe/Paris", "2026-03-29T01:30:00Z"),
        ("2026-03-29T02:00", "Europe/Paris", "2026-03-29T01:00:00Z"),
        ("2026-03-08T00:20", "America/Havana", "2026-03-08T05:20:00Z"),
        ("2026-03-08", "America/Havana", "2026-03-08T05:00:00Z"),
        ("2025-11-02", "America/Havana", "2025-11-02T04:00:00Z"),
        ("2011-12-30T06:00", "Pacific/Apia", "2011-12-30T16:00:00Z"),
        ("2011-12-30", "Pacific/Apia", "2011-12-30T10:00:00Z"),
        ("1972-01-07T00:20:00", "Africa/Monrovia", "1972-01-07T01:04:30Z"),
        ("2018-05-04T23:45", "Asia/Pyongyang", "2018-05-04T15:15:00Z"),
        # The bounds of the bounds.
        ("1970-01-01", "UTC", "1970-01-01T00:00:00Z"),
        ("2101-01-01", "UTC", "2101-01-01T00:00:00Z"),
        ("1969-12-31T19:00", "America/New_York", "1970-01-01T00:00:00Z"),
        ("1969-12-31T22:00:00-02:00", "UTC", "1970-01-01T00:00:00Z"),
        ("2101-01-01T14:00+14:00", "UTC", "2101-01-01T00:00:00Z"),
        ("2101-01-01", "Asia/Tokyo", "2100-12-31T15:00:00Z"),
    ],
)
def test_a_bound(text: str, zone: str, expected: str) -> None:
    assert format_instant(parse_bound("from", text, timezone(zone))) == expected


@pytest.mark.parametrize(
    ("text", "zone"),
    [
        ("1969-12-31T23:59:59.999999", "UTC"),
        ("2101-01-01T00:00:00.000001", "UTC"),
        ("1970-01-01", "Asia/Tokyo"),
        ("2101-01-01", "America/New_York"),
        ("1970-01-01T00:00+00:01", "UTC"),
        ("2101-01-01T00:00-00:01", "UTC"),
        ("0001-01-01", "UTC"),
        ("0001-01-01", "Asia/Tokyo"),
        ("0001-01-01T00:00+23:59", "UTC"),
        ("9999-12-31", "America/New_York"),
        ("9999-12-31T23:59:59.999999-23:59", "UTC"),
        ("9999-12-31T23:59", "America/New_York"),
    ],
)
def test_a_bound_out_of_bounds_is_refused(text: str, zone: str) -> None:
    with pytest.raises(WindowError) as caught:
        parse_bound("to", text, timezone(zone))
    assert caught.value.parameter == "to"
    assert caught.value.detail == (
        f"to must be an instant from 1970-01-01T00:00:00Z to 2101-01-01T00:00:00Z, not '{text}'"
    )


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "now",
        "yesterday",
        "1767225600",
        "2026",
        "2026-01",
        "2026-1-1",
        "20260101",
        "20260101T000000Z",
        "2026-W01-1",
        "2026-W01",
        "2026-001",
        "26-01-01",
        "+2026-01-01",
        "-2026-01-01",
        "0000-01-01",
        "10000-01-01",
        "2026-00-01",
        "2026-13-01",
        "2026-01-00",
        "2026-02-29",
        "2026-04-31",
        "2026-01-01T",
        "2026-01-01Z",
        "2026-01-01+02:00",
        "2026-01-01T10",
        "2026-01-01T1000",
        "2026-01-01T10:0",
        "2026-01-01T24:00",
        "2026-01-01T10:60",
        "2026-01-01T10:00:60",
        "2026-01-01T10:00.5",
        "2026-01-01T10:00:00.",
        "2026-01-01T10:00:00,5",
        "2026-01-01T10:00:00.1234567",
        "2026-01-01T10:00:00z",
        "2026-01-01t10:00:00Z",
        "2026-01-01 10:00:00",
        "2026-01-01T10:00:00 Z",
        "2026-01-01T10:00+2",
        "2026-01-01T10:00+02",
        "2026-01-01T10:00+0200",
        "2026-01-01T10:00+02:60",
        "2026-01-01T10:00+24:00",
        "2026-01-01T10:00+02:00:30",
        "2026-01-01T10:00ZZ",
        "2026-01-01T10:00Z+02:00",
        "2026-01-01T10:00[Europe/Paris]",
        " 2026-01-01",
        "2026-01-01 ",
        "2026-01-01\n",
        "2026-01-01\0",
        "\0",
        "\u0662\u0660\u0662\u0666-01-01",  # Arabic digits
        "\uff12\uff10\uff12\uff16-01-01",  # wide ones
        "2026\u221201\u221201",  # a minus sign
        "\udc80",
        pytest.param("2" * 6000, id="long"),
        pytest.param("2026-01-01T10:00:00." + "1" * 6000, id="many decimals"),
    ],
)
def test_another_bound_is_refused(text: str) -> None:
    with pytest.raises(WindowError) as caught:
        parse_bound("from", text, PARIS)
    assert caught.value.parameter == "from"
    assert caught.value.detail.startswith("from must be an ISO 8601 date such as 2026-01-31, or a date-time")
    assert repr(text[:40])[1:-1] in caught.value.detail
    assert len(caught.value.detail) < 300
    assert caught.value.detail.isprintable()


def test_an_offset_whose_plus_became_a_blank_is_explained() -> None:
    with pytest.raises(WindowError, match=re.escape("(in a URL, + is written %2B)")):
        parse_bound("from", "2026-01-01T00:00:00 02:00", PARIS)


@given(zones, st.text(max_size=40) | st.from_regex(BOUND_PATTERN))
def test_no_text_gives_another_error(tz: ZoneInfo, text: str) -> None:
    with suppress(WindowError):
        assert MIN_BOUND <= parse_bound("from", text, tz) <= MAX_BOUND


@given(moments())
def test_an_instant_as_the_api_writes_it_is_a_bound(moment: tuple[ZoneInfo, datetime]) -> None:
    tz, instant = moment
    if instant >= MIN_BOUND:
        assert parse_bound("from", format_instant(instant), tz) == instant
        assert parse_bound("from", instant.astimezone(PARIS).isoformat(), tz) == instant


@given(moments())
def test_a_day_as_the_api_writes_it_is_a_bound(moment: tuple[ZoneInfo, datetime]) -> None:
    tz, instant = moment
    day = local_date(instant, tz)
    if date(1970, 1, 2) < day < date(2100, 12, 31):
        window = Window.between(day.isoformat(), (day + DAY).isoformat(), tz)
        assert span(window) == (format_instant(first_instant(day, tz)), format_instant(first_instant(day + DAY, tz)))


@pytest.mark.parametrize(
    ("start", "end", "zone"),
    [
        ("2026-01-01", "2026-01-01", "UTC"),
        ("2026-01-02", "2026-01-01", "UTC"),
        ("2026-01-01T00:00Z", "2026-01-01T01:00+01:00", "UTC"),
        ("2026-03-29T02:30", "2026-03-29T03:30", "Europe/Paris"),  # missing, so the same instant
        ("2011-12-30", "2011-12-31", "Pacific/Apia"),  # the day left out
    ],
)
def test_from_has_to_be_before_to(start: str, end: str, zone: str) -> None:
    with pytest.raises(WindowError, match="from must be before to") as caught:
        Window.between(start, end, timezone(zone))
    assert caught.value.parameter == "from"
    assert start in caught.value.detail
    assert end in caught.value.detail


def test_one_microsecond_is_a_window() -> None:
    window = Window.between("2026-01-01", "2026-01-01T00:00:00.000001", UTC_ZONE)
    assert window.end - window.start == timedelta(microseconds=1)


def test_the_bad_bound_is_named() -> None:
    for start, end, parameter in (("x", "2026-01-01", "from"), ("2026-01-01", "x", "to"), (None, "", "to")):
        with pytest.raises(WindowError) as caught:
            Window.between(start, end, PARIS)
        assert caught.value.parameter == parameter
