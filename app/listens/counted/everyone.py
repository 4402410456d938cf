"""Everyone's listens out of the rollups: rankings of windows, and slots of time."""

from collections.abc import Hashable, Sequence
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
    bindparam,
    cast,
    func,
    literal,
    literal_column,
    select,
    text,
    union_all,
)
from sqlalchemy.dialects.postgresql import ARRAY

from app.domain.audience import EVERYONE
from app.domain.ranking import SortBy
from app.domain.slots import EPOCH, SLOT, number_of_slot, start_of_slot
from app.domain.timezones import DAY, naive
from app.domain.utc_offsets import Step, clock_steps, day_steps
from app.domain.windows import Window
from app.listens.counted.edges import EdgeListens
from app.listens.counted.rankings import RankedRelation
from app.listens.counted.waiting import Waiting
from app.listens.expressions import between, element, lasting, total
from app.listens.live import Listens
from app.listens.relations import Relation, measure_of
from app.models.history import History, Track
from app.models.rollups import Kind, slots
from app.rollups.spans import EVER, Span, base_of
from app.rollups.sql import slot_of
from app.rollups.sql.changes import ONE_WINDOW, slot_changes
from app.rollups.state import Rollups

A_DAY = DAY // SLOT
# A Monday before anything was played, in all zones: from there on slots are whole numbers, and so are the weeks.
FIRST_DAY = date(1969, 12, 29)


class RolledUpListens(Listens):
    """Everyone's listens in a window: what is not counted ahead is read live."""

    def __init__(self, window: Window, rollups: Rollups, *, name: str = "") -> None:
        super().__init__(EVERYONE, window, name=name)
        self.rollups = rollups
        self._base = base_of(self.span, rollups.windows, rollups.listened)

    @property
    def shape(self) -> Hashable | None:
        if not self._is_ranked:
            return None
        rollups = self.rollups
        return type(self), self.name, rollups.listens_changed, rollups.catalogue_changed, rollups.has_firsts

    @property
    def shape_by_time(self) -> None:
        """None: which slots are whole depends on the window and the zone."""

    @property
    def _is_ranked(self) -> bool:
        """Whether there are rankings of this very window."""
        return self._base is not None and not self._base.edges

    @property
    def values(self) -> dict[str, Any]:
        if self._base is None:
            return super().values
        window = {"id": self._base.window_id, **self._base.span._asdict()}
        return super().values | {self._base_name + name: value for name, value in window.items()}

    @property
    def _base_name(self) -> str:
        return self.name + "base_"

    @property
    def is_counted(self) -> bool:
        """Whether this window has rankings, or one that is near."""
        return self._base is not None

    def previous(self) -> Listens:
        return RolledUpListens(self.window.previous(), self.rollups, name=self.name)

    # By track, artist, genre and listener

    def _relation(self, kind: Kind) -> Relation | None:
        """The window's ranking with what is to be added: what lies at its edges, and changes that wait."""
        if self._base is None:
            return None
        by = f"by_{kind.name.lower()}"
        name = self.name + by
        changes = [] if self._edges is None else [getattr(self._edges, by)]
        if self.rollups.changed:
            waiting = Waiting(kind, name + "_waiting", self._base_name, catalogue=self.rollups.catalogue_changed)
            changes.append(waiting)
        return RankedRelation(kind, bindparam(self._base_name + "id", type_=Integer), changes, name)

    @cached_property
    def _edges(self) -> EdgeListens | None:
        """What lies at the edges of the base: read once, by whatever it is counted."""
        return EdgeListens(self._base.edges, self.name + "edge_") if self._base and self._base.edges else None

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

    def distinct_listeners(self) -> Select[int]:
        return super().distinct_listeners() if self._base is None else self.by_listener.number

    def listeners_with(self, plays: ColumnElement[int]) -> Select[int]:
        return super().listeners_with(plays) if self._base is None else self.by_listener.number_with(plays)

    # Sums

    def count(self) -> Select[int]:
        if self._has_quick_slots:
            return self._sum_of_slots(SortBy.COUNT)
        return super().count() if self._base is None else self.by_track.whole(SortBy.COUNT)

    def listen_time(self) -> Select[int]:
        if self._has_quick_slots:
            return self._sum_of_slots(SortBy.LISTEN_TIME)
        return super().listen_time() if self._base is None else self.by_track.whole(SortBy.LISTEN_TIME)

    def whole(self, by: SortBy, disjoint: Relation) -> Select[int]:
        return self._sum_of_slots(by) if self._has_quick_slots else super().whole(by, disjoint)

    @property
    def _has_quick_slots(self) -> bool:
        """Whether slots tell a sum sooner than the tracks do: those of a window with rankings are summed up already."""
        return self.rollups.has_slots and not self._is_ranked

    def _sum_of_slots(self, by: SortBy) -> Select[int]:
        return select(total(measure_of(self._by_slot, by)))

    # By time

    def by_bucket(self, starts: Sequence[datetime]) -> CTE:
        # The first bucket begins where the window does, and no listen of the window comes before.
        instants = [naive(start) for start in starts]
        if not self.rollups.has_slots or not all(map(_is_whole_slot, instants[1:])):
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
        inner = Span(start_of_slot(-((EPOCH - starts) // SLOT)), start_of_slot(number_of_slot(ends)))
        if inner.starts >= inner.ends:
            return _live_slots(self.span).subquery()
        parts = self._stored_slots(inner)
        edges = Span(starts, inner.starts), Span(inner.ends, ends)
        parts += [_live_slots(edge) for edge in edges if edge.starts != edge.ends]
        return (union_all(*parts) if len(parts) > 1 else parts[0]).subquery()

    def _stored_slots(self, span: Span) -> list[Select[Any]]:
        """Selects of `slot`, `plays` and `listen_time_ms`, which sum up to the listens of a span of whole slots."""
        stored = select(slots.c.slot, slots.c.plays, slots.c.listen_time_ms)
        # Every slot lies in EVER: to ask for that has the planner take the rows for few, and sort them.
        if span.starts > EVER.starts:
            stored = stored.where(slots.c.slot >= number_of_slot(span.starts))
        if span.ends < EVER.ends:
            stored = stored.where(slots.c.slot < number_of_slot(span.ends))
        if not self.rollups.changed:
            return [stored]
        mark = self.name + "slots_"
        changes = (
            text(slot_changes(ONE_WINDOW.format(name=mark), catalogue=self.rollups.catalogue_changed))
            .bindparams(**{f"{mark}id": 0, f"{mark}starts": span.starts, f"{mark}ends": span.ends})
            .columns(slot=Integer, plays=Integer, listen_time_ms=BigInteger)
            .cte(self.name + "slot_changes")
        )
        return [stored, select(changes)]


def _live_slots(span: Span) -> Select[Any]:
    """The listens of a span by slot, out of the live tables."""
    slot: ColumnElement[int] = literal_column(slot_of('"History".played_at'), Integer)
    duration = cast(lasting(Track.duration_ms), BigInteger).label("listen_time_ms")
    columns: list[Any] = [slot.label("slot"), literal(1).label("plays"), duration]
    listens = select(*columns).join_from(History, Track, Track.id == History.track_id)
    return listens.where(between(History.played_at, *span))


def _is_whole_slot(instant: datetime) -> bool:
    return not (instant - EPOCH) % SLOT


def _are_whole_slots(steps: Sequence[Step]) -> bool:
    """Whether a clock shows one hour and one day for all of a slot."""
    return all(not step.offset % SLOT and (step.start is None or _is_whole_slot(naive(step.start))) for step in steps)
