"""Listens by time out of slots: quarters of an hour in which they are counted."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from datetime import UTC, date, datetime, time
from functools import cached_property
from typing import Any

from sqlalchemy import (
    CTE,
    BigInteger,
    ColumnElement,
    FromClause,
    Integer,
    Select,
    cast,
    func,
    literal,
    literal_column,
    select,
    union_all,
)
from sqlalchemy.dialects.postgresql import ARRAY

from app.domain.slots import EPOCH, SLOT, number_of_slot, start_of_slot
from app.domain.timezones import DAY, naive
from app.domain.utc_offsets import Step, clock_steps, day_steps
from app.listens.expressions import between, element, looked_up, total
from app.listens.live import Listens
from app.models.history import History, Track
from app.rollups.spans import EVER, Span
from app.rollups.sql.changes import slot_of

A_DAY = DAY // SLOT
# A Monday before anything was played, in all zones: from there on slots are whole numbers, and so are the weeks.
FIRST_DAY = date(1969, 12, 29)


class SlottedListens(Listens, ABC):
    """Listens that are counted in slots, all of them or those before an instant; the others are counted live."""

    # Whether there are slots at all, and before which instant listens are counted.
    has_slots: bool = True
    slots_end: datetime = EVER.ends

    @property
    def shape_by_time(self) -> None:
        """None: which slots are whole depends on the window and the zone."""

    @abstractmethod
    def _stored_slots(self, span: Span) -> list[Select[Any]]:
        """Selects of `slot`, `plays` and `listen_time_ms`, which sum up to the listens of a span of whole slots."""

    def by_bucket(self, starts: Sequence[datetime]) -> CTE:
        # The first bucket begins where the window does, and no listen of the window comes before.
        instants = [naive(start) for start in starts]
        if not self.has_slots or not all(map(_is_whole_slot, instants[1:])):
            return super().by_bucket(starts)
        numbers = literal([number_of_slot(instant) for instant in instants], ARRAY(Integer))
        return self._sums(func.width_bucket(self._by_slot.c.slot, numbers).label("number"))

    @cached_property
    def by_hour(self) -> CTE:
        calendar = day_steps(self.window.tz)
        if not self._has_hours or not _are_whole_slots(calendar):
            return super().by_hour
        return self._sums((literal(FIRST_DAY) + self._local_slot(calendar) // A_DAY).label("day"), *self._hour)

    @cached_property
    def by_hour_of_week(self) -> CTE:
        return self._sums(*self._hour) if self._has_hours else super().by_hour_of_week

    @property
    def _has_hours(self) -> bool:
        return self.has_slots and _are_whole_slots(clock_steps(self.window.tz))

    @property
    def _hour(self) -> tuple[ColumnElement[int], ColumnElement[int]]:
        shown = self._local_slot(clock_steps(self.window.tz))
        return (shown // A_DAY % 7 + 1).label("weekday"), (shown % A_DAY // 4).label("hour")

    @cached_property
    def days(self) -> CTE:
        calendar = day_steps(self.window.tz)
        if not self.has_slots or not _are_whole_slots(calendar):
            return super().days
        day = (literal(FIRST_DAY) + self._local_slot(calendar) // A_DAY).label("day")
        return select(self._sums(day).c.day).cte(self.name + "days")

    def _local_slot(self, steps: Sequence[Step]) -> ColumnElement[int]:
        """The slot that a clock of the given steps shows, numbered from the midnight of FIRST_DAY."""
        first = number_of_slot(naive(datetime.combine(FIRST_DAY, time(), UTC)))
        slot: ColumnElement[int] = self._by_slot.c.slot - first
        offsets = [step.offset // SLOT for step in steps]
        if len(steps) == 1:
            return slot + offsets[0]
        starts = literal([number_of_slot(naive(step.start)) for step in steps if step.start], ARRAY(Integer))
        return slot + element(literal(offsets, ARRAY(Integer)), func.width_bucket(self._by_slot.c.slot, starts) + 1)

    def _sums(self, *keys: ColumnElement[Any]) -> CTE:
        """The listens grouped by the labelled keys."""
        rows = self._by_slot
        return (
            select(*keys, total(rows.c.plays).label("plays"), total(rows.c.listen_time_ms).label("listen_time_ms"))
            .group_by(*keys)
            .having(func.sum(rows.c.plays) > 0)
            .cte(self.name + "groups")
        )

    @cached_property
    def _by_slot(self) -> FromClause:
        """`slot`, `plays` and `listen_time_ms`, which sum up to the window's listens."""
        starts, ends = self.span
        counted = min(ends, self.slots_end)
        inner = Span(start_of_slot(-((EPOCH - starts) // SLOT)), start_of_slot(number_of_slot(counted)))
        if inner.starts >= inner.ends:
            return self._live(self.span).subquery()
        parts = self._stored_slots(inner)
        if starts != inner.starts:
            parts.append(self._live(Span(starts, inner.starts)))
        if inner.ends != ends:
            parts.append(self._live(Span(inner.ends, ends)))
        return (union_all(*parts) if len(parts) > 1 else parts[0]).subquery()

    def _live(self, span: Span) -> Select[Any]:
        slot: ColumnElement[int] = literal_column(slot_of('"History".played_at'), Integer)
        tracks, is_same = looked_up(Track.id, History.track_id, one_by_one=self.one_by_one)
        duration = cast(tracks.c.duration_ms, BigInteger).label("listen_time_ms")
        columns: list[Any] = [slot.label("slot"), literal(1).label("plays"), duration]
        listens = select(*columns).join_from(History, tracks, is_same)
        return listens.where(*self.at_any_time, between(History.played_at, *span))


def within(rows: Select[Any], slot: ColumnElement[int], span: Span) -> Select[Any]:
    """The rows whose slot lies in a span of whole slots."""
    # Every slot lies in EVER: to ask for that has the planner take the rows for few, and sort them.
    if span.starts > EVER.starts:
        rows = rows.where(slot >= number_of_slot(span.starts))
    return rows.where(slot < number_of_slot(span.ends)) if span.ends < EVER.ends else rows


def _is_whole_slot(instant: datetime) -> bool:
    return not (instant - EPOCH) % SLOT


def _are_whole_slots(steps: Sequence[Step]) -> bool:
    """Whether a clock shows one hour and one day for all of a slot."""
    return all(not step.offset % SLOT and (step.start is None or _is_whole_slot(naive(step.start))) for step in steps)
