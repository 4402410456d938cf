"""The audio features of what was listened to, each track weighted by its listens."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import CTE, ColumnElement, Float, Select, case, cast, column, func, select
from sqlalchemy.dialects.postgresql import array
from sqlalchemy.orm import Session

from app.audience import Audience
from app.models.history import TrackFeatures
from app.services.listens import Listens, element, total
from app.windows import Window

BINS = 10
KEYS = 12
MINOR, MAJOR = 0, 1

# Each feature's range in Spotify's units: parts of one, dB, and beats per minute.
RANGES: dict[str, tuple[float, float]] = {
    "acousticness": (0, 1),
    "danceability": (0, 1),
    "energy": (0, 1),
    "instrumentalness": (0, 1),
    "liveness": (0, 1),
    "loudness": (-60, 0),
    "speechiness": (0, 1),
    "tempo": (0, 250),
    "valence": (0, 1),
}


@dataclass(frozen=True)
class Feature:
    """A feature over all listens that have it; None where none has. The standard deviation is the population's."""

    mean: float | None
    stddev: float | None
    min: float | None
    max: float | None
    histogram: list[int]


@dataclass(frozen=True)
class Features:
    """The profile of a window. `coverage` is the part of the listens that have features, 0 to 1."""

    window: Window
    listens: int
    coverage: float
    features: dict[str, Feature]
    keys: list[int]
    modes: dict[str, int]


def features(session: Session, audience: Audience, window: Window) -> Features:
    """Audio features: mean, spread and histogram of each, weighted by listens.

    A histogram has ten bins of equal width over the feature's range; a value on the edge of two is in the upper one,
    and values beyond the range are in the end bins.
    """
    plays = Listens(audience, window).plays
    featured = (
        select(plays.c.plays, *(getattr(TrackFeatures, name) for name in (*RANGES, "key", "mode")))
        .join_from(plays, TrackFeatures, TrackFeatures.id == plays.c.track_id)
        .cte("featured")
    )
    counts = session.execute(
        select(
            select(total(plays.c.plays)).scalar_subquery().label("listens"),
            total(featured.c.plays).label("with_features"),
            *(_plays_where(featured, featured.c.key == key).label(f"key_{key}") for key in range(KEYS)),
            _plays_where(featured, featured.c.mode == MAJOR).label("major"),
            _plays_where(featured, featured.c.mode == MINOR).label("minor"),
        ).select_from(featured)
    ).one()
    found = {row.number: row for row in session.execute(_profile(featured))}
    return Features(
        window,
        counts.listens,
        counts.with_features / counts.listens if counts.listens else 0.0,
        {name: _feature(found.get(number)) for number, name in enumerate(RANGES, start=1)},
        [getattr(counts, f"key_{key}") for key in range(KEYS)],
        {"major": counts.major, "minor": counts.minor},
    )


def _profile(featured: CTE) -> Select[Any]:
    """A row for each feature, by its `number` in RANGES from 1. Two passes: the spread is about the mean."""
    value = (
        func.unnest(array([featured.c[name] for name in RANGES]))
        .table_valued(column("value", Float), with_ordinality="number", joins_implicitly=True, name="feature")
        .render_derived()
    )
    valued = select(featured.c.plays, value.c.number, value.c.value).cte("valued")
    weight = cast(func.sum(valued.c.plays), Float)
    means = (
        select(valued.c.number, (func.sum(valued.c.plays * valued.c.value) / weight).label("mean"))
        .group_by(valued.c.number)
        .cte("means")
    )
    low, high = (element(ends, Float(), valued.c.number) for ends in zip(*RANGES.values(), strict=True))
    bin_ = func.least(func.greatest(func.floor((valued.c.value - low) / (high - low) * BINS), 0), BINS - 1)
    return (
        select(
            valued.c.number,
            means.c.mean,
            func.sqrt(func.sum(valued.c.plays * func.power(valued.c.value - means.c.mean, 2)) / weight).label("stddev"),
            func.min(valued.c.value).label("min"),
            func.max(valued.c.value).label("max"),
            array([_plays_where(valued, bin_ == number) for number in range(BINS)]).label("histogram"),
        )
        .join_from(valued, means, means.c.number == valued.c.number)
        .group_by(valued.c.number, means.c.mean)
    )


def _plays_where(relation: CTE, condition: ColumnElement[bool]) -> ColumnElement[int]:
    return total(case((condition, relation.c.plays), else_=0))


def _feature(row: Any | None) -> Feature:
    if row is None:
        return Feature(None, None, None, None, [0] * BINS)
    return Feature(row.mean, row.stddev, row.min, row.max, row.histogram)
