"""Top lists: a relation sorted by listens or by listen time, and one page of it.

Ranks are competition ranks over the whole list (1, 1, 3); ties in the measure go by id, ascending, text byte by byte.
`share` is the row's part of the window's listens, or of its listen time, whichever the list is sorted by: 0 to 1.
"""

from collections.abc import Callable
from dataclasses import dataclass
from operator import attrgetter
from typing import Any

from sqlalchemy import Integer, Select, bindparam, func, select
from sqlalchemy.dialects.postgresql import ARRAY, aggregate_order_by
from sqlalchemy.orm import Session

from app.domain.audience import Audience
from app.domain.ranking import Ranking, SortBy
from app.domain.windows import Window
from app.listens.live import Listens
from app.listens.relations import Relation, in_order
from app.listens.sources import listens_of
from app.listens.statements import run
from app.services import catalogue
from app.services.catalogue import Artist, Track
from app.services.listing import Listing
from app.services.paging import beside, read


@dataclass(frozen=True)
class Previous:
    """A row's place in the window before; None where it had none."""

    rank: int | None
    count: int | None


@dataclass(frozen=True, kw_only=True)
class Place:
    """A row's place in a ranked list. `previous` is None unless a comparison was asked for."""

    rank: int
    count: int
    listen_time_ms: int
    share: float
    previous: Previous | None = None


@dataclass(frozen=True, kw_only=True)
class RankedTrack(Track, Place):
    """A track in a ranked list."""


@dataclass(frozen=True, kw_only=True)
class RankedArtist(Artist, Place):
    """An artist in a ranked list."""


@dataclass(frozen=True, kw_only=True)
class RankedGenre(Place):
    """A genre in a ranked list."""

    genre: str


@dataclass(frozen=True, kw_only=True)
class RankedListener(Place):
    """A user in a ranked list."""

    user_id: int
    username: str


Choice = Callable[[Listens], Relation]

# Made once, as they are what statements are known by.
BY_TRACK: Choice = attrgetter("by_track")
BY_ARTIST: Choice = attrgetter("by_artist")
BY_PRIMARY_ARTIST: Choice = attrgetter("by_primary_artist")
BY_GENRE: Choice = attrgetter("by_genre")
BY_LISTENER: Choice = attrgetter("by_listener")


def top_tracks(session: Session, audience: Audience, window: Window, ranking: Ranking) -> Listing[RankedTrack]:
    """Top tracks."""
    return rank_tracks(session, listens_of(session, audience, window), ranking)


def top_artists(session: Session, audience: Audience, window: Window, ranking: Ranking) -> Listing[RankedArtist]:
    """Top artists: a listen counts once for each credited artist."""
    return _rank_artists(session, listens_of(session, audience, window), ranking, BY_ARTIST)


def top_primary_artists(
    session: Session, audience: Audience, window: Window, ranking: Ranking
) -> Listing[RankedArtist]:
    """Top primary artists: a listen counts once for each primary artist."""
    return _rank_artists(session, listens_of(session, audience, window), ranking, BY_PRIMARY_ARTIST)


def top_genres(session: Session, audience: Audience, window: Window, ranking: Ranking) -> Listing[RankedGenre]:
    """Top genres: a listen counts once for each distinct genre of its primary artists."""
    places, rows = _rank(session, listens_of(session, audience, window), ranking, BY_GENRE)
    return Listing(named_genres(places), rows)


def top_listeners(session: Session, audience: Audience, window: Window, ranking: Ranking) -> Listing[RankedListener]:
    """Top listeners."""
    return rank_listeners(session, listens_of(session, audience, window), ranking)


def rank_tracks(session: Session, listens: Listens, ranking: Ranking) -> Listing[RankedTrack]:
    """The tracks of some listens."""
    places, rows = _rank(session, listens, ranking, BY_TRACK)
    return Listing(named_tracks(session, places), rows)


def rank_listeners(session: Session, listens: Listens, ranking: Ranking) -> Listing[RankedListener]:
    """The users of some listens."""
    places, rows = _rank(session, listens, ranking, BY_LISTENER, disjoint=BY_LISTENER)
    return Listing(named_listeners(session, places), rows)


def named_tracks(session: Session, places: dict[str, Place]) -> list[RankedTrack]:
    """The places of tracks, with what the catalogue knows of them."""
    tracks = catalogue.tracks(session, list(places))
    return [RankedTrack(**vars(tracks[id_]), **vars(place)) for id_, place in places.items()]


def named_artists(session: Session, places: dict[str, Place]) -> list[RankedArtist]:
    """The places of artists, with what the catalogue knows of them."""
    artists = catalogue.artists(session, list(places))
    return [RankedArtist(**vars(artists[id_]), **vars(place)) for id_, place in places.items()]


def named_genres(places: dict[str, Place]) -> list[RankedGenre]:
    """The places of genres."""
    return [RankedGenre(genre=genre, **vars(place)) for genre, place in places.items()]


def named_listeners(session: Session, places: dict[int, Place]) -> list[RankedListener]:
    """The places of users, with their names."""
    names = catalogue.usernames(session, list(places))
    return [RankedListener(user_id=id_, username=names[id_], **vars(place)) for id_, place in places.items()]


def first_rows(relation: Relation, limit: int) -> Select[Any]:
    """`[id, count, listen time]` of the first rows by count, in order, as JSON, null without any: one row, one column.

    So that one statement can tell the heads of several lists.
    """
    page = relation.page(SortBy.COUNT, limit)
    row = func.json_build_array(page.c.id, page.c.plays, page.c.listen_time_ms)
    return select(func.json_agg(aggregate_order_by(row, page.c.rank, in_order(page.c.id))))


def first_places(rows: list[list[Any]] | None, all_listens: int) -> dict[Any, Place]:
    """The places of `first_rows` by id, in order."""
    counts = [count for _, count, _ in rows or ()]
    return {
        id_: Place(rank=counts.index(count) + 1, count=count, listen_time_ms=listen_time_ms, share=count / all_listens)
        for id_, count, listen_time_ms in rows or ()
    }


def _rank_artists(session: Session, listens: Listens, ranking: Ranking, relation: Choice) -> Listing[RankedArtist]:
    places, rows = _rank(session, listens, ranking, relation)
    return Listing(named_artists(session, places), rows)


def _rank(
    session: Session,
    listens: Listens,
    ranking: Ranking,
    relation: Choice,
    disjoint: Choice = BY_TRACK,
) -> tuple[dict[Any, Place], int]:
    """The places on one page by id, in order, and the number of rows over all pages.

    `disjoint` is a relation that has each listen under one id alone: what the shares are parts of.
    """
    args = relation, disjoint, ranking.by
    rows, whole = read(run(session, _page_query, listens, args=args, limit=ranking.limit, offset=ranking.offset))
    previous: dict[Any, Previous] = {}
    if ranking.compare and rows:
        ids = [row.id for row in rows]
        before = run(session, _ranks_query, listens.previous(), args=(relation, ranking.by), ids=ids)
        previous = {row.id: Previous(row.rank, row.plays) for row in before}
    return {
        row.id: Place(
            rank=row.rank,
            count=row.plays,
            listen_time_ms=row.listen_time_ms,
            share=share(row, whole.all_listens, ranking.by),
            previous=previous.get(row.id, Previous(None, None)) if ranking.compare else None,
        )
        for row in rows
    }, whole.rows


def _page_query(listens: Listens, relation: Choice, disjoint: Choice, by: SortBy) -> Select[Any]:
    limit, offset = bindparam("limit", type_=Integer), bindparam("offset", type_=Integer)
    page = relation(listens).page(by, limit, offset)
    figures = {"rows": relation(listens).number, "all_listens": listens.whole(by, disjoint(listens))}
    return beside(figures, page, (page.c.rank, in_order(page.c.id)))


def _ranks_query(listens: Listens, relation: Choice, by: SortBy) -> Select[Any]:
    rows = relation(listens)
    return rows.ranks_of(bindparam("ids", type_=ARRAY(rows.counts.c.id.type)), by)


def share(row: Any, all_listens: int, by: SortBy) -> float:
    """A row's part of the listens, or of the listen time, which `all_listens` is then; 0 where that is 0."""
    part = row.plays if by is SortBy.COUNT else row.listen_time_ms
    return part / all_listens if all_listens else 0.0
