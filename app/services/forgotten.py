"""What a user listened to in a window, and not at all of late."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from operator import attrgetter
from typing import Any

from sqlalchemy import CTE, Integer, Select, bindparam
from sqlalchemy.orm import Session

from app.domain.audience import Audience
from app.domain.ranking import Ranking, SortBy
from app.domain.windows import Window
from app.listens.lasts import FadedListens
from app.listens.relations import Relation, in_order
from app.listens.statements import run
from app.services import catalogue
from app.services.listing import Listing
from app.services.paging import beside, read


@dataclass(frozen=True, kw_only=True)
class Forgotten:
    """A place in the list of what is forgotten; `last_listened_at` is the last listen ever."""

    rank: int
    count: int
    listen_time_ms: int
    last_listened_at: datetime


@dataclass(frozen=True, kw_only=True)
class ForgottenTrack(catalogue.Track, Forgotten):
    """A track that has had no listen of late."""


@dataclass(frozen=True, kw_only=True)
class ForgottenArtist(catalogue.Artist, Forgotten):
    """An artist, as credited, that has had no listen of late."""


Choice = Callable[[FadedListens], tuple[Relation, CTE]]

# Made once, as they are what statements are known by.
TRACKS: Choice = attrgetter("by_track", "tracks")
ARTISTS: Choice = attrgetter("by_artist", "artists")


def forgotten_tracks(
    session: Session, audience: Audience, window: Window, recently: Window, ranking: Ranking
) -> Listing[ForgottenTrack]:
    """Top tracks of the window without those that have had a listen in the last `days` days."""
    found, rows = _page(session, FadedListens(audience, window, recently), ranking, TRACKS)
    tracks = catalogue.tracks(session, list(found))
    return Listing([ForgottenTrack(**vars(tracks[id_]), **vars(place)) for id_, place in found.items()], rows)


def forgotten_artists(
    session: Session, audience: Audience, window: Window, recently: Window, ranking: Ranking
) -> Listing[ForgottenArtist]:
    """Top artists of the window, as credited, without those that have had a listen in the last `days` days."""
    found, rows = _page(session, FadedListens(audience, window, recently), ranking, ARTISTS)
    artists = catalogue.artists(session, list(found))
    return Listing([ForgottenArtist(**vars(artists[id_]), **vars(place)) for id_, place in found.items()], rows)


def _page(session: Session, listens: FadedListens, ranking: Ranking, what: Choice) -> tuple[dict[str, Forgotten], int]:
    args = what, ranking.by
    rows, whole = read(run(session, _query, listens, args=args, limit=ranking.limit, offset=ranking.offset))
    return {
        row.id: Forgotten(rank=row.rank, count=row.plays, listen_time_ms=row.listen_time_ms, last_listened_at=row.last)
        for row in rows
    }, whole.rows


def _query(listens: FadedListens, what: Choice, by: SortBy) -> Select[Any]:
    relation, lasts = what(listens)
    page = relation.page(by, bindparam("limit", type_=Integer), bindparam("offset", type_=Integer))
    query = beside({"rows": relation.number}, page, (page.c.rank, in_order(page.c.id)))
    return query.add_columns(lasts.c.last).join(lasts, lasts.c.id == page.c.id, isouter=True)
