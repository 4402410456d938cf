"""What is to be added to what is counted of everyone's listens, so that it is what the live tables say."""

from functools import cached_property
from typing import Any

from sqlalchemy import CTE, BigInteger, ColumnElement, Integer, String, cast, select, text

from app.listens.counted.edges import EdgeListens
from app.listens.relations import Relation, TimedRelation
from app.models.rollups import Kind
from app.rollups.counts.prefix_sums import plays_before
from app.rollups.spans import Base
from app.rollups.sql.changes import ONE_WINDOW, RANKED_BEFORE, ranking_changes
from app.rollups.state import Rollups


def changes_of(
    kind: Kind, base: Base, edges: EdgeListens | None, rollups: Rollups, name: str, base_name: str
) -> list[Relation]:
    """What is to be added to what is counted of a base: what lies at its edges, and changes that wait."""
    changes: list[Relation] = []
    if edges is not None:
        changes.append(getattr(edges, f"by_{kind.name.lower()}"))
    if rollups.changed:
        changes.append(Waiting(kind, base, name + "_waiting", base_name, catalogue=rollups.catalogue_changed))
    return changes


def public(kind: Kind, id_: ColumnElement[str]) -> ColumnElement[Any]:
    """An id of the rollups as the platform knows it."""
    return cast(id_, Integer).label("id") if kind is Kind.LISTENER else id_


class Waiting(TimedRelation):
    """What the changes that wait to be folded in make of a base, whose parameters' names begin with `base_name`."""

    def __init__(self, kind: Kind, base: Base, name: str, base_name: str, *, catalogue: bool) -> None:
        super().__init__(name)
        self._kind = kind
        self._base = base
        self._base_name = base_name
        self._catalogue = catalogue

    @cached_property
    def times(self) -> CTE:
        kind, base = self._kind, self._base
        before = RANKED_BEFORE if base.window_id is not None else plays_before(base.span)
        windows = ONE_WINDOW.format(name=self._base_name)
        changes = text(ranking_changes(windows, [kind], catalogue=self._catalogue, plays_before=before))
        columns = {"window_id": Integer, "kind": Integer, "id": String, "plays": Integer, "listen_time_ms": BigInteger}
        rows = changes.columns(**columns).subquery().c
        return select(public(kind, rows.id), rows.plays, rows.listen_time_ms).cte(self.name)
