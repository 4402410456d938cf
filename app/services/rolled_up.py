"""Everyone's listens out of the rollups, with what the changes that wait make of them.

A window that has no rankings of its own is made of one that has: what lies between their ends is counted in the live
tables, and added or taken away like any other change.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any

from sqlalchemy import (
    CTE,
    BigInteger,
    ColumnElement,
    Date,
    DateTime,
    FromClause,
    Integer,
    Select,
    String,
    cast,
    func,
    literal,
    select,
    text,
    union_all,
)
from sqlalchemy.dialects.postgresql import ARRAY, TIMESTAMP

from app.audience import EVERYONE
from app.clock_steps import Step, clock_steps, day_steps
from app.models.history import History, Track
from app.models.rollups import Kind, rankings, sizes, slots
from app.ranking import SortBy
from app.rollups.changes import ranking_changes, slot_changes
from app.rollups.spans import Base, Span, base_of
from app.rollups.state import Rollups
from app.services.expressions import byte_order, local_time, naive, total
from app.services.listens import Listens
from app.services.relations import Relation
from app.windows import MIN_BOUND, Window

SLOT = timedelta(minutes=15)
EPOCH = naive(MIN_BOUND)

ONE_WINDOW = (
    "SELECT CAST(:{name}id AS integer) AS id, CAST(:{name}starts AS timestamp) AS starts,"
    " CAST(:{name}ends AS timestamp) AS ends"
)


class RolledUpRelation(Relation):
    """A ranking of everyone's listens, and the changes to it."""

    def __init__(self, kind: Kind, base: Base, rollups: Rollups, name: str) -> None:
        self.name = name
        self._kind = kind
        self._base = base
        self._catalogue_changed = rollups.catalogue_changed
        self._is_whole = not rollups.changed and not base.edges

    @cached_property
    def _changes(self) -> CTE:
        """`id`, `plays` and `listen_time_ms` to add."""
        mark = f"{self.name}_"
        edges = " UNION ALL ".join(
            f"SELECT CAST(:{mark}id AS integer), user_id, track_id, played_at, {edge.sign}"
            f' FROM "History" WHERE played_at >= :{mark}from{number} AND played_at < :{mark}to{number}'
            for number, edge in enumerate(self._base.edges)
        )
        sql = ranking_changes(ONE_WINDOW.format(name=mark), [self._kind], edges, catalogue=self._catalogue_changed)
        values: dict[str, Any] = {"id": self._base.window_id, **self._base.span._asdict()}
        for number, edge in enumerate(self._base.edges):
            values |= {f"from{number}": edge.starts, f"to{number}": edge.ends}
        return (
            text(sql)
            .bindparams(**{mark + key: value for key, value in values.items()})
            .columns(window_id=Integer, kind=Integer, id=String, plays=Integer, listen_time_ms=BigInteger)
            .cte(self.name + "_changes")
        )

    @cached_property
    def _changed(self) -> CTE:
        """`id`, `plays` and `listen_time_ms`, as they are now, of what has changes and still has listens."""
        columns = "id", "plays", "listen_time_ms"
        both = union_all(
            select(*(self._changes.c[name] for name in columns)),
            self._stored(*columns).where(rankings.c.id.in_(select(self._changes.c.id))),
        ).subquery()
        return (
            select(
                both.c.id,
                cast(func.sum(both.c.plays), Integer).label("plays"),
                cast(func.sum(both.c.listen_time_ms), BigInteger).label("listen_time_ms"),
            )
            .group_by(both.c.id)
            .having(func.sum(both.c.plays) > 0)
            .cte(self.name + "_changed")
        )

    def _stored(self, *columns: str) -> Select[Any]:
        """The ranking, as it was before the changes."""
        return select(*(rankings.c[name] for name in columns or ("id", "plays", "listen_time_ms"))).where(
            rankings.c.window_id == self._base.window_id, rankings.c.kind == self._kind
        )

    def _rows(self, first: tuple[SortBy, int] | None = None) -> FromClause:
        """`id`, `plays` and `listen_time_ms`, as they are now: all rows, or the first ones by a measure."""
        stored = self._stored()
        if not self._is_whole:
            stored = stored.where(rankings.c.id.not_in(select(self._changes.c.id)))
        if first is not None:
            by, number = first
            stored = stored.order_by(_measure(rankings, by).desc(), byte_order(rankings.c.id)).limit(number)
        if self._is_whole:
            return stored.subquery()
        rows = stored.subquery()
        return union_all(select(rows), select(self._changed)).subquery()

    @cached_property
    def times(self) -> CTE:
        rows = self._rows()
        return select(self._public(rows.c.id), rows.c.plays, rows.c.listen_time_ms).cte(self.name)

    @property
    def counts(self) -> CTE:
        return self.times

    def times_of(self, rows: CTE) -> CTE:
        return select(self.times).where(self.times.c.id.in_(select(rows.c.id))).cte(self.name + "_times_of")

    def page(self, by: SortBy, limit: int, offset: int = 0) -> CTE:
        rows = self._rows((by, offset + limit))
        in_order = _measure(rows, by).desc(), byte_order(rows.c.id)
        # The list's beginning is all that the ranks of a page depend on.
        first = select(rows).order_by(*in_order).limit(offset + limit).subquery()
        rank = func.rank().over(order_by=_measure(first, by).desc()).label("rank")
        return (
            select(self._public(first.c.id), first.c.plays, first.c.listen_time_ms, rank)
            .order_by(_measure(first, by).desc(), byte_order(first.c.id))
            .limit(limit)
            .offset(offset)
            .cte(self.name + "_page")
        )

    def ranks_of(self, ids: Sequence[Any], by: SortBy) -> Select[Any]:
        if not self._is_whole:
            return super().ranks_of(ids, by)
        better = rankings.alias()
        number = (
            select(func.count() + 1)
            .where(
                better.c.window_id == rankings.c.window_id,
                better.c.kind == rankings.c.kind,
                _measure(better, by) > _measure(rankings, by),
            )
            .scalar_subquery()
        )
        own = [f"{id_:010}" for id_ in ids] if self._kind is Kind.LISTENER else list(ids)
        return self._stored("id", "plays").where(rankings.c.id.in_(own)).with_only_columns(
            self._public(rankings.c.id), rankings.c.plays, number.label("rank")
        )  # fmt: skip

    @property
    def number(self) -> Select[int]:
        rows = self._size(sizes.c.rows)
        if self._is_whole:
            return select(rows)
        before = (
            select(func.count())
            .select_from(rankings)
            .where(
                rankings.c.window_id == self._base.window_id,
                rankings.c.kind == self._kind,
                rankings.c.id.in_(select(self._changes.c.id)),
            )
        )
        now = select(func.count()).select_from(self._changed)
        return select(rows + now.scalar_subquery() - before.scalar_subquery())

    def whole(self, by: SortBy) -> Select[int]:
        whole = self._size(_measure(sizes, by))
        if self._is_whole:
            return select(whole)
        return select(whole + select(total(_measure(self._changes, by))).scalar_subquery())

    def _size(self, column: ColumnElement[int]) -> ColumnElement[int]:
        size = select(column).where(sizes.c.window_id == self._base.window_id, sizes.c.kind == self._kind)
        return size.scalar_subquery()

    def _public(self, id_: ColumnElement[Any]) -> ColumnElement[Any]:
        """An id as the platform knows it."""
        return cast(id_, Integer).label("id") if self._kind is Kind.LISTENER else id_


class RolledUpListens(Listens):
    """Everyone's listens in a window."""

    def __init__(self, window: Window, rollups: Rollups, *, name: str = "") -> None:
        super().__init__(EVERYONE, window, name=name)
        self._rollups = rollups
        self._span = Span.of(window)
        self._base = base_of(self._span, rollups.windows)

    def previous(self) -> Listens:
        return RolledUpListens(self.window.previous(), self._rollups, name=self.name)

    def _relation(self, kind: Kind) -> Relation | None:
        if self._base is None:
            return None
        return RolledUpRelation(kind, self._base, self._rollups, f"{self.name}by_{kind.name.lower()}")

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
            return self.by_track.whole(SortBy.COUNT)
        return select(total(self._by_slot.c.plays)) if self._rollups.has_slots else super().count()

    def listen_time(self) -> Select[int]:
        if self._base is not None:
            return self.by_track.whole(SortBy.LISTEN_TIME)
        return select(total(self._by_slot.c.listen_time_ms)) if self._rollups.has_slots else super().listen_time()

    def distinct_listeners(self) -> Select[int]:
        return super().distinct_listeners() if self._base is None else self.by_listener.number

    def listeners_with(self, plays: ColumnElement[int]) -> Select[int]:
        if self._base is None:
            return super().listeners_with(plays)
        listeners = self.by_listener.counts
        return select(func.count()).where(listeners.c.plays >= plays)

    def by_bucket(self, starts: Sequence[datetime]) -> CTE:
        # The first bucket begins where the window does: what lies there is not told by slots.
        if not self._rollups.has_slots or not all(_is_whole_slot(naive(start)) for start in starts[1:]):
            return super().by_bucket(starts)
        instant = self._by_slot.c.instant
        bucket = func.width_bucket(instant, literal([naive(start) for start in starts], ARRAY(TIMESTAMP)))
        return self._sums(bucket.label("number"))

    @cached_property
    def by_hour(self) -> CTE:
        clock, calendar = clock_steps(self.window.tz), day_steps(self.window.tz)
        if not self._rollups.has_slots or not _are_whole_slots((*clock, *calendar)):
            return super().by_hour
        instant = self._by_slot.c.instant
        shown = local_time(instant, clock)
        return self._sums(
            cast(local_time(instant, calendar), Date).label("day"),
            cast(func.date_part("isodow", shown), Integer).label("weekday"),
            cast(func.date_part("hour", shown), Integer).label("hour"),
        )

    @cached_property
    def days(self) -> CTE:
        calendar = day_steps(self.window.tz)
        if not self._rollups.has_slots or not _are_whole_slots(calendar):
            return super().days
        day = cast(local_time(self._by_slot.c.instant, calendar), Date).label("day")
        return select(self._sums(day).c.day).cte(self.name + "days")

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
        """`instant`, `plays` and `listen_time_ms`, which sum up to the window's listens."""
        starts, ends = self._span
        inner = Span(starts and _slot(starts + SLOT - timedelta(microseconds=1)), ends and _slot(ends))
        stored = select(slots.c.starts.label("instant"), slots.c.plays, slots.c.listen_time_ms)
        if inner.starts is not None:
            stored = stored.where(slots.c.starts >= inner.starts)
        if inner.ends is not None:
            stored = stored.where(slots.c.starts < inner.ends)
        parts = [stored]
        if self._rollups.changed:
            parts.append(select(self._slot_changes(inner)))
        if starts and ends and inner.starts and inner.ends and inner.starts >= inner.ends:
            parts = [self._live(starts, ends)]
        else:
            if starts and inner.starts and starts < inner.starts:
                parts.append(self._live(starts, inner.starts))
            if ends and inner.ends and inner.ends < ends:
                parts.append(self._live(inner.ends, ends))
        return (union_all(*parts) if len(parts) > 1 else parts[0]).subquery()

    def _slot_changes(self, span: Span) -> CTE:
        mark = f"{self.name}slots_"
        return (
            text(slot_changes(ONE_WINDOW.format(name=mark), catalogue=self._rollups.catalogue_changed))
            .bindparams(**{f"{mark}id": 0, f"{mark}starts": span.starts, f"{mark}ends": span.ends})
            .columns(starts=DateTime, plays=Integer, listen_time_ms=BigInteger)
            .cte(self.name + "slot_changes")
        )

    def _live(self, starts: datetime, ends: datetime) -> Select[Any]:
        columns: list[Any] = [History.played_at, literal(1), cast(Track.duration_ms, BigInteger)]
        return (
            select(*columns)
            .join_from(History, Track, Track.id == History.track_id)
            .where(History.played_at >= starts, History.played_at < ends)
        )


def _measure(rows: Any, by: SortBy) -> ColumnElement[int]:
    measure: ColumnElement[int] = rows.c.plays if by is SortBy.COUNT else rows.c.listen_time_ms
    return measure


def _slot(instant: datetime) -> datetime:
    """The beginning of an instant's slot."""
    return instant - (instant - EPOCH) % SLOT


def _is_whole_slot(instant: datetime) -> bool:
    return _slot(instant) == instant


def _are_whole_slots(steps: Sequence[Step]) -> bool:
    """Whether a clock shows one hour and one day for all of a slot."""
    return all(not step.offset % SLOT and (step.start is None or _is_whole_slot(naive(step.start))) for step in steps)
