"""Listens by something: by track, by artist, by genre, by listener."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

from sqlalchemy import CTE, BigInteger, ColumnElement, FromClause, Select, String, any_, cast, func, select, union_all

from app.domain.ranking import SortBy
from app.listens.expressions import byte_order, lasting, looked_up, total
from app.models.history import Track

# A number, or a parameter of an open statement.
Number = int | ColumnElement[int]


class Relation(ABC):
    """Listens by something.

    Summing up listen times may want a look at every track: what needs only counts, or the times of a few ids, asks for
    no more.
    """

    def __init__(self, name: str) -> None:
        self.name = name

    @property
    @abstractmethod
    def counts(self) -> CTE:
        """`id` and `plays`."""

    @property
    @abstractmethod
    def times(self) -> CTE:
        """`id`, `plays` and `listen_time_ms`."""

    @abstractmethod
    def times_of(self, rows: CTE) -> CTE:
        """`id`, `plays` and `listen_time_ms` of the ids in some rows."""

    def page(self, by: SortBy, limit: Number, offset: Number = 0) -> CTE:
        """`id`, `rank`, `plays` and `listen_time_ms` of `limit` rows by a measure, after the first `offset`.

        Ranks are competition ranks over all rows; rows of one rank are in the order of their ids.
        """
        page = page_of(self._measured(by), limit, offset).cte(self.name + "_page")
        if "listen_time_ms" in page.c:
            return page
        # By count, the times of the page's rows are all that is needed.
        times = self.times_of(page)
        return (
            select(page, times.c.listen_time_ms)
            .join_from(page, times, times.c.id == page.c.id)
            .cte(self.name + "_timed_page")
        )

    def ranks_of(self, ids: ColumnElement[Sequence[Any]], by: SortBy) -> Select[Any]:
        """`id`, `plays` and `rank` of those of the given ids, an array, that have listens."""
        measured = self._measured(by)
        rows = measured.table
        # Rows below the lowest requested value cannot change these ranks.
        least = select(func.min(measured)).where(rows.c.id == any_(ids)).scalar_subquery()
        rank = func.rank().over(order_by=measured.desc()).label("rank")
        ranked = select(rows, rank).where(measured >= least).cte(self.name + "_ranked")
        return select(ranked.c.id, ranked.c.plays, ranked.c.rank).where(ranked.c.id == any_(ids))

    @property
    def number(self) -> Select[int]:
        """The number of ids: one row, one column."""
        return number_of(self.counts)

    def whole(self, by: SortBy) -> Select[int]:
        """The sum of a measure over all ids, 0 where there are none: one row, one column."""
        return select(total(self._measured(by)))

    def number_with(self, plays: ColumnElement[int]) -> Select[int]:
        """The number of ids with at least `plays` listens: one row, one column."""
        return select(func.count()).select_from(self.counts).where(self.counts.c.plays >= plays)

    def _measured(self, by: SortBy) -> Any:
        return self.counts.c.plays if by is SortBy.COUNT else self.times.c.listen_time_ms


class LiveRelation(Relation):
    """Listens by something, out of the live tables.

    `parts` has the columns `id`, `track_id` and `plays`, a number of listens; an id may stand in several rows, unless
    it `is_unique`. `by_track` are the same listens by track, where each track has all of them in each of its rows: it
    is looked up once then.
    """

    def __init__(
        self,
        parts: FromClause,
        name: str,
        *,
        one_by_one: bool,
        is_unique: bool = False,
        by_track: Relation | None = None,
    ) -> None:
        super().__init__(name)
        self.parts = parts
        self._one_by_one = one_by_one
        self._is_unique = is_unique
        self._by_track = by_track

    @cached_property
    def counts(self) -> CTE:
        parts = self.parts.c
        if self._is_unique:
            return select(parts.id, parts.plays).cte(self.name)
        return select(parts.id, total(parts.plays).label("plays")).group_by(parts.id).cte(self.name)

    @cached_property
    def times(self) -> CTE:
        return self._times().cte(self.name + "_times")

    def times_of(self, rows: CTE) -> CTE:
        parts = select(self.parts).join_from(self.parts, rows, rows.c.id == self.parts.c.id).subquery()
        few = LiveRelation(parts, self.name, one_by_one=self._one_by_one, is_unique=self._is_unique)
        return few._times().cte(self.name + "_times_of")

    def _times(self) -> Select[Any]:
        parts = self.parts.c
        if self._by_track is not None:
            tracks: Any = self._by_track.times
            is_same, time = tracks.c.id == parts.track_id, tracks.c.listen_time_ms
        else:
            tracks, is_same = looked_up(Track.id, parts.track_id, one_by_one=self._one_by_one)
            time = cast(lasting(tracks.c.duration_ms), BigInteger) * parts.plays
        if self._is_unique:
            return select(parts.id, parts.plays, time.label("listen_time_ms")).join_from(self.parts, tracks, is_same)
        return (
            select(parts.id, total(parts.plays).label("plays"), total(time).label("listen_time_ms"))
            .join_from(self.parts, tracks, is_same)
            .group_by(parts.id)
        )


class TimedRelation(Relation):
    """Listens by something, with listen times that take no other table."""

    @property
    def counts(self) -> CTE:
        return self.times

    def times_of(self, rows: CTE) -> CTE:
        return select(self.times).where(self.times.c.id.in_(select(rows.c.id))).cte(self.name + "_times_of")


def measure_of(rows: Any, by: SortBy) -> ColumnElement[int]:
    """The column of a measure in rows of `plays` and `listen_time_ms`."""
    measure: ColumnElement[int] = rows.c.plays if by is SortBy.COUNT else rows.c.listen_time_ms
    return measure


def page_of(measure: ColumnElement[int], limit: Number, offset: Number) -> Select[Any]:
    """The columns of a measure's rows, and their `rank`: `limit` rows, in order, after the first `offset`."""
    rows: Any = measure.table
    # The list's beginning is all that the ranks of a page depend on: no more of it is sorted.
    first = select(rows).order_by(measure.desc(), in_order(rows.c.id)).limit(offset + limit).subquery()
    measured = first.c[measure.name]
    rank = func.rank().over(order_by=measured.desc()).label("rank")
    return select(first, rank).order_by(measured.desc(), in_order(first.c.id)).limit(limit).offset(offset)


def in_order(id_: ColumnElement[Any]) -> ColumnElement[Any]:
    """What ties are sorted by: text byte by byte, numbers as numbers."""
    return byte_order(id_) if isinstance(id_.type, String) else id_


def added_up(parts: Sequence[FromClause], *measures: str) -> FromClause:
    """`id` and sums of measures by id, over the rows of several selectables, or one whose ids are unique."""
    if len(parts) == 1:
        return parts[0]
    rows = union_all(*(select(part.c.id, *(part.c[name] for name in measures)) for part in parts)).subquery()
    sums = (total(rows.c[name]).label(name) for name in measures)
    return select(rows.c.id, *sums).group_by(rows.c.id).subquery()


def joined(one: FromClause, other: FromClause, key: str, *measures: str) -> Select[Any]:
    """A key and sums of measures by key, over the rows of two selectables whose keys are unique."""
    columns: list[Any] = [func.coalesce(one.c[key], other.c[key]).label(key)]
    for name in measures:
        measure = func.coalesce(one.c[name], 0) + func.coalesce(other.c[name], 0)
        columns.append(cast(measure, BigInteger).label(name))
    return select(*columns).select_from(one.join(other, one.c[key] == other.c[key], full=True))


def number_of(rows: CTE) -> Select[int]:
    """The number of rows: one row, one column."""
    return select(func.count()).select_from(rows)


def side_by_side(queries: Mapping[str, Select[Any]]) -> Select[Any]:
    """The results of queries of one row and one column, by name: one row, so that what they share is read once."""
    return select(*(query.scalar_subquery().label(name) for name, query in queries.items()))
