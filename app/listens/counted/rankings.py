"""Everyone's listens by track, artist, genre and listener, out of the rollups, with what is to be added to those."""

from collections.abc import Sequence
from functools import cached_property
from typing import Any

from sqlalchemy import (
    CTE,
    ColumnElement,
    FromClause,
    Select,
    Text,
    and_,
    any_,
    cast,
    func,
    select,
    union_all,
)

from app.domain.ranking import SortBy
from app.listens.counted.waiting import public
from app.listens.expressions import byte_order, total
from app.listens.relations import Number, Relation, TimedRelation, added_up, measure_of, page_of
from app.models.rollups import Kind, rankings, sizes


class RankedRelation(TimedRelation):
    """A ranking of everyone's listens, and the changes to it."""

    def __init__(self, kind: Kind, window_id: ColumnElement[int], changes: Sequence[Relation], name: str) -> None:
        super().__init__(name)
        self._kind = kind
        self._window_id = window_id
        self._added = changes

    @cached_property
    def _changes(self) -> CTE | None:
        """`id`, as it is stored, `plays` and `listen_time_ms` to add; None where nothing is."""
        if not self._added:
            return None
        rows = added_up([added.times for added in self._added], "plays", "listen_time_ms").c
        id_: Any = _own_id(rows.id) if self._kind is Kind.LISTENER else rows.id
        return select(id_.label("id"), rows.plays, rows.listen_time_ms).cte(self.name + "_changes")

    @cached_property
    def _changed(self) -> CTE | None:
        """`id`, `plays` and `listen_time_ms`, as they are now, of what has changes, and whether it `was_ranked`."""
        if self._changes is None:
            return None
        changes = self._changes.c
        is_same = and_(
            rankings.c.window_id == self._window_id, rankings.c.kind == self._kind, rankings.c.id == changes.id
        )
        return (
            select(
                changes.id,
                (changes.plays + func.coalesce(rankings.c.plays, 0)).label("plays"),
                (changes.listen_time_ms + func.coalesce(rankings.c.listen_time_ms, 0)).label("listen_time_ms"),
                rankings.c.id.is_not(None).label("was_ranked"),
            )
            .join_from(self._changes, rankings, is_same, isouter=True)
            .cte(self.name + "_changed")
        )

    def _stored(self, *columns: str) -> Select[Any]:
        """The ranking, as it was before the changes."""
        return select(*(rankings.c[name] for name in columns or ("id", "plays", "listen_time_ms"))).where(
            rankings.c.window_id == self._window_id, rankings.c.kind == self._kind
        )

    def _rows(self, first: tuple[SortBy, Number] | None = None) -> FromClause:
        """`id`, `plays` and `listen_time_ms`, as they are now: all rows, or the first ones by a measure."""
        stored, changed = self._stored(), self._changed
        if changed is not None:
            # As a hash, in the order of the list. NOT EXISTS may go through all changes for each row of it.
            stored = stored.where(rankings.c.id.not_in(select(changed.c.id)))
        if first is not None:
            by, number = first
            stored = stored.order_by(measure_of(rankings, by).desc(), byte_order(rankings.c.id)).limit(number)
        if changed is None:
            return stored.subquery()
        own = select(changed.c.id, changed.c.plays, changed.c.listen_time_ms).where(changed.c.plays > 0)
        return union_all(select(stored.subquery()), own).subquery()

    @cached_property
    def times(self) -> CTE:
        rows = self._rows()
        return select(public(self._kind, rows.c.id), rows.c.plays, rows.c.listen_time_ms).cte(self.name)

    def page(self, by: SortBy, limit: Number, offset: Number = 0) -> CTE:
        page = page_of(measure_of(self._rows((by, offset + limit)), by), limit, offset).subquery()
        return select(public(self._kind, page.c.id), page.c.plays, page.c.listen_time_ms, page.c.rank).cte(
            self.name + "_page"
        )

    def ranks_of(self, ids: ColumnElement[Sequence[Any]], by: SortBy) -> Select[Any]:
        if self._changes is not None:
            return super().ranks_of(ids, by)
        better = rankings.alias()
        number = (
            select(func.count() + 1)
            .where(
                better.c.window_id == rankings.c.window_id,
                better.c.kind == rankings.c.kind,
                measure_of(better, by) > measure_of(rankings, by),
            )
            .scalar_subquery()
        )
        own = rankings.c.id == any_(ids)
        if self._kind is Kind.LISTENER:
            own = rankings.c.id.in_(select(_own_id(func.unnest(ids))))
        return self._stored("id", "plays").where(own).with_only_columns(
            public(self._kind, rankings.c.id), rankings.c.plays, number.label("rank")
        )  # fmt: skip

    @property
    def number(self) -> Select[int]:
        rows, changed = self._size(sizes.c.rows), self._changed
        if changed is None:
            return select(rows)
        came_and_went = func.count().filter(changed.c.plays > 0) - func.count().filter(changed.c.was_ranked)
        return select(rows + select(came_and_went).select_from(changed).scalar_subquery())

    def number_with(self, plays: ColumnElement[int]) -> Select[int]:
        if self._added:
            return super().number_with(plays)
        return select(func.count()).select_from(self._stored().where(rankings.c.plays >= plays).subquery())

    def whole(self, by: SortBy) -> Select[int]:
        whole = self._size(measure_of(sizes, by))
        if self._changes is None:
            return select(whole)
        return select(whole + select(total(measure_of(self._changes, by))).scalar_subquery())

    def _size(self, column: ColumnElement[int]) -> ColumnElement[int]:
        size = select(column).where(sizes.c.window_id == self._window_id, sizes.c.kind == self._kind)
        return size.scalar_subquery()


def _own_id(user_id: Any) -> ColumnElement[str]:
    """A user's id as an id of a ranking."""
    return func.lpad(cast(user_id, Text), 10, "0")
