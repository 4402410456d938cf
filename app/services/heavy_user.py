"""The listens of a user with many: what is counted ahead, and what came later, live."""

from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any

from sqlalchemy import CTE, FromClause, Integer, Select, func, select, union_all

from app.audience import Audience
from app.models.history import History
from app.models.rollups import Kind, heavy_users, user_rankings
from app.ranking import SortBy
from app.rollups.spans import Span
from app.services.expressions import aware, naive, total
from app.services.listens import Listens, Shape
from app.services.relations import Relation, TimedRelation
from app.services.slots import SlottedListens, number_of_slot
from app.timezones import timezone
from app.windows import CUSTOM, MIN_BOUND, Window


@dataclass(frozen=True)
class HeavyUserShape:
    """The shape of a heavy user's listens over all time."""

    has_end: bool
    name: str

    def listens(self) -> "HeavyUserListens":
        """Listens of this shape, whose values a statement is yet to be given."""
        window = Window(CUSTOM, None, MIN_BOUND if self.has_end else None, timezone("UTC"))
        return HeavyUserListens(Audience.user(0), window, naive(MIN_BOUND), name=self.name, is_open=True)


class HeavyUserListens(SlottedListens):
    """A user's listens in a window; those before an instant, `counted_until`, are counted ahead."""

    def __init__(
        self, audience: Audience, window: Window, counted_until: datetime, *, name: str = "", is_open: bool = False
    ) -> None:
        super().__init__(audience, window, name=name, is_open=is_open)
        self.counted_until = self.slots_end = counted_until
        self._has_rankings = window.start is None and (window.end is None or naive(window.end) >= counted_until)

    @property
    def shape(self) -> Shape | None:
        return HeavyUserShape(self.window.end is not None, self.name) if self._has_rankings else super().shape

    @property
    def values(self) -> dict[str, Any]:
        return self._later.values if self._has_rankings else super().values

    @cached_property
    def _later(self) -> Listens:
        window = Window(CUSTOM, aware(self.counted_until), self.window.end, self.window.tz)
        return Listens(self.audience, window, name=self.name + "later_", is_open=self.is_open)

    def _relation(self, kind: Kind, later: Relation) -> Relation:
        user_id = self._value("users", Integer())
        stored = select(
            func.unnest(user_rankings.c.ids).label("id"),
            func.unnest(user_rankings.c.plays).label("plays"),
            func.unnest(user_rankings.c.listen_time_ms).label("listen_time_ms"),
        ).where(user_rankings.c.user_id == user_id, user_rankings.c.kind == kind)
        return CountedRelation(stored, later, f"{self.name}by_{kind.name.lower()}")

    @cached_property
    def by_track(self) -> Relation:
        return self._relation(Kind.TRACK, self._later.by_track) if self._has_rankings else super().by_track

    @cached_property
    def by_artist(self) -> Relation:
        return self._relation(Kind.ARTIST, self._later.by_artist) if self._has_rankings else super().by_artist

    @cached_property
    def by_primary_artist(self) -> Relation:
        if not self._has_rankings:
            return super().by_primary_artist
        return self._relation(Kind.PRIMARY_ARTIST, self._later.by_primary_artist)

    @cached_property
    def by_genre(self) -> Relation:
        return self._relation(Kind.GENRE, self._later.by_genre) if self._has_rankings else super().by_genre

    @cached_property
    def rows(self) -> FromClause:
        if not self._has_rankings:
            return super().rows
        # As they are: the planner takes a user's tracks for few, and would find the listens of each among everyone's.
        return select(History.user_id, History.played_at, History.track_id).where(*self.conditions).cte(
            self.name + "listens"
        ).prefix_with("MATERIALIZED")  # fmt: skip

    @property
    def durations(self) -> FromClause:
        if not self._has_rankings:
            return super().durations
        tracks = self.by_track.times.c
        return select(tracks.id, (tracks.listen_time_ms / tracks.plays).label("duration_ms")).subquery()

    @cached_property
    def plays(self) -> CTE:
        if not self._has_rankings:
            return super().plays
        tracks = self.by_track.counts
        return select(tracks.c.id.label("track_id"), tracks.c.plays).cte(self.name + "plays")

    def _stored_slots(self, span: Span) -> list[Select[Any]]:
        user = (
            select(
                func.unnest(heavy_users.c.slots).label("slot"),
                func.unnest(heavy_users.c.plays).label("plays"),
                func.unnest(heavy_users.c.listen_time_ms).label("listen_time_ms"),
            )
            .where(heavy_users.c.user_id == self._value("users", Integer()))
            .subquery()
        )
        stored = select(user)
        if span.starts is not None:
            stored = stored.where(user.c.slot >= number_of_slot(span.starts))
        if span.ends is not None:
            stored = stored.where(user.c.slot < number_of_slot(span.ends))
        return [stored]


class CountedRelation(TimedRelation):
    """Listens by something: those counted ahead, and later ones."""

    def __init__(self, stored: Select[Any], later: Relation, name: str) -> None:
        super().__init__(name)
        self._stored = stored
        self._later = later

    def _rows(self) -> FromClause:
        return union_all(self._stored, select(self._later.times)).subquery()

    def whole(self, by: SortBy) -> Select[int]:
        # No row has to be put together for a sum.
        rows = self._rows().c
        return select(total(rows.plays if by is SortBy.COUNT else rows.listen_time_ms))

    @cached_property
    def times(self) -> CTE:
        rows = self._rows()
        return (
            select(rows.c.id, total(rows.c.plays).label("plays"), total(rows.c.listen_time_ms).label("listen_time_ms"))
            .group_by(rows.c.id)
            .cte(self.name + "_times")
        )
