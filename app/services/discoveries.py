"""Discoveries: what was listened to for the first time ever within the window."""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import CTE, Select, func, select
from sqlalchemy.orm import Session

from app.audience import Audience
from app.models.history import ArtistTrack, History
from app.ranking import Page
from app.services import catalogue
from app.services.expressions import byte_order, looked_up, naive, total
from app.services.listens import Listens
from app.services.listing import Listing
from app.services.paging import paged
from app.services.relations import Relation
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
    new = New(audience, window)
    found, rows = _page(session, new.tracks, new.by_track, page)
    tracks = catalogue.tracks(session, list(found))
    return Listing([DiscoveredTrack(**vars(tracks[id_]), **vars(entry)) for id_, entry in found.items()], rows)


def discovered_artists(session: Session, audience: Audience, window: Window, page: Page) -> Listing[DiscoveredArtist]:
    """Primary artists whose first listen ever lies in the window, newest first, then by id."""
    new = New(audience, window)
    found, rows = _page(session, new.artists, new.by_artist, page)
    artists = catalogue.artists(session, list(found))
    return Listing([DiscoveredArtist(**vars(artists[id_]), **vars(entry)) for id_, entry in found.items()], rows)


class New:
    """What was new in a window.

    What was first listened to in the window has all its listens up to the window's end in the window. So the listens up
    to there are counted and dated in one pass.
    """

    def __init__(self, audience: Audience, window: Window) -> None:
        self.start = window.start
        listens = Listens(audience, replace(window, start=None))
        self.firsts = (
            select(History.track_id, func.count().label("plays"), func.min(History.played_at).label("first"))
            .where(*listens.conditions)
            .group_by(History.track_id)
            .cte("firsts")
        )
        tracks = select(self.firsts.c.track_id.label("id"), self.firsts).subquery()
        credits, is_same = looked_up(ArtistTrack.track_id, self.firsts.c.track_id, one_by_one=listens.one_by_one)
        artists = (
            select(credits.c.artist_id.label("id"), self.firsts)
            .join_from(self.firsts, credits, is_same)
            .where(credits.c.is_primary)
            .cte("firsts_of_artists")
        )
        self.by_track = Relation(tracks, "new_track", one_by_one=listens.one_by_one)
        self.by_artist = Relation(artists, "new_artist", one_by_one=listens.one_by_one)

    @property
    def tracks(self) -> CTE:
        """`id`, `plays` and `first` of the tracks that were new."""
        return self._new(self.by_track).cte("new_tracks")

    @property
    def artists(self) -> CTE:
        """`id`, `plays` and `first` of the primary artists that were new."""
        return self._new(self.by_artist).cte("new_artists")

    def _new(self, relation: Relation) -> Select[Any]:
        parts = relation.parts.c
        first = func.min(parts.first)
        query = select(parts.id, total(parts.plays).label("plays"), first.label("first")).group_by(parts.id)
        return query if self.start is None else query.having(first >= naive(self.start))


def _page(session: Session, new: CTE, relation: Relation, page: Page) -> tuple[dict[str, Discovery], int]:
    found = paged(
        session,
        new,
        lambda rows: (rows.c.first.desc(), byte_order(rows.c.id)),
        page.limit,
        page.offset,
        extend=relation.times_of,
    )
    return {
        row.id: Discovery(count=row.plays, listen_time_ms=row.listen_time_ms, first_listened_at=row.first)
        for row in found.page
    }, found.whole.rows
