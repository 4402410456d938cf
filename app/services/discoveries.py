"""Discoveries: what was listened to for the first time ever within the window."""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import CTE, ColumnElement, DateTime, FromClause, Select, String, func, select, text, union_all
from sqlalchemy.orm import Session

from app.audience import Audience
from app.models.history import ArtistTrack, History
from app.models.rollups import Kind, firsts
from app.ranking import Page
from app.rollups.changes import first_changes
from app.rollups.spans import Span
from app.services import catalogue
from app.services.expressions import between, byte_order, looked_up
from app.services.listens import Listens
from app.services.listing import Listing
from app.services.paging import paged
from app.services.relations import LiveRelation, Relation
from app.services.rolled_up import RolledUpListens
from app.services.sources import listens_of
from app.windows import Window


@dataclass(frozen=True, kw_only=True)
class Discovery:
    """The audience's first listen ever, and its listens in the window."""

    count: int
    listen_time_ms: int
    first_listened_at: datetime


@dataclass(frozen=True, kw_only=True)
class DiscoveredTrack(catalogue.Track, Discovery):
    """A track that was new."""


@dataclass(frozen=True, kw_only=True)
class DiscoveredArtist(catalogue.Artist, Discovery):
    """A primary artist that was new."""


def discovered_tracks(session: Session, audience: Audience, window: Window, page: Page) -> Listing[DiscoveredTrack]:
    """Tracks whose first listen ever lies in the window, newest first, then by id."""
    new = new_in(session, audience, window)
    found, rows = _page(session, new.tracks, new.by_track, new, page)
    tracks = catalogue.tracks(session, list(found))
    return Listing([DiscoveredTrack(**vars(tracks[id_]), **vars(entry)) for id_, entry in found.items()], rows)


def discovered_artists(session: Session, audience: Audience, window: Window, page: Page) -> Listing[DiscoveredArtist]:
    """Primary artists whose first listen ever lies in the window, newest first, then by id."""
    new = new_in(session, audience, window)
    found, rows = _page(session, new.artists, new.by_artist, new, page)
    artists = catalogue.artists(session, list(found))
    return Listing([DiscoveredArtist(**vars(artists[id_]), **vars(entry)) for id_, entry in found.items()], rows)


class New:
    """What was new in a window.

    What was first listened to in the window has all its listens up to the window's end in the window. So the listens up
    to there are counted and dated in one pass.
    """

    def __init__(self, listens: Listens) -> None:
        self.start = listens.start
        until_then = Listens(
            listens.audience, replace(listens.window, start=None), name=listens.name, is_open=listens.is_open
        )
        self.firsts = (
            select(History.track_id, func.count().label("plays"), func.min(History.played_at).label("first"))
            .where(*until_then.conditions)
            .group_by(History.track_id)
            .cte("firsts")
        )
        self._tracks = select(self.firsts.c.track_id.label("id"), self.firsts).subquery()
        credits, is_same = looked_up(ArtistTrack.track_id, self.firsts.c.track_id, one_by_one=listens.one_by_one)
        self._artists = (
            select(credits.c.artist_id.label("id"), self.firsts)
            .join_from(self.firsts, credits, is_same)
            .where(credits.c.is_primary)
            .cte("firsts_of_artists")
        )
        self.by_track: Relation = LiveRelation(self._tracks, "new_track", one_by_one=listens.one_by_one)
        self.by_artist: Relation = LiveRelation(self._artists, "new_artist", one_by_one=listens.one_by_one)

    @property
    def is_everything(self) -> bool:
        """Whether all that was listened to was new: a window without a start."""
        return self.start is None

    @property
    def tracks(self) -> CTE:
        """`id` and `first` of the tracks that were new."""
        return self._new(self._tracks).cte("new_tracks")

    @property
    def artists(self) -> CTE:
        """`id` and `first` of the primary artists that were new."""
        return self._new(self._artists).cte("new_artists")

    def _new(self, parts: FromClause) -> Select[Any]:
        first = func.min(parts.c.first)
        query = select(parts.c.id, first.label("first")).group_by(parts.c.id)
        return query if self.start is None else query.having(first >= self.start)


class RolledUpNew(New):
    """What was new to everyone, out of the rollups."""

    def __init__(self, listens: RolledUpListens) -> None:
        self.by_track = listens.by_track
        self.by_artist = listens.by_primary_artist
        self._rollups = listens.rollups
        self.start = listens.start
        self._span = Span.of(listens.window)

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
        return query.where(*between(first, *self._span))


def new_in(session: Session, audience: Audience, window: Window) -> New:
    """What was new to an audience in a window."""
    listens = listens_of(session, audience, window)
    if isinstance(listens, RolledUpListens) and listens.is_counted and listens.rollups.has_firsts:
        return RolledUpNew(listens)
    return New(listens)


def _page(session: Session, rows: CTE, relation: Relation, new: New, page: Page) -> tuple[dict[str, Discovery], int]:
    found = paged(
        session,
        rows,
        lambda rows: (rows.c.first.desc(), byte_order(rows.c.id)),
        page.limit,
        page.offset,
        extend=relation.times_of,
        figures={"rows": relation.number} if new.is_everything else None,
    )
    return {
        row.id: Discovery(count=row.plays, listen_time_ms=row.listen_time_ms, first_listened_at=row.first)
        for row in found.page
    }, found.whole.rows
