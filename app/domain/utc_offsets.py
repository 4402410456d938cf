"""The clock of a time zone as steps: from which instant on it is how far ahead of UTC.

This is what SQL needs to tell the local time of a listen without a zone database of its own.
"""

from datetime import datetime, timedelta
from functools import cache
from typing import NamedTuple
from zoneinfo import ZoneInfo

from app.domain.timezones import DAY, RESOLUTION, clock_change
from app.domain.windows import MAX_BOUND, MIN_BOUND

STRIDE = 2 * DAY  # no zone changes its clock twice in three days


class Step(NamedTuple):
    """From `start` on, an instant in UTC, the clock is `offset` ahead of UTC. The first step has no start."""

    start: datetime | None
    offset: timedelta


@cache
def clock_steps(tz: ZoneInfo) -> tuple[Step, ...]:
    """What a clock shows: ascending steps. Changes are told from 1970 to 2100; the ends go on as they are."""
    steps = [Step(None, _offset(MIN_BOUND, tz))]
    instant = MIN_BOUND
    while instant < MAX_BOUND:
        instant += STRIDE
        if _offset(instant, tz) != steps[-1].offset:
            steps.append(Step(clock_change(instant - STRIDE, instant, tz), _offset(instant, tz)))
    return tuple(steps)


@cache
def day_steps(tz: ZoneInfo) -> tuple[Step, ...]:
    """What tells the day that an instant belongs to: the date of `instant + offset` is its `local_date`.

    It is the clock's, but where a clock is put back over midnight: the day that has begun goes on, so that step begins
    with the second midnight.
    """
    first, *changes = clock_steps(tz)
    steps = [first]
    for start, offset in changes:
        assert start is not None
        day = (start + steps[-1].offset - RESOLUTION).date()
        if (start + offset).date() < day:
            start += datetime.combine(day, datetime.min.time(), start.tzinfo) - (start + offset)
        steps.append(Step(start, offset))
    return tuple(steps)


def _offset(instant: datetime, tz: ZoneInfo) -> timedelta:
    return instant.astimezone(tz).utcoffset() or timedelta()
