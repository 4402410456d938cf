"""Discoveries: what was listened to for the first time ever within the window."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import CTE
from sqlalchemy.orm import Session

from app.audience import Audience
from app.ranking import Page
from app.services import catalogue
from app.services.expressions import byte_order
from app.services.firsts import New, new_in
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
