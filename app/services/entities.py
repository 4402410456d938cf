"""The page of one track, and the page of one artist."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ARRAY, Select, String, bindparam, distinct, func, select
from sqlalchemy.orm import Session

from app.domain.audience import Audience
from app.domain.ranking import Ranking, SortBy
from app.domain.subject import Subject, SubjectKind
from app.domain.windows import Window
from app.listens.expressions import between, byte_order
from app.listens.live import Listens
from app.listens.sources import listens_of
from app.listens.statements import execute, run
from app.models import history as tables
from app.rollups.spans import EVER
from app.services import catalogue
from app.services.rankings import (
    BY_ARTIST,
    BY_TRACK,
    Choice,
    RankedListener,
    RankedTrack,
    rank_listeners,
    rank_tracks,
)


@dataclass(frozen=True)
class Popularity:
    """Spotify's popularity, 0 to 100, as read at an instant."""

    date: datetime
    popularity: int


@dataclass(frozen=True)
class Followers:
    """Followers on Spotify, as read at an instant."""

    date: datetime
    followers: int


@dataclass(frozen=True, kw_only=True)
class ArtistProfile(catalogue.Artist):
    """An artist with its genres, in byte order."""

    genres: list[str]


@dataclass(frozen=True, kw_only=True)
class Page:
    """The listens of a track or an artist in a window.

    `rank` is its rank by count in the audience's list, None without listens. `popularity` is the whole record, oldest
    first, whatever the window.
    """

    window: Window
    listens: int
    listen_time_ms: int
    listeners: int
    rank: int | None
    first_listened_at: datetime | None
    last_listened_at: datetime | None
    top_listeners: list[RankedListener]
    popularity: list[Popularity]


@dataclass(frozen=True, kw_only=True)
class TrackPage(Page):
    """A track."""

    track: catalogue.Track


@dataclass(frozen=True, kw_only=True)
class ArtistPage(Page):
    """An artist, by its credits."""

    artist: ArtistProfile
    top_tracks: list[RankedTrack]
    followers: list[Followers]


def track_page(session: Session, audience: Audience, window: Window, track_id: str, limit: int) -> TrackPage | None:
    """A track: its listens, its rank, and who listens to it most; nothing for an unknown id."""
    track = catalogue.tracks(session, [track_id]).get(track_id)
    if track is None:
        return None
    listens = Listens(audience.about(Subject(SubjectKind.TRACK, track_id)), window)
    return TrackPage(
        track=track,
        popularity=_popularity(session, tables.TrackPopularity, track_id),
        **_listened(session, listens, BY_TRACK, track_id, limit),
    )


def artist_page(session: Session, audience: Audience, window: Window, artist_id: str, limit: int) -> ArtistPage | None:
    """An artist, by its credits: listens, rank, and the top tracks and listeners; nothing for an unknown id."""
    artist = catalogue.artists(session, [artist_id]).get(artist_id)
    if artist is None:
        return None
    genre, record = tables.ArtistGenre, tables.ArtistFollowers
    genres = execute(
        session, select(genre.genre).where(genre.id == artist_id).order_by(byte_order(genre.genre))
    ).scalars()
    followers = execute(session, _record(record, record.followers, artist_id))
    listens = Listens(audience.about(Subject(SubjectKind.ARTIST, artist_id)), window)
    return ArtistPage(
        artist=ArtistProfile(genres=list(genres), **vars(artist)),
        top_tracks=rank_tracks(session, listens, Ranking(limit=limit)).rows,
        popularity=_popularity(session, tables.ArtistPopularity, artist_id),
        followers=[Followers(*row) for row in followers],
        **_listened(session, listens, BY_ARTIST, artist_id, limit),
    )


def _listened(session: Session, listens: Listens, relation: Choice, id_: str, limit: int) -> dict[str, Any]:
    """What a track's and an artist's page have in common; `relation` is the list that it has a rank in."""
    everything = listens_of(session, listens.audience.about(None), listens.window, "all_")
    found = run(session, _figures_query, listens, everything, args=(relation,), ids=[id_]).one()
    return dict(found._mapping) | {
        "window": listens.window,
        "top_listeners": rank_listeners(session, listens, Ranking(limit=limit)).rows,
    }


def _figures_query(listens: Listens, everything: Listens, relation: Choice) -> Select[Any]:
    ranks = relation(everything).ranks_of(bindparam("ids", type_=ARRAY(String)), SortBy.COUNT).subquery()
    # Out of the rows, rather than one by one: they are looked up once.
    rows = listens.rows.c
    return select(
        func.count().label("listens"),
        func.count(distinct(rows.user_id)).label("listeners"),
        func.min(rows.played_at).label("first_listened_at"),
        func.max(rows.played_at).label("last_listened_at"),
        listens.listen_time().scalar_subquery().label("listen_time_ms"),
        select(ranks.c.rank).scalar_subquery().label("rank"),
    ).select_from(listens.rows)


def _popularity(
    session: Session, table: type[tables.TrackPopularity] | type[tables.ArtistPopularity], id_: str
) -> list[Popularity]:
    return [Popularity(*row) for row in execute(session, _record(table, table.popularity, id_))]


def _record(table: Any, column: Any, id_: str) -> Select[*tuple[Any, ...]]:
    """A column's whole record, oldest first."""
    return select(table.date, column).where(table.id == id_, between(table.date, *EVER)).order_by(table.date)
