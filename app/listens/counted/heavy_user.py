"""The listens of a user with many: what is counted ahead, and what came later, live."""

from dataclasses import replace
from datetime import datetime
from functools import cached_property
from typing import Any

from sqlalchemy import CTE, ColumnElement, FromClause, Integer, Label, Select, Table, func, select

from app.domain.audience import Audience
from app.domain.timezones import aware, naive
from app.domain.windows import Window
from app.listens.counted.by_slot import SlottedListens, within
from app.listens.live import Listens
from app.listens.relations import CountedRelation, Relation
from app.models.history import History
from app.models.rollups import Kind, heavy_users, user_rankings
from app.rollups.spans import Span


def heavy_user_listens(audience: Audience, window: Window, counted_until: datetime, name: str = "") -> Listens:
    """The listens of a user whose listens before an instant, naive and in UTC, are counted ahead."""
    has_rankings = window.start is None and (window.end is None or naive(window.end) >= counted_until)
    return (RankedListens if has_rankings else HeavyUserListens)(audience, window, counted_until, name=name)


class HeavyUserListens(SlottedListens):
    """A user's listens in any window: those before an instant are counted by slot."""

    def __init__(self, audience: Audience, window: Window, counted_until: datetime, *, name: str = "") -> None:
        super().__init__(audience, window, name=name)
        self.slots_end = counted_until

    def _stored_slots(self, span: Span) -> list[Select[Any]]:
        stored = _unnested(heavy_users, heavy_users.c.slots.label("slot")).where(self._is_own(heavy_users)).subquery()
        return [within(select(stored), stored.c.slot, span)]

    def _is_own(self, table: Table) -> ColumnElement[bool]:
        is_own: ColumnElement[bool] = table.c.user_id == self.value("users", Integer())
        return is_own


class RankedListens(HeavyUserListens):
    """A user's listens from the first one on: those before an instant are counted by track, artist and genre, too."""

    def __init__(self, audience: Audience, window: Window, counted_until: datetime, *, name: str = "") -> None:
        super().__init__(audience, window, counted_until, name=name)
        later = replace(window, start=aware(counted_until))
        self._later = Listens(audience, later, name=name + "later_")

    @property
    def values(self) -> dict[str, Any]:
        return super().values | self._later.values

    @cached_property
    def by_track(self) -> Relation:
        return self._counted(Kind.TRACK, self._later.by_track)

    @cached_property
    def by_artist(self) -> Relation:
        return self._counted(Kind.ARTIST, self._later.by_artist)

    @cached_property
    def by_primary_artist(self) -> Relation:
        return self._counted(Kind.PRIMARY_ARTIST, self._later.by_primary_artist)

    @cached_property
    def by_genre(self) -> Relation:
        return self._counted(Kind.GENRE, self._later.by_genre)

    def _counted(self, kind: Kind, later: Relation) -> Relation:
        stored = _unnested(user_rankings, user_rankings.c.ids.label("id"))
        own = stored.where(self._is_own(user_rankings), user_rankings.c.kind == kind)
        name = f"{self.name}by_{kind.name.lower()}"
        return CountedRelation(own.cte(name + "_stored"), [later], name)

    @cached_property
    def rows(self) -> FromClause:
        # As they are: the planner takes a user's tracks for few, and would find the listens of each among everyone's.
        rows = select(History.user_id, History.played_at, History.track_id).where(*self.conditions)
        return rows.cte(self.name + "listens").prefix_with("MATERIALIZED")

    @cached_property
    def plays(self) -> CTE:
        tracks = self.by_track.counts
        return select(tracks.c.id.label("track_id"), tracks.c.plays).cte(self.name + "plays")

    @property
    def durations(self) -> FromClause:
        tracks = self.by_track.times.c
        return select(tracks.id, (tracks.listen_time_ms / tracks.plays).label("duration_ms")).subquery()


def _unnested(table: Table, key: Label[Any]) -> Select[Any]:
    """The rows of a table whose columns are arrays: a key, `plays` and `listen_time_ms`."""
    columns = (key, table.c.plays, table.c.listen_time_ms)
    return select(*(func.unnest(column).label(column.name) for column in columns))
