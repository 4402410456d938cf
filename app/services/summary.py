"""A page's numbers in one call."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, Select, func, select
from sqlalchemy.orm import Session

from app.audience import Audience
from app.ranking import Ranking
from app.services.listens import Listens
from app.services.rankings import (
    RankedArtist,
    RankedGenre,
    RankedListener,
    RankedTrack,
    top_genres,
    top_listeners,
    top_primary_artists,
    top_tracks,
)
from app.services.streaks import current_of, runs
from app.today import Today
from app.windows import Window

FIRST = Ranking(limit=1)


@dataclass(frozen=True, kw_only=True)
class Totals:
    """Totals and distincts; listen time in ms."""

    listens: int
    listen_time_ms: int
    distinct_tracks: int
    distinct_artists: int
    distinct_primary_artists: int
    distinct_genres: int


@dataclass(frozen=True, kw_only=True)
class Summary(Totals):
    """What all summaries have. The tops are the first rows of the lists by count, None without listens."""

    window: Window
    first_listen_at: datetime | None
    last_listen_at: datetime | None
    active_days: int
    top_track: RankedTrack | None
    top_primary_artist: RankedArtist | None
    top_genre: RankedGenre | None


@dataclass(frozen=True, kw_only=True)
class UserSummary(Summary):
    """One user's summary."""

    user_id: int
    current_streak_days: int
    longest_streak_days: int


@dataclass(frozen=True, kw_only=True)
class GlobalSummary(Summary):
    """The summary of everyone, or of a group."""

    distinct_listeners: int
    top_listener: RankedListener | None


def totals_of(listens: Listens) -> dict[str, Select[Any]]:
    """A query for each of the totals and distincts, by its name in `Totals`: each one row, one column."""
    return {
        "listens": listens.count(),
        "listen_time_ms": listens.listen_time(),
        "distinct_tracks": listens.distinct_tracks(),
        "distinct_artists": listens.distinct_artists(primary=False),
        "distinct_primary_artists": listens.distinct_artists(primary=True),
        "distinct_genres": listens.distinct_genres(),
    }


def figures(session: Session, **queries: Select[Any]) -> dict[str, Any]:
    """The results of queries of one row and one column, in one statement."""
    row: Row[Any] = session.execute(
        select(*(query.scalar_subquery().label(name) for name, query in queries.items()))
    ).one()
    return dict(row._mapping)


def user_summary(session: Session, audience: Audience, window: Window, today: Today) -> UserSummary:
    """A user's page in one call: totals, distincts, streaks, and the first row of each list."""
    listens = Listens(audience, window)
    days = list(session.scalars(select(listens.days.c.day).order_by(listens.days.c.day)))
    streaks = runs(days)
    current = current_of(streaks, today.date)
    (user_id,) = audience.user_ids or ()
    return UserSummary(
        user_id=user_id,
        active_days=len(days),
        current_streak_days=current.days if current else 0,
        longest_streak_days=max((streak.days for streak in streaks), default=0),
        **figures(session, **_figures(listens)),
        **_tops(session, audience, window),
    )


def global_summary(session: Session, audience: Audience, window: Window) -> GlobalSummary:
    """A page about everyone in one call: totals, distincts, and the first row of each list."""
    listens = Listens(audience, window)
    found = figures(
        session,
        active_days=select(func.count()).select_from(listens.days),
        distinct_listeners=listens.distinct_listeners(),
        **_figures(listens),
    )
    return GlobalSummary(
        top_listener=_first(top_listeners(session, audience, window, FIRST).rows),
        **found,
        **_tops(session, audience, window),
    )


def _figures(listens: Listens) -> dict[str, Select[Any]]:
    return totals_of(listens) | {"first_listen_at": listens.first(), "last_listen_at": listens.last()}


def _tops(session: Session, audience: Audience, window: Window) -> dict[str, Any]:
    return {
        "window": window,
        "top_track": _first(top_tracks(session, audience, window, FIRST).rows),
        "top_primary_artist": _first(top_primary_artists(session, audience, window, FIRST).rows),
        "top_genre": _first(top_genres(session, audience, window, FIRST).rows),
    }


def _first(rows: list[Any]) -> Any:
    return rows[0] if rows else None
