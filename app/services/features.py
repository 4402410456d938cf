"""The audio features of what was listened to, each track weighted by its listens."""

import math
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    CTE,
    ColumnElement,
    CompoundSelect,
    Float,
    Integer,
    Row,
    Select,
    case,
    cast,
    func,
    literal,
    select,
    true,
    union_all,
)
from sqlalchemy.orm import Session

from app.domain.audience import Audience
from app.domain.windows import Window
from app.listens.expressions import looked_up, total
from app.listens.live import Listens
from app.listens.sources import listens_of
from app.listens.statements import run
from app.models.history import TrackFeatures

BINS = 10
# Beyond these PostgreSQL refuses to square or to add up: "out of range".
TINY, HUGE = 1e-150, 1e140
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
    and values beyond the range are in the end bins. What is not finite, or beyond 1e140, is no value.
    """
    found = run(session, _query, listens_of(session, audience, window)).all()
    whole = found[0]
    profile: dict[int | None, list[Row[Any]]] = {}
    for row in found:
        profile.setdefault(row.number, []).append(row)
    return Features(
        window,
        whole.listens,
        whole.with_features / whole.listens if whole.listens else 0.0,
        {name: _feature(profile.get(number, [])) for number, name in enumerate(RANGES, start=1)},
        [getattr(whole, f"key_{key}") for key in range(KEYS)],
        {"major": whole.major, "minor": whole.minor},
    )


def _query(listens: Listens) -> Select[Any]:
    """The counts, and with them a row for each bin of the profile."""
    plays = listens.plays
    tracks, is_same = looked_up(TrackFeatures.id, plays.c.track_id, one_by_one=listens.one_by_one)
    featured = (
        select(
            plays.c.plays, tracks.c.key, tracks.c.mode, *(_unless_huge(tracks.c[name]).label(name) for name in RANGES)
        )
        .join_from(plays, tracks, is_same)
        .cte("featured")
    )
    counts = (
        select(
            select(total(plays.c.plays)).scalar_subquery().label("listens"),
            total(featured.c.plays).label("with_features"),
            *(_plays_where(featured, featured.c.key == key).label(f"key_{key}") for key in range(KEYS)),
            _plays_where(featured, featured.c.mode == MAJOR).label("major"),
            _plays_where(featured, featured.c.mode == MINOR).label("minor"),
        )
        .select_from(featured)
        .cte("counts")
    )
    bins = _profile(featured).cte("bins")
    # The counts are there where no listen has features, too: the bins are joined to them.
    return select(counts, bins).join_from(counts, bins, true(), isouter=True)


def _profile(featured: CTE) -> CompoundSelect[Any]:
    """A row for each bin of each feature that has a value; `number` is the feature's place in RANGES, from 1.

    The means are told first, all in one pass, for the spread is about the mean.
    """
    means = select(*(_mean(featured, name).label(name) for name in RANGES)).cte("means")
    return union_all(*(_bins(featured, means, number, name) for number, name in enumerate(RANGES, start=1)))


def _mean(featured: CTE, name: str) -> ColumnElement[float]:
    value, plays = featured.c[name], featured.c.plays
    weight = cast(func.sum(plays).filter(value.is_not(None)), Float)
    return _unless_tiny(func.sum(plays * value)) / weight


def _bins(featured: CTE, means: CTE, number: int, name: str) -> Select[Any]:
    low, high = RANGES[name]
    value, mean = featured.c[name], select(means.c[name]).scalar_subquery()
    place = func.floor(_unless_tiny(value - literal(low, Float)) / literal(high - low, Float) * BINS)
    bin_ = cast(func.least(func.greatest(place, 0), BINS - 1), Integer)
    return (
        select(
            literal(number, Integer).label("number"),
            bin_.label("bin"),
            mean.label("mean"),
            total(featured.c.plays).label("plays"),
            func.sum(featured.c.plays * func.power(_unless_tiny(value - mean), 2)).label("squares"),
            func.min(value).label("min"),
            func.max(value).label("max"),
        )
        .where(value.is_not(None))
        .group_by("bin")
    )


def _unless_huge(value: ColumnElement[float]) -> ColumnElement[float]:
    """A number, null where it is too large to be squared and added up, or none."""
    return case((value.between(-HUGE, HUGE), value))


def _unless_tiny(value: ColumnElement[Any]) -> ColumnElement[float]:
    """A number, 0 where it is so small that PostgreSQL refuses to divide or square it: "out of range: underflow"."""
    return case((func.abs(value) < TINY, 0.0), else_=cast(value, Float))


def _plays_where(relation: CTE, condition: ColumnElement[bool]) -> ColumnElement[int]:
    return total(case((condition, relation.c.plays), else_=0))


def _feature(bins: list[Row[Any]]) -> Feature:
    """A feature from its bins."""
    histogram = [0] * BINS
    for row in bins:
        histogram[row.bin] = row.plays
    if not bins:
        return Feature(None, None, None, None, histogram)
    spread = math.sqrt(math.fsum(row.squares for row in bins) / sum(histogram))
    return Feature(bins[0].mean, spread, min(row.min for row in bins), max(row.max for row in bins), histogram)
