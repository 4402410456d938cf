"""What was new in a window: first listens ever, out of the rollups where they cover it, else out of the live tables."""

from abc import ABC, abstractmethod
from datetime import datetime
from functools import cached_property
from typing import Any

from sqlalchemy import CTE, ColumnElement, DateTime, Select, String, func, literal, select, text, union_all

from app.listens.counted.everyone import RolledUpListens
from app.listens.expressions import between
from app.listens.live import Listens
from app.models.history import History
from app.models.rollups import Kind, firsts
from app.rollups.spans import EVER
from app.rollups.sql.changes import first_changes


class DatedListens(Listens):
    """The listens of a window by track, with the first ones ever: counted in one pass with all that came before."""

    @cached_property
    def firsts(self) -> CTE:
        """`track_id`, `plays`, in the window, and `first`, the first listen ever, which may be before it."""
        plays = func.count().filter(History.played_at >= self.start)
        return (
            select(History.track_id, plays.label("plays"), func.min(History.played_at).label("first"))
            .where(*self.at_any_time, between(History.played_at, literal(EVER.starts), self.end))
            .group_by(History.track_id)
            .cte(self.name + "firsts")
        )

    @cached_property
    def dated_credits(self) -> CTE:
        """`artist_id`, `is_primary` and the columns of `firsts`: its tracks with each of their artists."""
        return self.credits_of(self.firsts).cte(self.name + "dated_credits")

    @cached_property
    def plays(self) -> CTE:
        firsts = self.firsts.c
        return select(firsts.track_id, firsts.plays).where(firsts.plays > 0).cte(self.name + "plays")

    @cached_property
    def credits(self) -> CTE:
        return select(self.dated_credits).where(self.dated_credits.c.plays > 0).cte(self.name + "credits")


class New(ABC):
    """What was new in a window: it has all its listens up to the window's end there."""

    def __init__(self, listens: Listens) -> None:
        self.listens = listens
        self.by_track = listens.by_track
        self.by_artist = listens.by_primary_artist

    @property
    @abstractmethod
    def tracks(self) -> CTE:
        """`id` and `first` of the tracks that were new."""

    @property
    @abstractmethod
    def artists(self) -> CTE:
        """`id` and `first` of the primary artists that were new."""


class LiveNew(New):
    """What was new, out of the live tables."""

    def __init__(self, listens: Listens) -> None:
        self._dated = DatedListens(listens.audience, listens.window, name=listens.name)
        super().__init__(self._dated)

    @property
    def tracks(self) -> CTE:
        firsts = self._dated.firsts.c
        tracks = select(firsts.track_id.label("id"), firsts.first)
        return tracks.where(firsts.first >= self.listens.start).cte("new_tracks")

    @property
    def artists(self) -> CTE:
        credits = self._dated.dated_credits.c
        first = func.min(credits.first)
        return (
            select(credits.artist_id.label("id"), first.label("first"))
            .where(credits.is_primary)
            .group_by(credits.artist_id)
            .having(first >= self.listens.start)
            .cte("new_artists")
        )


class RolledUpNew(New):
    """What was new to everyone, out of the rollups."""

    def __init__(self, listens: RolledUpListens) -> None:
        super().__init__(listens)
        self._rollups = listens.rollups

    @property
    def tracks(self) -> CTE:
        return self._firsts(Kind.TRACK)

    @property
    def artists(self) -> CTE:
        return self._firsts(Kind.PRIMARY_ARTIST)

    def _firsts(self, kind: Kind) -> CTE:
        stored = select(firsts.c.id, firsts.c.played_at.label("first")).where(firsts.c.kind == kind)
        name = f"new_{kind.name.lower()}"
        if not self._rollups.changed:
            return self._in_window(stored, firsts.c.played_at).cte(name)
        changes = text(first_changes(kind)).columns(id=String, played_at=DateTime).cte(name + "_changes")
        changed = select(changes.c.id, changes.c.played_at).where(changes.c.played_at.is_not(None))
        stored = stored.where(firsts.c.id.not_in(select(changes.c.id)))
        return union_all(
            self._in_window(stored, firsts.c.played_at), self._in_window(changed, changes.c.played_at)
        ).cte(name)

    def _in_window(self, query: Select[Any], first: ColumnElement[datetime]) -> Select[Any]:
        return query.where(between(first, self.listens.start, self.listens.end))


def new_in(listens: Listens) -> New:
    """What was new in a window."""
    if isinstance(listens, RolledUpListens) and listens.is_counted and listens.rollups.has_firsts:
        return RolledUpNew(listens)
    return LiveNew(listens)
