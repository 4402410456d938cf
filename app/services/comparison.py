"""How much two users listen alike."""

import math
from dataclasses import dataclass

from sqlalchemy import CTE, Numeric, cast, func, select
from sqlalchemy.orm import Session

from app.audience import Audience
from app.services import catalogue
from app.services.listens import Listens, byte_order
from app.services.paging import paged
from app.windows import Window


@dataclass(frozen=True, kw_only=True)
class SharedArtist(catalogue.Artist):
    """A primary artist that both listened to, with the listens of each."""

    counts: list[int]


@dataclass(frozen=True, kw_only=True)
class SharedTrack(catalogue.Track):
    """A track that both listened to, with the listens of each."""

    counts: list[int]


@dataclass(frozen=True)
class Comparison:
    """Two users' listens side by side; counts stand in the order of `users`."""

    users: list[int]
    window: Window
    similarity: float
    distinct_shared_primary_artists: int
    distinct_shared_tracks: int
    shared_primary_artists: list[SharedArtist]
    shared_tracks: list[SharedTrack]


def compare(session: Session, audience: Audience, other: Audience, window: Window, limit: int) -> Comparison:
    """How alike two users listen, and what they share.

    The similarity is the cosine of their vectors of listens by primary artist, 0 where either has none. The lists go by
    the smaller count, descending, then by id.
    """
    both = Listens(audience, window, name="one_"), Listens(other, window, name="other_")
    one, two = (listens.by_artist(primary=True) for listens in both)
    artist_counts, distinct_artists = _shared(session, one, two, limit)
    track_counts, distinct_tracks = _shared(session, both[0].by_track, both[1].by_track, limit)
    artists = catalogue.artists(session, list(artist_counts))
    tracks = catalogue.tracks(session, list(track_counts))
    return Comparison(
        [*(audience.user_ids or ()), *(other.user_ids or ())],
        window,
        _cosine(session, one, two),
        distinct_artists,
        distinct_tracks,
        [SharedArtist(counts=counts, **vars(artists[id_])) for id_, counts in artist_counts.items()],
        [SharedTrack(counts=counts, **vars(tracks[id_])) for id_, counts in track_counts.items()],
    )


def _cosine(session: Session, one: CTE, other: CTE) -> float:
    # Whole numbers up to the last step, so that a user is exactly as similar to itself as can be.
    squares = [select(func.sum(cast(side.c.plays, Numeric) * side.c.plays)).scalar_subquery() for side in (one, other)]
    product = (
        select(func.sum(cast(one.c.plays, Numeric) * other.c.plays))
        .join_from(one, other, one.c.id == other.c.id)
        .scalar_subquery()
    )
    dot, *norms = session.execute(select(product, *squares)).one()
    return min(int(dot) / math.sqrt(int(norms[0]) * int(norms[1])), 1.0) if dot else 0.0


def _shared(session: Session, one: CTE, other: CTE, limit: int) -> tuple[dict[str, list[int]], int]:
    """The counts of the first shared rows by id, in order, and the number of all shared rows."""
    shared = (
        select(one.c.id, one.c.plays.label("one"), other.c.plays.label("other"))
        .join_from(one, other, one.c.id == other.c.id)
        .cte("shared")
    )
    found = paged(
        session, shared, lambda rows: (func.least(rows.c.one, rows.c.other).desc(), byte_order(rows.c.id)), limit
    )
    return {row.id: [row.one, row.other] for row in found.page}, found.whole.rows
