"""Listens over time: a series of calendar buckets, and the hours of the week."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from app.domain.audience import Audience
from app.domain.buckets import MAX_BUCKETS, Unit, default_unit
from app.domain.windows import Window
from app.listens.live import Listens
from app.listens.sources import listens_of
from app.listens.statements import execute, run
from app.services.series import buckets_of


@dataclass(frozen=True)
class ActivityBucket:
    """The listens in a half-open span of instants."""

    start: datetime
    end: datetime
    count: int
    listen_time_ms: int


@dataclass(frozen=True)
class Activity:
    """A series without holes: each bucket begins where the one before it ends."""

    window: Window
    bucket: Unit
    buckets: list[ActivityBucket]


@dataclass(frozen=True)
class Clock:
    """Two tables of 7 rows, Monday to Sunday, and 24 columns: listens and listen time in ms by local hour."""

    window: Window
    count: list[list[int]]
    listen_time_ms: list[list[int]]


def activity(session: Session, audience: Audience, window: Window, bucket: Unit | None) -> Activity:
    """Listens over time, in calendar buckets of the time zone.

    At an open end the series has the whole bucket of the first or last listen. Without `bucket` it is `day` up to 92
    days, `month` up to 5 years, else `year`. More than 10,000 buckets are an error (BucketError).
    """
    listens = listens_of(session, audience, window)
    unit, spans = buckets_of(session, listens, bucket, default_unit, MAX_BUCKETS)
    if not spans:
        return Activity(window, unit or "day", [])
    groups = listens.by_bucket([span.start for span in spans])
    by_number = {row.number: row for row in execute(session, select(groups), listens.values)}
    return Activity(
        window,
        unit or "day",
        [
            ActivityBucket(span.start, span.end, by_number[number].plays, by_number[number].listen_time_ms)
            if number in by_number
            else ActivityBucket(span.start, span.end, 0, 0)
            for number, span in enumerate(spans, start=1)
        ],
    )


def clock(session: Session, audience: Audience, window: Window) -> Clock:
    """Listens by hour of the week, as the local clock shows it."""
    found = run(session, _clock_query, listens_of(session, audience, window), by_time=True)
    table = Clock(window, [[0] * 24 for _ in range(7)], [[0] * 24 for _ in range(7)])
    for row in found:
        table.count[row.weekday - 1][row.hour] = row.plays
        table.listen_time_ms[row.weekday - 1][row.hour] = row.listen_time_ms
    return table


def _clock_query(listens: Listens) -> Select[Any]:
    return select(listens.by_hour_of_week)
