"""The review of one user's year, or of any window."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, TypeVar

from sqlalchemy import Integer, Row, Select, bindparam, func, literal, select
from sqlalchemy.orm import Session

from app.domain.audience import EVERYONE, Audience
from app.domain.windows import Window
from app.listens.expressions import total
from app.listens.firsts import LiveNew
from app.listens.live import Listens
from app.listens.relations import number_of, side_by_side
from app.listens.sources import listens_of
from app.listens.statements import run
from app.services.rankings import (
    RankedArtist,
    RankedGenre,
    RankedTrack,
    named_artists,
    named_genres,
    named_tracks,
)
from app.services.streaks import Streak, runs
from app.services.summary import Totals, overview, read_overview

Key = TypeVar("Key", int, date)

TOP = 5


@dataclass(frozen=True)
class Month:
    """A month of the year, 1 to 12."""

    month: int
    count: int
    listen_time_ms: int


@dataclass(frozen=True)
class Day:
    """A local day."""

    date: date
    count: int


@dataclass(frozen=True, kw_only=True)
class Highlights(Totals):
    """What all reviews have. Ties go to the earlier day, hour or streak.

    `percentile` is the part of the window's other listeners with fewer listens; None where the user has none, or is the
    window's only listener.
    """

    user_id: int | None
    top_tracks: list[RankedTrack]
    top_primary_artists: list[RankedArtist]
    top_genres: list[RankedGenre]
    top_day: Day | None
    busiest_hour: int | None
    new_tracks: int
    new_primary_artists: int
    longest_streak: Streak | None
    percentile: float | None


@dataclass(frozen=True, kw_only=True)
class Wrapped(Highlights):
    """A user's year. Of equal months the earlier is the top one."""

    year: int
    tz: str
    months: list[Month]
    top_month: int | None


@dataclass(frozen=True, kw_only=True)
class Review(Highlights):
    """A user's window."""

    window: Window


def wrapped(session: Session, audience: Audience, window: Window, year: int) -> Wrapped:
    """A user's year: totals, top fives, months, the best day and hour, discoveries, and the place among listeners."""
    highlights, days = _highlights(session, audience, window)
    months = _months(days)
    top_month = _top({month.month: month.count for month in months if month.count})
    return Wrapped(year=year, tz=window.tz.key, months=months, top_month=top_month, **highlights)


def review(session: Session, audience: Audience, window: Window) -> Review:
    """A user's window: totals, top fives, the best day and hour, discoveries, and the place among listeners."""
    highlights, _ = _highlights(session, audience, window)
    return Review(window=window, **highlights)


def _highlights(session: Session, audience: Audience, window: Window) -> tuple[dict[str, Any], list[Row[Any]]]:
    """The fields of Highlights, and `plays` and `listen_time_ms` by local `day`."""
    listens = listens_of(session, audience, window)
    found, heads = read_overview(run(session, _query, listens).one())
    days, hours = _days_and_hours(session, listens)
    by_day = {row.day: row.plays for row in days}
    streaks = runs(sorted(by_day))
    top_day = _top(by_day)
    return found | {
        "user_id": audience.user_id,
        "listen_time_ms": sum(row.listen_time_ms for row in days),
        "top_tracks": named_tracks(session, heads["tracks"]),
        "top_primary_artists": named_artists(session, heads["primary_artists"]),
        "top_genres": named_genres(heads["genres"]),
        "top_day": Day(top_day, by_day[top_day]) if top_day else None,
        "busiest_hour": _top({row.hour: row.plays for row in hours}),
        "longest_streak": max(streaks, key=lambda streak: streak.days, default=None),
        "percentile": _percentile(session, EVERYONE.about(audience.subject), window, found["listens"]),
    }, days


def _query(listens: Listens) -> Select[Any]:
    new = LiveNew(listens)
    return overview(new.listens, TOP, new_tracks=number_of(new.tracks), new_primary_artists=number_of(new.artists))


def _percentile(session: Session, everyone: Audience, window: Window, listens: int) -> float | None:
    if not listens:
        return None
    found = run(session, _listeners_query, listens_of(session, everyone, window), plays=listens).one()
    others = found.listeners - 1
    return (others + 1 - found.rivals) / others if others else None


def _listeners_query(everyone: Listens) -> Select[Any]:
    """The number of users with a listen, and of those with at least `plays`."""
    plays = bindparam("plays", type_=Integer)
    return side_by_side({"listeners": everyone.listeners_with(literal(1)), "rivals": everyone.listeners_with(plays)})


def _days_and_hours(session: Session, listens: Listens) -> tuple[list[Row[Any]], list[Row[Any]]]:
    """`plays` and `listen_time_ms` by local `day`, and by `hour` of all days."""
    found = run(session, _days_and_hours_query, listens, by_time=True).all()
    return [row for row in found if row.hour is None], [row for row in found if row.day is None]


def _days_and_hours_query(listens: Listens) -> Select[Any]:
    rows = listens.by_hour.c
    sums = total(rows.plays).label("plays"), total(rows.listen_time_ms).label("listen_time_ms")
    return select(rows.day, rows.hour, *sums).group_by(func.grouping_sets(rows.day, rows.hour))


def _months(days: Sequence[Row[Any]]) -> list[Month]:
    months = [[0, 0] for _ in range(12)]
    for row in days:
        month = months[row.day.month - 1]
        month[0] += row.plays
        month[1] += row.listen_time_ms
    return [Month(month, count, time) for month, (count, time) in enumerate(months, start=1)]


def _top(counts: Mapping[Key, int]) -> Key | None:
    """What has the most listens, of equals the first; None without listens."""
    return max(sorted(counts), key=counts.__getitem__, default=None)
