"""Everyone's listens out of the rollups: rankings, and slots of time."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
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
    select,
    text,
    union_all,
)
from sqlalchemy.dialects.postgresql import ARRAY

from app.audience import EVERYONE
from app.clock_steps import Step, clock_steps, day_steps
from app.models.history import History, Track
from app.models.rollups import Kind, slots
from app.ranking import SortBy
from app.rollups.changes import ONE_WINDOW, slot_changes
from app.rollups.spans import Span, base_of
from app.rollups.state import Rollups
from app.services.expressions import element, naive, total
from app.services.listens import Listens, Shape
from app.services.relations import Relation
from app.services.rolled_up_relations import RolledUpRelation
from app.timezones import DAY, timezone
from app.windows import MIN_BOUND, Window

SLOT = timedelta(minutes=15)
A_DAY = DAY // SLOT
EPOCH = naive(MIN_BOUND)
# A Monday before anything was played: from there on slots are whole numbers, and so are the weeks.
FIRST_DAY = date(1, 1, 1)


@dataclass(frozen=True)
class RolledUpShape:
    """The shape of everyone's listens in a window that has rankings, for statements over these alone."""

    listens_changed: bool
    catalogue_changed: bool
    name: str

    def listens(self) -> "RolledUpListens":
        """Listens of this shape, whose values a statement is yet to be given."""
        rollups = Rollups(
            windows={0: Span(None, None)},
            listens_changed=self.listens_changed,
            catalogue_changed=self.catalogue_changed,
        )
        return RolledUpListens(Window.all_time(timezone("UTC")), rollups, name=self.name, is_open=True)


class RolledUpListens(Listens):
    """Everyone's listens in a window."""

    def __init__(self, window: Window, rollups: Rollups, *, name: str = "", is_open: bool = False) -> None:
        super().__init__(EVERYONE, window, name=name, is_open=is_open)
        self.rollups = rollups
        self._span = Span.of(window)
        self._base = base_of(self._span, rollups.windows, _instant(rollups.first_slot))

    @property
    def shape(self) -> Shape | None:
        if self._base is None or self._base.edges:
            return None
        return RolledUpShape(self.rollups.listens_changed, self.rollups.catalogue_changed, self.name)

    @property
    def values(self) -> dict[str, Any]:
        if self._base is None:
            return super().values
        span = {f"window_{name}": instant for name, instant in self._base.span._asdict().items()}
        return super().values | {"window_id": self._base.window_id} | span

    @property
    def conditions(self) -> list[ColumnElement[bool]]:
        self._want_values()
        return super().conditions

    @property
    def has_rankings(self) -> bool:
        """Whether there are rankings of this window, or of one that is near."""
        return self._base is not None

    def previous(self) -> Listens:
        return RolledUpListens(self.window.previous(), self.rollups, name=self.name)

    def _relation(self, kind: Kind) -> Relation | None:
        if self._base is None:
            return None
        name = f"{self.name}by_{kind.name.lower()}"
        return RolledUpRelation(kind, self._base, self.rollups, name, is_open=self.is_open)

    @cached_property
    def by_track(self) -> Relation:
        return self._relation(Kind.TRACK) or super().by_track

    @cached_property
    def by_artist(self) -> Relation:
        return self._relation(Kind.ARTIST) or super().by_artist

    @cached_property
    def by_primary_artist(self) -> Relation:
        return self._relation(Kind.PRIMARY_ARTIST) or super().by_primary_artist

    @cached_property
    def by_genre(self) -> Relation:
        return self._relation(Kind.GENRE) or super().by_genre

    @cached_property
    def by_listener(self) -> Relation:
        return self._relation(Kind.LISTENER) or super().by_listener

    @cached_property
    def plays(self) -> CTE:
        if self._base is None:
            return super().plays
        tracks = self.by_track.counts
        return select(tracks.c.id.label("track_id"), tracks.c.plays).cte(self.name + "plays")

    def count(self) -> Select[int]:
        if self._base is not None:
            return self.whole(SortBy.COUNT, self.by_track)
        return select(total(self._by_slot.c.plays)) if self.rollups.has_slots else super().count()

    def listen_time(self) -> Select[int]:
        if self._base is not None:
            return self.whole(SortBy.LISTEN_TIME, self.by_track)
        return select(total(self._by_slot.c.listen_time_ms)) if self.rollups.has_slots else super().listen_time()

    def whole(self, by: SortBy, disjoint: Relation) -> Select[int]:
        # What lies at a window's edges is quicker told by slots than track by track.
        if self._base is not None and self._base.edges and self.rollups.has_slots:
            return select(total(self._by_slot.c.plays if by is SortBy.COUNT else self._by_slot.c.listen_time_ms))
        return super().whole(by, disjoint)

    def distinct_listeners(self) -> Select[int]:
        return super().distinct_listeners() if self._base is None else self.by_listener.number

    def listeners_with(self, plays: ColumnElement[int]) -> Select[int]:
        if self._base is None:
            return super().listeners_with(plays)
        listeners = self.by_listener.counts
        return select(func.count()).where(listeners.c.plays >= plays)

    def by_bucket(self, starts: Sequence[datetime]) -> CTE:
        # The first bucket begins where the window does, and no listen of the window comes before.
        if not self.rollups.has_slots or not all(_is_whole_slot(naive(start)) for start in starts[1:]):
            return super().by_bucket(starts)
        numbers = literal([_slot(naive(start)) for start in starts], ARRAY(Integer))
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
        return self.rollups.has_slots and _are_whole_slots(clock_steps(self.window.tz))

    @property
    def _hour(self) -> tuple[ColumnElement[int], ColumnElement[int]]:
        shown = self._local_slot(clock_steps(self.window.tz))
        return (shown // A_DAY % 7 + 1).label("weekday"), (shown % A_DAY // 4).label("hour")

    @cached_property
    def days(self) -> CTE:
        calendar = day_steps(self.window.tz)
        if not self.rollups.has_slots or not _are_whole_slots(calendar):
            return super().days
        day = (literal(FIRST_DAY) + self._local_slot(calendar) // A_DAY).label("day")
        return select(self._sums(day).c.day).cte(self.name + "days")

    def _local_slot(self, steps: Sequence[Step]) -> ColumnElement[int]:
        """The slot that a clock of the given steps shows, numbered from the midnight of FIRST_DAY."""
        slot: ColumnElement[int] = self._by_slot.c.slot - _slot(naive(datetime.combine(FIRST_DAY, time(), UTC)))
        offsets = [step.offset // SLOT for step in steps]
        if len(steps) == 1:
            return slot + offsets[0]
        starts = literal([_slot(naive(step.start)) for step in steps if step.start], ARRAY(Integer))
        return slot + element(offsets, Integer(), func.width_bucket(self._by_slot.c.slot, starts) + 1)

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
        self._want_values()
        starts, ends = self._span
        first = None if starts is None else -((EPOCH - starts) // SLOT)
        after = None if ends is None else _slot(ends)
        if starts and ends and first is not None and after is not None and first >= after:
            return self._live(starts, ends).subquery()
        stored = select(slots.c.slot, slots.c.plays, slots.c.listen_time_ms)
        inner = Span(_instant(first), _instant(after))
        if first is not None:
            stored = stored.where(slots.c.slot >= first)
        if after is not None:
            stored = stored.where(slots.c.slot < after)
        parts: list[Select[Any]] = [stored]
        if self.rollups.changed:
            parts.append(select(self._slot_changes(inner)))
        if starts and inner.starts and starts < inner.starts:
            parts.append(self._live(starts, inner.starts))
        if ends and inner.ends and inner.ends < ends:
            parts.append(self._live(inner.ends, ends))
        return (union_all(*parts) if len(parts) > 1 else stored).subquery()

    def _slot_changes(self, span: Span) -> CTE:
        mark = f"{self.name}slots_"
        return (
            text(slot_changes(ONE_WINDOW.format(name=mark), catalogue=self.rollups.catalogue_changed))
            .bindparams(**{f"{mark}id": 0, f"{mark}starts": span.starts, f"{mark}ends": span.ends})
            .columns(slot=Integer, plays=Integer, listen_time_ms=BigInteger)
            .cte(self.name + "slot_changes")
        )

    def _live(self, starts: datetime, ends: datetime) -> Select[Any]:
        slot = cast(func.floor(func.extract("epoch", History.played_at) / SLOT.total_seconds()), Integer)
        columns: list[Any] = [slot.label("slot"), literal(1).label("plays")]
        columns.append(cast(Track.duration_ms, BigInteger).label("listen_time_ms"))
        return (
            select(*columns)
            .join_from(History, Track, Track.id == History.track_id)
            .where(History.played_at >= starts, History.played_at < ends)
        )


def _slot(instant: datetime) -> int:
    """The number of an instant's slot."""
    return (instant - EPOCH) // SLOT


def _instant(slot: int | None) -> datetime | None:
    """The instant at which a slot begins."""
    return None if slot is None else EPOCH + slot * SLOT


def _is_whole_slot(instant: datetime) -> bool:
    return _instant(_slot(instant)) == instant


def _are_whole_slots(steps: Sequence[Step]) -> bool:
    """Whether a clock shows one hour and one day for all of a slot."""
    return all(not step.offset % SLOT and (step.start is None or _is_whole_slot(naive(step.start))) for step in steps)
