"""The ranked lists of many buckets of time, in one statement."""

from collections.abc import Callable
from operator import attrgetter
from typing import Any

from sqlalchemy import CTE, BigInteger, FromClause, Integer, Select, and_, bindparam, cast, func, select
from sqlalchemy.dialects.postgresql import ARRAY, TIMESTAMP

from app.domain.ranking import SortBy
from app.listens.expressions import total
from app.listens.live import Listens
from app.listens.relations import LiveRelation, in_order, measure_of

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
    tracks = _by_bucket(listens)
    ranked = _ranked(tracks, relation(listens).parts, by).cte("ranked")
    before = ranked.alias("before")
    wholes = select(tracks.c.number, total(measure_of(tracks, by)).label("whole")).group_by(tracks.c.number).subquery()
    return (
        select(ranked, wholes.c.whole, before.c.rank.label("previous_rank"), before.c.plays.label("previous_plays"))
        .join_from(ranked, wholes, wholes.c.number == ranked.c.number)
        .join(before, and_(before.c.id == ranked.c.id, before.c.number == ranked.c.number - 1), isouter=True)
        .where(ranked.c.place <= bindparam("limit", type_=Integer))
        .order_by(ranked.c.number.desc(), ranked.c.place)
    )


def _by_bucket(listens: Listens) -> CTE:
    """`number`, `track_id`, `plays` and `listen_time_ms`: the listens by bucket and track."""
    rows, tracks = listens.rows.c, listens.durations
    number = func.width_bucket(rows.played_at, bindparam("starts", type_=ARRAY(TIMESTAMP)))
    counted = select(number.label("number"), rows.track_id, func.count().label("plays"))
    plays = counted.group_by(number, rows.track_id).subquery()
    time = (cast(tracks.c.duration_ms, BigInteger) * plays.c.plays).label("listen_time_ms")
    return select(plays, time).join_from(plays, tracks, tracks.c.id == plays.c.track_id).cte("tracks_of_buckets")


def _ranked(tracks: CTE, parts: FromClause, by: SortBy) -> Select[Any]:
    """The whole list of each bucket, with each row's `place`, from 1; `parts` has the ids that a track counts for."""
    sums = total(tracks.c.plays).label("plays"), total(tracks.c.listen_time_ms).label("listen_time_ms")
    counted = (
        select(tracks.c.number, parts.c.id, *sums)
        .join_from(tracks, parts, parts.c.track_id == tracks.c.track_id)
        .group_by(tracks.c.number, parts.c.id)
        .subquery()
    )
    measure = measure_of(counted, by).desc()
    rank = func.rank().over(partition_by=counted.c.number, order_by=measure)
    place = func.row_number().over(partition_by=counted.c.number, order_by=(measure, in_order(counted.c.id)))
    return select(counted, rank.label("rank"), place.label("place"))
