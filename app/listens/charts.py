"""The ranked lists of many buckets of time, in one statement."""

from collections.abc import Callable
from operator import attrgetter
from typing import Any

from sqlalchemy import CTE, BigInteger, FromClause, Integer, Select, and_, bindparam, cast, func, select
from sqlalchemy.dialects.postgresql import ARRAY, TIMESTAMP

from app.domain.ranking import SortBy
from app.listens.expressions import lasting, looked_up, total
from app.listens.live import Listens
from app.listens.relations import LiveRelation, in_order, measure_of
from app.models.history import Track

# Out of the live tables: nothing is counted ahead of one user's listens.
Charted = Callable[[Listens], LiveRelation]

# Made once, as they are what statements are known by.
BY_TRACK: Charted = attrgetter("by_track")
BY_ARTIST: Charted = attrgetter("by_artist")
BY_PRIMARY_ARTIST: Charted = attrgetter("by_primary_artist")
BY_GENRE: Charted = attrgetter("by_genre")


def heads(listens: Listens, relation: Charted, by: SortBy) -> Select[Any]:
    """The first `limit` rows of each bucket's list; the buckets begin at the instants `starts`, and count from 1.

    `number`, of the bucket, `id`, `plays`, `listen_time_ms`, `rank` and `whole`, the measure's sum over the bucket; and
    `previous_rank` and `previous_plays`, those in the whole list of the bucket before, null where that has none. Newest
    bucket first, in the order of its list.
    """
    # The time of a track is that of its listens: by count, the times of the heads are all that is needed.
    is_timed_last = relation is BY_TRACK and by is SortBy.COUNT
    tracks = _by_bucket(listens)
    if not is_timed_last:
        tracks = _timed(listens, tracks).cte("timed_tracks")
    wholes = select(tracks.c.number, total(measure_of(tracks, by)).label("whole")).group_by(tracks.c.number).subquery()
    ids = tracks.c.track_id.label("id")
    counted = select(ids, tracks) if relation is BY_TRACK else _added_up(tracks, relation(listens).parts)
    ranked = _ranked(counted.subquery(), by).cte("ranked")
    before = ranked.alias("before")
    first = (
        select(ranked, wholes.c.whole, before.c.rank.label("previous_rank"), before.c.plays.label("previous_plays"))
        .join_from(ranked, wholes, wholes.c.number == ranked.c.number)
        .join(before, and_(before.c.id == ranked.c.id, before.c.number == ranked.c.number - 1), isouter=True)
        .where(ranked.c.place <= bindparam("limit", type_=Integer))
        .cte("heads")
    )
    query = _timed(listens, first) if is_timed_last else select(first)
    return query.order_by(first.c.number.desc(), first.c.place)


def _by_bucket(listens: Listens) -> CTE:
    """`number`, `track_id` and `plays`: the listens by bucket and track."""
    rows = listens.rows.c
    number = func.width_bucket(rows.played_at, bindparam("starts", type_=ARRAY(TIMESTAMP)))
    counted = select(number.label("number"), rows.track_id, func.count().label("plays"))
    return counted.group_by(number, rows.track_id).cte("tracks_of_buckets")


def _timed(listens: Listens, rows: CTE) -> Select[Any]:
    """The columns of rows of `track_id` and `plays`, and `listen_time_ms`."""
    tracks, is_same = looked_up(Track.id, rows.c.track_id, one_by_one=listens.one_by_one)
    time = cast(lasting(tracks.c.duration_ms), BigInteger) * rows.c.plays
    return select(rows, time.label("listen_time_ms")).join_from(rows, tracks, is_same)


def _added_up(tracks: CTE, parts: FromClause) -> Select[Any]:
    """`number`, `id`, `plays` and `listen_time_ms` by bucket and id; `parts` has the ids that a track counts for."""
    sums = total(tracks.c.plays).label("plays"), total(tracks.c.listen_time_ms).label("listen_time_ms")
    return (
        select(tracks.c.number, parts.c.id, *sums)
        .join_from(tracks, parts, parts.c.track_id == tracks.c.track_id)
        .group_by(tracks.c.number, parts.c.id)
    )


def _ranked(rows: FromClause, by: SortBy) -> Select[Any]:
    """The columns of rows, the `rank` in its bucket, and the `place` in the order of ties, from 1."""
    measure = measure_of(rows, by).desc()
    rank = func.rank().over(partition_by=rows.c.number, order_by=measure)
    place = func.row_number().over(partition_by=rows.c.number, order_by=(measure, in_order(rows.c.id)))
    return select(rows, rank.label("rank"), place.label("place"))
