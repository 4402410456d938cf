"""Discoveries: what was listened to for the first time ever within the window."""

from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import CTE, func, select
from sqlalchemy.orm import Session

from app.audience import Audience
from app.models.history import ArtistTrack
from app.ranking import Page
from app.services import catalogue
from app.services.listens import Listens, byte_order, naive, total
from app.services.listing import Listing
from app.services.paging import paged
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
    found, rows = _page(session, new_tracks(firsts(audience, window), window), page)
    tracks = catalogue.tracks(session, list(found))
    return Listing([DiscoveredTrack(**vars(tracks[id_]), **vars(new)) for id_, new in found.items()], rows)


def discovered_artists(session: Session, audience: Audience, window: Window, page: Page) -> Listing[DiscoveredArtist]:
    """Primary artists whose first listen ever lies in the window, newest first, then by id."""
    found, rows = _page(session, new_artists(firsts(audience, window), window), page)
    artists = catalogue.artists(session, list(found))
    return Listing([DiscoveredArtist(**vars(artists[id_]), **vars(new)) for id_, new in found.items()], rows)


def firsts(audience: Audience, window: Window) -> CTE:
    """The tracks listened to up to the window's end, and when first.

    What was new in the window has all its listens up to there in the window: they are counted in the same pass.
    """
    return Listens(audience, replace(window, start=None)).by_track_with_first


def new_tracks(firsts: CTE, window: Window) -> CTE:
    """`id`, `plays`, `listen_time_ms` and `first` of the tracks that were new in the window."""
    query = select(firsts)
    if window.start is not None:
        query = query.where(firsts.c.first >= naive(window.start))
    return query.cte("new_tracks")


def new_artists(firsts: CTE, window: Window) -> CTE:
    """`id`, `plays`, `listen_time_ms` and `first` of the primary artists that were new in the window."""
    first = func.min(firsts.c.first)
    query = (
        select(
            ArtistTrack.artist_id.label("id"),
            total(firsts.c.plays).label("plays"),
            total(firsts.c.listen_time_ms).label("listen_time_ms"),
            first.label("first"),
        )
        .join_from(firsts, ArtistTrack, ArtistTrack.track_id == firsts.c.id)
        .where(ArtistTrack.is_primary)
        .group_by(ArtistTrack.artist_id)
    )
    if window.start is not None:
        query = query.having(first >= naive(window.start))
    return query.cte("new_artists")


def _page(session: Session, new: CTE, page: Page) -> tuple[dict[str, Discovery], int]:
    found = paged(session, new, lambda rows: (rows.c.first.desc(), byte_order(rows.c.id)), page.limit, page.offset)
    return {
        row.id: Discovery(count=row.plays, listen_time_ms=row.listen_time_ms, first_listened_at=row.first)
        for row in found.page
    }, found.whole.rows
