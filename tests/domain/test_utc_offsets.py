"""The steps of a clock against zoneinfo itself, and against the days of `app.domain.timezones`."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.timezones import local_date, timezone, timezone_names
from app.domain.utc_offsets import Step, clock_steps, day_steps

INSTANTS = st.datetimes(datetime(1970, 1, 1), datetime(2100, 12, 31), timezones=st.just(UTC))
ZONES = st.sampled_from(sorted(timezone_names())).map(timezone)


def step_at(steps: tuple[Step, ...], instant: datetime) -> Step:
    return [step for step in steps if step.start is None or step.start <= instant][-1]


@given(ZONES, INSTANTS)
def test_clock_steps_show_what_the_clock_shows(tz: ZoneInfo, instant: datetime) -> None:
    assert step_at(clock_steps(tz), instant).offset == instant.astimezone(tz).utcoffset()


@given(ZONES, INSTANTS)
def test_day_steps_tell_the_day(tz: ZoneInfo, instant: datetime) -> None:
    assert (instant + step_at(day_steps(tz), instant).offset).date() == local_date(instant, tz)


@pytest.mark.parametrize(
    "name", ["America/St_Johns", "America/Havana", "Pacific/Apia", "Africa/Cairo", "Asia/Kathmandu"]
)
def test_steps_hold_around_every_change(name: str) -> None:
    tz = timezone(name)
    for change in clock_steps(tz)[1:]:
        for minutes in range(-90, 91, 5):
            instant = change.start + timedelta(minutes=minutes)
            assert step_at(clock_steps(tz), instant).offset == instant.astimezone(tz).utcoffset()
            assert (instant + step_at(day_steps(tz), instant).offset).date() == local_date(instant, tz)


def test_utc_has_one_step() -> None:
    assert clock_steps(timezone("UTC")) == (Step(None, timedelta()),)
