"""A page's numbers in one call."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, Select
from sqlalchemy.orm import Session

from app.domain.audience import Audience
from app.domain.ranking import SortBy
from app.domain.today import Today
from app.domain.windows import Window
from app.listens.live import Listens
from app.listens.relations import number_of, side_by_side
from app.listens.sources import listens_of
from app.listens.statements import run
from app.services.rankings import (
    Place,
    RankedArtist,
    RankedGenre,
    RankedListener,
    RankedTrack,
    first_places,
    first_rows,
    named_artists,
    named_genres,
    named_listeners,
    named_tracks,
)
from app.services.streaks import current_of, days_of, runs


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

    user_id: int | None
    current_streak_days: int
    longest_streak_days: int


@dataclass(frozen=True, kw_only=True)
class GlobalSummary(Summary):
    """The summary of everyone, or of a group."""

    distinct_listeners: int
    top_listener: RankedListener | None


def overview(listens: Listens, limit: int, **more: Select[Any]) -> Select[Any]:
    """The numbers of listens and distincts, and the heads of the lists by count; and `more`, of one row and one column.

    All in one statement, so that what they share is read once. `read_overview` reads its one row.
    """
    queries = {
        "listens": listens.whole(SortBy.COUNT, listens.by_track),
        "distinct_tracks": listens.by_track.number,
        "distinct_artists": listens.by_artist.number,
        "distinct_primary_artists": listens.by_primary_artist.number,
        "distinct_genres": listens.by_genre.number,
        "tracks": first_rows(listens.by_track, limit),
        "primary_artists": first_rows(listens.by_primary_artist, limit),
        "genres": first_rows(listens.by_genre, limit),
    }
    return side_by_side(queries | more)


def read_overview(row: Row[Any]) -> tuple[dict[str, Any], dict[str, dict[Any, Place]]]:
    """The numbers, and the results of `more`, by their names; and the heads of the lists by theirs."""
    found = dict(row._mapping)
    heads = {name: first_places(found.pop(name), found["listens"]) for name in ("tracks", "primary_artists", "genres")}
    return found, heads


def user_summary(session: Session, audience: Audience, window: Window, today: Today) -> UserSummary:
    """A user's page in one call: totals, distincts, streaks, and the first row of each list."""
    listens = listens_of(session, audience, window)
    days = days_of(session, listens)
    streaks = runs(days)
    current = current_of(streaks, today.date)
    return UserSummary(
        user_id=audience.user_id,
        active_days=len(days),
        current_streak_days=current.days if current else 0,
        longest_streak_days=max((streak.days for streak in streaks), default=0),
        **_summary(session, listens, run(session, _summary_query, listens, args=(False,)).one()),
    )


def global_summary(session: Session, audience: Audience, window: Window) -> GlobalSummary:
    """A page about everyone in one call: totals, distincts, and the first row of each list."""
    listens = listens_of(session, audience, window)
    found = run(session, _summary_query, listens, args=(True,), by_time=True).one()
    summary = _summary(session, listens, found)
    top = named_listeners(session, first_places(summary.pop("listener"), summary["listens"]))
    return GlobalSummary(top_listener=_first(top), **summary)


def _summary(session: Session, listens: Listens, row: Row[Any]) -> dict[str, Any]:
    """What all summaries have, by its name in `Summary`, and what else was found."""
    found, heads = read_overview(row)
    return found | {
        "window": listens.window,
        "top_track": _first(named_tracks(session, heads["tracks"])),
        "top_primary_artist": _first(named_artists(session, heads["primary_artists"])),
        "top_genre": _first(named_genres(heads["genres"])),
    }


def _summary_query(listens: Listens, is_global: bool) -> Select[Any]:
    more: dict[str, Select[Any]] = {
        "listen_time_ms": listens.listen_time(),
        "first_listen_at": listens.first(),
        "last_listen_at": listens.last(),
    }
    if is_global:
        more |= {
            "active_days": number_of(listens.days),
            "distinct_listeners": listens.distinct_listeners(),
            "listener": first_rows(listens.by_listener, 1),
        }
    return overview(listens, 1, **more)


def _first(rows: Sequence[Any]) -> Any:
    return rows[0] if rows else None
