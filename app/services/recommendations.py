"""What to listen to next: what the most similar listeners play and the user never did."""

import math
from collections import Counter
from dataclasses import dataclass
from typing import Any, NamedTuple

from sqlalchemy import ARRAY, CTE, ColumnElement, Integer, ScalarSelect, Select, and_, any_, bindparam, func, select
from sqlalchemy.orm import Session

from app.domain.audience import Audience
from app.domain.ranking import Page, competition_ranks
from app.listens.by_user import by_primary_artist, by_track
from app.listens.expressions import between, byte_order
from app.listens.statements import execute
from app.models.history import ArtistTrack, History
from app.rollups.spans import EVER
from app.services import catalogue
from app.services.listing import Listing
from app.services.similar import Nearest, nearest
from app.taste.model import DIGITS

NEIGHBOURS = 25
# Of one primary artist; tracks without one are not limited.
MOST_TRACKS = 2


@dataclass(frozen=True, kw_only=True)
class Recommendation:
    """A place in the list; `listeners` is how many of the similar listeners play it."""

    rank: int
    score: float
    listeners: int


@dataclass(frozen=True, kw_only=True)
class RecommendedTrack(catalogue.Track, Recommendation):
    """A track to listen to."""


@dataclass(frozen=True, kw_only=True)
class RecommendedArtist(catalogue.Artist, Recommendation):
    """A primary artist to listen to."""


def recommended_tracks(session: Session, audience: Audience, page: Page) -> Listing[RecommendedTrack]:
    """Tracks that the 25 most similar listeners play and the user never did.

    The score is the sum over them of similarity x ln(1 + listens), rounded to 9 decimals; the list goes by it,
    descending, then by id. Of one primary artist (the first by id) the best two are there.
    """
    near = nearest(session, audience)
    taken: Counter[str | None] = Counter()
    kept = []
    for row in _scored(session, audience, near, TRACKS):
        taken[row.artist_id] += 1
        if row.artist_id is None or taken[row.artist_id] <= MOST_TRACKS:
            kept.append(row)
    places, total = _places(kept, page)
    tracks = catalogue.tracks(session, list(places))
    rows = [RecommendedTrack(**vars(tracks[id_]), **vars(place)) for id_, place in places.items()]
    return Listing(rows, total, near.computed_at)


def recommended_artists(session: Session, audience: Audience, page: Page) -> Listing[RecommendedArtist]:
    """Primary artists that the 25 most similar listeners play and the user never did; scored as tracks are."""
    near = nearest(session, audience)
    places, total = _places(_scored(session, audience, near, ARTISTS), page)
    artists = catalogue.artists(session, list(places))
    rows = [RecommendedArtist(**vars(artists[id_]), **vars(place)) for id_, place in places.items()]
    return Listing(rows, total, near.computed_at)


class Scored(NamedTuple):
    """Something to recommend; `artist_id` is a track's primary artist, the first by id, None where it has none."""

    id: str
    artist_id: str | None
    score: float
    listeners: int


def _scored(session: Session, audience: Audience, near: Nearest, query: Select[Any]) -> list[Scored]:
    """All that may be recommended, the best first, then by id."""
    similarities = {one.user_id: one.similarity for one in near.listeners[:NEIGHBOURS]}
    rows: Any = execute(session, query, {"user_id": audience.user_id, "neighbours": list(similarities)}).all()

    def score(user: int, plays: int) -> float:
        return similarities[user] * math.log1p(plays)

    scored = [
        Scored(id_, artist_id, round(math.fsum(map(score, users, plays)), DIGITS), len(users))
        for id_, artist_id, users, plays in rows
    ]
    return sorted(scored, key=lambda one: (-one.score, one.id.encode()))


def _places(scored: list[Scored], page: Page) -> tuple[dict[str, Recommendation], int]:
    """The places on a page by id, in order, and the number of rows over all pages."""
    first = scored[: page.offset + page.limit]
    ranked = list(zip(competition_ranks([one.score for one in first]), first, strict=True))[page.offset :]
    places = {one.id: Recommendation(rank=rank, score=one.score, listeners=one.listeners) for rank, one in ranked}
    return places, len(scored)


def _tracks() -> Select[Any]:
    """`id`, `artist_id`, and the arrays `users`, neighbours, and their `plays`: tracks that the user never played."""
    tracks, own = by_track(OF_NEIGHBOURS), by_track(OF_USER, name="own_")
    primary = select(func.min(byte_order(ArtistTrack.artist_id))).where(
        ArtistTrack.track_id == tracks.c.id, ArtistTrack.is_primary
    )
    return _unheard(tracks, own, primary.scalar_subquery())


def _artists() -> Select[Any]:
    """The same of primary artists."""
    artists = by_primary_artist(by_track(OF_NEIGHBOURS))
    return _unheard(artists, by_primary_artist(by_track(OF_USER, name="own_"), name="own_"), artists.c.id)


def _unheard(listens: CTE, own: CTE, artist_id: ColumnElement[str] | ScalarSelect[Any]) -> Select[Any]:
    users, plays = func.array_agg(listens.c.user_id), func.array_agg(listens.c.plays)
    return (
        select(listens.c.id, artist_id.label("artist_id"), users.label("users"), plays.label("plays"))
        .where(listens.c.id.not_in(select(own.c.id)))
        .group_by(listens.c.id)
    )


OF_NEIGHBOURS = and_(
    History.user_id == any_(bindparam("neighbours", type_=ARRAY(Integer))), between(History.played_at, *EVER)
)
OF_USER = and_(History.user_id == bindparam("user_id", type_=Integer), between(History.played_at, *EVER))
TRACKS, ARTISTS = _tracks(), _artists()
