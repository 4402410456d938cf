"""Charts: the head of the ranked list of each week, month, quarter or year."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic

from sqlalchemy.orm import Session

from app.domain.audience import Audience
from app.domain.buckets import MAX_CHARTS, Bucket, Unit, default_chart_unit
from app.domain.ranking import SortBy
from app.domain.timezones import naive
from app.domain.windows import Window
from app.listens.charts import BY_ARTIST, BY_GENRE, BY_PRIMARY_ARTIST, BY_TRACK, Charted, heads
from app.listens.live import Listens
from app.listens.statements import run
from app.services import catalogue
from app.services.listing import Row
from app.services.rankings import Place, Previous, RankedArtist, RankedGenre, RankedTrack, share
from app.services.series import buckets_of


@dataclass(frozen=True)
class Chart(Generic[Row]):
    """The head of the list in a half-open span of instants; `previous` is each row's place in the span before."""

    start: datetime
    end: datetime
    rows: list[Row]


@dataclass(frozen=True)
class Charts(Generic[Row]):
    """The charts of a window, newest first; they lie side by side."""

    window: Window
    bucket: Unit
    buckets: list[Chart[Row]]


def track_charts(
    session: Session, audience: Audience, window: Window, bucket: Unit | None, by: SortBy, limit: int
) -> Charts[RankedTrack]:
    """Top tracks of each calendar bucket, newest first, with their ranks in the bucket before.

    Buckets are those of activity: at an open end there is the whole bucket of the first or last listen, and one without
    listens has no rows. Without `bucket` it is `month` where that gives at most 120, else `year`. More than 120 are an
    error (BucketError).
    """
    unit, charts = _charts(session, Listens(audience, window), bucket, by, limit, BY_TRACK)
    tracks = catalogue.tracks(session, _ids(charts))
    return Charts(window, unit, [
        Chart(*span, [RankedTrack(**vars(tracks[id_]), **vars(place)) for id_, place in places.items()])
        for span, places in charts
    ])  # fmt: skip


def artist_charts(
    session: Session, audience: Audience, window: Window, bucket: Unit | None, by: SortBy, limit: int
) -> Charts[RankedArtist]:
    """Top artists, as credited, of each calendar bucket, newest first, with their ranks in the bucket before."""
    return _artist_charts(session, Listens(audience, window), bucket, by, limit, BY_ARTIST)


def primary_artist_charts(
    session: Session, audience: Audience, window: Window, bucket: Unit | None, by: SortBy, limit: int
) -> Charts[RankedArtist]:
    """Top primary artists of each calendar bucket, newest first, with their ranks in the bucket before."""
    return _artist_charts(session, Listens(audience, window), bucket, by, limit, BY_PRIMARY_ARTIST)


def genre_charts(
    session: Session, audience: Audience, window: Window, bucket: Unit | None, by: SortBy, limit: int
) -> Charts[RankedGenre]:
    """Top genres of each calendar bucket, newest first, with their ranks in the bucket before."""
    unit, charts = _charts(session, Listens(audience, window), bucket, by, limit, BY_GENRE)
    return Charts(window, unit, [
        Chart(*span, [RankedGenre(genre=id_, **vars(place)) for id_, place in places.items()])
        for span, places in charts
    ])  # fmt: skip


def _artist_charts(
    session: Session, listens: Listens, bucket: Unit | None, by: SortBy, limit: int, relation: Charted
) -> Charts[RankedArtist]:
    unit, charts = _charts(session, listens, bucket, by, limit, relation)
    artists = catalogue.artists(session, _ids(charts))
    return Charts(listens.window, unit, [
        Chart(*span, [RankedArtist(**vars(artists[id_]), **vars(place)) for id_, place in places.items()])
        for span, places in charts
    ])  # fmt: skip


def _charts(
    session: Session, listens: Listens, bucket: Unit | None, by: SortBy, limit: int, relation: Charted
) -> tuple[Unit, list[tuple[Bucket, dict[str, Place]]]]:
    """The unit, and each bucket with its places by id, in order; newest first."""
    unit, spans = buckets_of(session, listens, bucket, default_chart_unit, MAX_CHARTS)
    places: dict[int, dict[str, Place]] = {number: {} for number in range(len(spans), 0, -1)}
    starts = [naive(span.start) for span in spans]
    for row in run(session, heads, listens, args=(relation, by), starts=starts, limit=limit) if spans else ():
        places[row.number][row.id] = Place(
            rank=row.rank,
            count=row.plays,
            listen_time_ms=row.listen_time_ms,
            share=share(row, row.whole, by),
            previous=Previous(row.previous_rank, row.previous_plays),
        )
    return unit or "month", [(spans[number - 1], rows) for number, rows in places.items()]


def _ids(charts: list[tuple[Bucket, dict[str, Any]]]) -> list[str]:
    """Every id that has a place, once."""
    return list({id_: None for _, places in charts for id_ in places})
