"""How much two users listen alike."""

import math
from dataclasses import dataclass
from typing import Any

from sqlalchemy import CTE, ColumnElement, FromClause, Integer, Numeric, Select, bindparam, cast, func, select
from sqlalchemy.dialects.postgresql import aggregate_order_by
from sqlalchemy.orm import Session

from app.domain.audience import Audience
from app.domain.windows import Window
from app.listens.expressions import byte_order
from app.listens.live import Listens
from app.listens.relations import number_of, side_by_side
from app.listens.sources import listens_of
from app.listens.statements import run
from app.services import catalogue


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

    users: list[int | None]
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
    both = listens_of(session, audience, window, "one_"), listens_of(session, other, window, "other_")
    found = run(session, _query, *both, limit=limit).one()
    artist_counts = {id_: counts for id_, *counts in found.artists or ()}
    track_counts = {id_: counts for id_, *counts in found.tracks or ()}
    artists = catalogue.artists(session, list(artist_counts))
    tracks = catalogue.tracks(session, list(track_counts))
    return Comparison(
        [audience.user_id, other.user_id],
        window,
        cosine(found.product, found.square_of_one, found.square_of_other),
        found.shared_artists,
        found.shared_tracks,
        [SharedArtist(counts=counts, **vars(artists[id_])) for id_, counts in artist_counts.items()],
        [SharedTrack(counts=counts, **vars(tracks[id_])) for id_, counts in track_counts.items()],
    )


def _query(one: Listens, other: Listens) -> Select[Any]:
    """The heads and the lengths of both lists, and what the similarity is made of: one row."""
    ones, others = one.by_primary_artist.counts, other.by_primary_artist.counts
    artists = _shared(ones, others).cte("shared_artists")
    tracks = _shared(one.by_track.counts, other.by_track.counts).cte("shared_tracks")
    return side_by_side(
        {
            "artists": _first_rows(artists),
            "tracks": _first_rows(tracks),
            "shared_artists": number_of(artists),
            "shared_tracks": number_of(tracks),
            "product": select(sum_of_products(artists.c.one, artists.c.other)),
            "square_of_one": select(sum_of_products(ones.c.plays, ones.c.plays)),
            "square_of_other": select(sum_of_products(others.c.plays, others.c.plays)),
        }
    )


def _shared(one: CTE, other: CTE) -> Select[Any]:
    """`id`, `one` and `other`: what both have, with the plays of each."""
    plays = one.c.plays.label("one"), other.c.plays.label("other")
    return select(one.c.id, *plays).join_from(one, other, one.c.id == other.c.id)


def _first_rows(shared: CTE) -> Select[Any]:
    """`[id, one, other]` of the first `limit` rows, in order, as JSON, null without any: one row, one column."""
    first = select(shared).order_by(*_in_order(shared)).limit(bindparam("limit", type_=Integer)).subquery()
    row = func.json_build_array(first.c.id, first.c.one, first.c.other)
    return select(func.json_agg(aggregate_order_by(row, *_in_order(first))))


def _in_order(rows: FromClause) -> tuple[ColumnElement[Any], ...]:
    return func.least(rows.c.one, rows.c.other).desc(), byte_order(rows.c.id)


def sum_of_products(plays: ColumnElement[int], others: ColumnElement[int]) -> ColumnElement[Any]:
    """What two vectors of listens have in common, or the square of one's length: exact, whatever the numbers."""
    return func.sum(cast(plays, Numeric) * others)


def cosine(product: Any, square_of_one: Any, square_of_other: Any) -> float:
    """The cosine of two vectors by their product and the squares of their lengths; 0 where there is no product."""
    if not product:
        return 0.0
    # Whole numbers up to the last step, so that a user is exactly as similar to itself as can be.
    lengths = math.sqrt(int(square_of_one) * int(square_of_other))
    return min(int(product) / lengths, 1.0)
