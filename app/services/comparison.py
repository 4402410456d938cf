"""How much two users listen alike."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import CTE, ColumnElement, Numeric, Row, Select, cast, func, select
from sqlalchemy.orm import Session

from app.audience import Audience
from app.services import catalogue
from app.services.expressions import byte_order
from app.services.paging import paged
from app.services.sources import listens_of
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
    both = listens_of(session, audience, window, "one_"), listens_of(session, other, window, "other_")
    one, two = (listens.by_primary_artist.counts for listens in both)
    artist_counts, whole = _shared(session, one, two, limit, _products(one, two))
    track_counts, all_tracks = _shared(session, both[0].by_track.counts, both[1].by_track.counts, limit)
    artists = catalogue.artists(session, list(artist_counts))
    tracks = catalogue.tracks(session, list(track_counts))
    return Comparison(
        [*(audience.user_ids or ()), *(other.user_ids or ())],
        window,
        _cosine(whole),
        whole.rows,
        all_tracks.rows,
        [SharedArtist(counts=counts, **vars(artists[id_])) for id_, counts in artist_counts.items()],
        [SharedTrack(counts=counts, **vars(tracks[id_])) for id_, counts in track_counts.items()],
    )


def _products(one: CTE, other: CTE) -> dict[str, Select[Any]]:
    """The products of the two vectors of counts with each other and with themselves, each one row and one column."""
    return {
        "product": select(_sum_of_products(one, other)).join_from(one, other, one.c.id == other.c.id),
        "square_of_one": select(_sum_of_products(one, one)),
        "square_of_other": select(_sum_of_products(other, other)),
    }


def _sum_of_products(one: CTE, other: CTE) -> ColumnElement[Any]:
    return func.sum(cast(one.c.plays, Numeric) * other.c.plays)


def _cosine(whole: Any) -> float:
    if not whole.product:
        return 0.0
    # Whole numbers up to the last step, so that a user is exactly as similar to itself as can be.
    lengths = math.sqrt(int(whole.square_of_one) * int(whole.square_of_other))
    return min(int(whole.product) / lengths, 1.0)


def _shared(
    session: Session, one: CTE, other: CTE, limit: int, figures: Mapping[str, Select[Any]] | None = None
) -> tuple[dict[str, list[int]], Row[Any]]:
    """The counts of the first shared rows by id, in order, and figures of all shared rows, such as their number."""
    shared = (
        select(one.c.id, one.c.plays.label("one"), other.c.plays.label("other"))
        .join_from(one, other, one.c.id == other.c.id)
        .cte("shared")
    )
    found = paged(
        session,
        shared,
        lambda rows: (func.least(rows.c.one, rows.c.other).desc(), byte_order(rows.c.id)),
        limit,
        figures=figures,
    )
    return {row.id: [row.one, row.other] for row in found.page}, found.whole
