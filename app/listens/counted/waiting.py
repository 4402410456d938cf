"""What the changes that wait add to what is counted of everyone's listens, so that it is what the live tables say."""

from functools import cached_property
from typing import Any

from sqlalchemy import CTE, BigInteger, ColumnElement, Integer, String, cast, select, text

from app.listens.relations import TimedRelation
from app.models.rollups import Kind
from app.rollups.sql.changes import ONE_WINDOW, ranking_changes


def public(kind: Kind, id_: ColumnElement[str]) -> ColumnElement[Any]:
    """An id of the rollups as the platform knows it."""
    return cast(id_, Integer).label("id") if kind is Kind.LISTENER else id_


class Waiting(TimedRelation):
    """What the changes that wait to be folded in make of a window, whose parameters' names begin with `base_name`."""

    def __init__(self, kind: Kind, name: str, base_name: str, *, catalogue: bool) -> None:
        super().__init__(name)
        self._kind = kind
        self._base_name = base_name
        self._catalogue = catalogue

    @cached_property
    def times(self) -> CTE:
        windows = ONE_WINDOW.format(name=self._base_name)
        changes = text(ranking_changes(windows, [self._kind], catalogue=self._catalogue))
        columns = {"window_id": Integer, "kind": Integer, "id": String, "plays": Integer, "listen_time_ms": BigInteger}
        rows = changes.columns(**columns).subquery().c
        return select(public(self._kind, rows.id), rows.plays, rows.listen_time_ms).cte(self.name)
