"""The listens by which a window differs from one that is counted."""

from collections.abc import Sequence
from functools import cached_property, reduce
from typing import Any

from sqlalchemy import CTE, FromClause, Select, func, literal, select, union_all

from app.domain.audience import EVERYONE
from app.domain.timezones import DAY, timezone
from app.domain.windows import Window
from app.listens.expressions import between
from app.listens.live import Listens
from app.listens.relations import LiveRelation, Relation, joined
from app.models.history import History
from app.rollups.spans import Edge

# Up to this long, what is looked up for the listens at an edge is looked up value by value.
SHORT = DAY


class EdgeListens(Listens):
    """Everyone's listens at the edges of a window: those that it has more count 1, and those that it has less, -1."""

    def __init__(self, edges: Sequence[Edge], name: str) -> None:
        super().__init__(EVERYONE, Window.all_time(timezone("UTC")), name=name)
        self._edges = edges

    @property
    def one_by_one(self) -> bool:
        """The edges of another time zone are short, and the planner would read the whole catalogue for them."""
        return all(edge.span.length <= SHORT for edge in self._edges)

    @cached_property
    def plays(self) -> CTE:
        # Joined rather than added up: the planner knows how many tracks an edge has, and not how many a union has. And
        # as it is: what is looked up for the tracks is not looked up by several processes, of which each counts them.
        counted: list[FromClause] = [self._plays(edge).subquery() for edge in self._edges]
        plays = reduce(lambda one, other: joined(one, other, "track_id", "plays").subquery(), counted)
        return select(*plays.c).cte(self.name + "plays").prefix_with("MATERIALIZED")

    def _plays(self, edge: Edge) -> Select[Any]:
        plays: Any = edge.sign * func.count()
        return (
            select(History.track_id, plays.label("plays"))
            .where(between(History.played_at, *edge.span))
            .group_by(History.track_id)
        )

    @cached_property
    def by_listener(self) -> Relation:
        parts = union_all(
            *(
                select(History.user_id.label("id"), History.track_id, literal(edge.sign).label("plays")).where(
                    between(History.played_at, *edge.span)
                )
                for edge in self._edges
            )
        )
        return LiveRelation(parts.subquery(), self.name + "by_listener", one_by_one=self.one_by_one)
