"""Discoveries: what was listened to for the first time ever within the window."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from operator import attrgetter
from typing import Any

from sqlalchemy import CTE, Select
from sqlalchemy.orm import Session

from app.domain.audience import Audience
from app.domain.ranking import Page
from app.domain.windows import Window
from app.listens.expressions import byte_order
from app.listens.firsts import New, new_in
from app.listens.live import Listens
from app.listens.relations import Relation
from app.listens.sources import listens_of
from app.listens.statements import run
from app.services import catalogue
from app.services.listing import Listing
from app.services.paging import paged, read


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


Choice = Callable[[New], tuple[CTE, Relation]]

# Made once, as they are what statements are known by.
TRACKS: Choice = attrgetter("tracks", "by_track")
ARTISTS: Choice = attrgetter("artists", "by_artist")


def discovered_tracks(session: Session, audience: Audience, window: Window, page: Page) -> Listing[DiscoveredTrack]:
    """Tracks whose first listen ever lies in the window, newest first, then by id."""
    found, rows = _page(session, audience, window, page, TRACKS)
    tracks = catalogue.tracks(session, list(found))
    return Listing([DiscoveredTrack(**vars(tracks[id_]), **vars(entry)) for id_, entry in found.items()], rows)


def discovered_artists(session: Session, audience: Audience, window: Window, page: Page) -> Listing[DiscoveredArtist]:
    """Primary artists whose first listen ever lies in the window, newest first, then by id."""
    found, rows = _page(session, audience, window, page, ARTISTS)
    artists = catalogue.artists(session, list(found))
    return Listing([DiscoveredArtist(**vars(artists[id_]), **vars(entry)) for id_, entry in found.items()], rows)


def _page(
    session: Session, audience: Audience, window: Window, page: Page, what: Choice
) -> tuple[dict[str, Discovery], int]:
    args = what, window.start is None
    listens = listens_of(session, audience, window)
    found = read(run(session, _query, listens, args=args, limit=page.limit, offset=page.offset))
    return {
        row.id: Discovery(count=row.plays, listen_time_ms=row.listen_time_ms, first_listened_at=row.first)
        for row in found.page
    }, found.whole.rows


def _query(listens: Listens, what: Choice, is_everything: bool) -> Select[Any]:
    """A page of what was new; `is_everything` in a window without a start, where all that was listened to was new."""
    rows, relation = what(new_in(listens))
    return paged(
        rows,
        lambda rows: (rows.c.first.desc(), byte_order(rows.c.id)),
        extend=relation.times_of,
        figures={"rows": relation.number} if is_everything else None,
    )
