"""Rankings of everyone's listens out of the rollups, with what the changes that wait make of them.

A window that has no rankings of its own is made of one that has: what lies between their ends is counted in the live
tables, and added or taken away like any other change.
"""

from collections.abc import Sequence
from functools import cached_property
from typing import Any

from sqlalchemy import (
    CTE,
    BigInteger,
    ColumnElement,
    FromClause,
    Integer,
    Select,
    String,
    and_,
    bindparam,
    cast,
    func,
    literal,
    select,
    text,
    union_all,
)

from app.models.rollups import Kind, rankings, sizes
from app.ranking import SortBy
from app.rollups.changes import ONE_WINDOW, ranking_changes
from app.rollups.spans import Base
from app.rollups.state import Rollups
from app.services.expressions import byte_order, total
from app.services.relations import Number, TimedRelation, measure_of, page_of


class RolledUpRelation(TimedRelation):
    """A ranking of everyone's listens, and the changes to it."""

    def __init__(self, kind: Kind, base: Base, rollups: Rollups, name: str, *, is_open: bool = False) -> None:
        super().__init__(name)
        self._kind = kind
        self._base = base
        self._is_open = is_open
        self._window_id = bindparam("window_id", type_=Integer) if is_open else literal(base.window_id, Integer)
        self._catalogue_changed = rollups.catalogue_changed
        self._is_whole = not rollups.changed and not base.edges

    @cached_property
    def _changes(self) -> CTE:
        """`id`, `plays` and `listen_time_ms` to add."""
        mark = "window_" if self._is_open else f"{self.name}_"
        values: dict[str, Any] = {"id": self._base.window_id, **self._base.span._asdict()}
        edges = []
        for number, edge in enumerate(self._base.edges):
            bounds = {f"from{number}": (">=", edge.span.starts), f"to{number}": ("<", edge.span.ends)}
            given = {name: (sign, bound) for name, (sign, bound) in bounds.items() if bound is not None}
            where = " AND ".join(f"played_at {sign} :{mark}{name}" for name, (sign, _) in given.items())
            values |= {name: bound for name, (_, bound) in given.items()}
            edges.append(
                f"SELECT CAST(:{mark}id AS integer), user_id, track_id, played_at, {edge.sign}"
                f' FROM "History" WHERE {where}'
            )
        sql = ranking_changes(
            ONE_WINDOW.format(name=mark), [self._kind], " UNION ALL ".join(edges), catalogue=self._catalogue_changed
        )
        changes = text(sql)
        if not self._is_open:
            changes = changes.bindparams(**{mark + key: value for key, value in values.items()})
        columns = {"window_id": Integer, "kind": Integer, "id": String, "plays": Integer, "listen_time_ms": BigInteger}
        return changes.columns(**columns).cte(self.name + "_changes")

    @cached_property
    def _changed(self) -> CTE:
        """`id`, `plays` and `listen_time_ms`, as they are now, of what has changes, and whether it `was_ranked`."""
        changes = self._changes.c
        return (
            select(
                changes.id,
                (changes.plays + func.coalesce(rankings.c.plays, 0)).label("plays"),
                (changes.listen_time_ms + func.coalesce(rankings.c.listen_time_ms, 0)).label("listen_time_ms"),
                rankings.c.id.is_not(None).label("was_ranked"),
            )
            .join_from(
                self._changes,
                rankings,
                and_(
                    rankings.c.window_id == self._window_id,
                    rankings.c.kind == self._kind,
                    rankings.c.id == changes.id,
                ),
                isouter=True,
            )
            .cte(self.name + "_changed")
        )

    def _stored(self, *columns: str) -> Select[Any]:
        """The ranking, as it was before the changes."""
        return select(*(rankings.c[name] for name in columns or ("id", "plays", "listen_time_ms"))).where(
            rankings.c.window_id == self._window_id, rankings.c.kind == self._kind
        )

    def _rows(self, first: tuple[SortBy, Number] | None = None) -> FromClause:
        """`id`, `plays` and `listen_time_ms`, as they are now: all rows, or the first ones by a measure."""
        stored = self._stored()
        if not self._is_whole:
            # As a hash, in the order of the list. NOT EXISTS may go through all changes for each row of it.
            stored = stored.where(rankings.c.id.not_in(select(self._changes.c.id)))
        if first is not None:
            by, number = first
            stored = stored.order_by(measure_of(rankings, by).desc(), byte_order(rankings.c.id)).limit(number)
        if self._is_whole:
            return stored.subquery()
        rows = stored.subquery()
        changed = select(self._changed.c.id, self._changed.c.plays, self._changed.c.listen_time_ms)
        return union_all(select(rows), changed.where(self._changed.c.plays > 0)).subquery()

    @cached_property
    def times(self) -> CTE:
        rows = self._rows()
        return select(self._public(rows.c.id), rows.c.plays, rows.c.listen_time_ms).cte(self.name)

    def page(self, by: SortBy, limit: Number, offset: Number = 0) -> CTE:
        page = page_of(measure_of(self._rows((by, offset + limit)), by), limit, offset).subquery()
        return select(self._public(page.c.id), page.c.plays, page.c.listen_time_ms, page.c.rank).cte(
            self.name + "_page"
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
                measure_of(better, by) > measure_of(rankings, by),
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
        came_and_went = func.count().filter(self._changed.c.plays > 0) - func.count().filter(self._changed.c.was_ranked)
        return select(rows + select(came_and_went).select_from(self._changed).scalar_subquery())

    def number_with(self, plays: ColumnElement[int]) -> Select[int]:
        """The number of ids with at least so many listens, one or more: one row, one column."""
        rows = self._rows()
        return select(func.count()).select_from(rows).where(rows.c.plays >= plays)

    def whole(self, by: SortBy) -> Select[int]:
        whole = self._size(measure_of(sizes, by))
        if self._is_whole:
            return select(whole)
        return select(whole + select(total(measure_of(self._changes, by))).scalar_subquery())

    def _size(self, column: ColumnElement[int]) -> ColumnElement[int]:
        size = select(column).where(sizes.c.window_id == self._window_id, sizes.c.kind == self._kind)
        return size.scalar_subquery()

    def _public(self, id_: ColumnElement[Any]) -> ColumnElement[Any]:
        """An id as the platform knows it."""
        return cast(id_, Integer).label("id") if self._kind is Kind.LISTENER else id_
