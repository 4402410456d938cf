"""The insights that put several numbers on one page."""

from collections import Counter
from datetime import datetime
from math import sqrt
from statistics import fmean, pstdev
from typing import Any
from urllib.parse import urlencode

from tests.oracle.calendar import instant_text
from tests.oracle.days import current_run, listen_days, runs, window_body
from tests.oracle.lists import (
    Asked,
    Kind,
    bytewise,
    counted_for,
    describe_artist,
    describe_track,
    distinct,
    ranking,
    top,
)
from tests.oracle.world import FEATURES, Listen, World


def _instant(instant: datetime | None) -> str | None:
    return instant_text(instant) if instant else None


def _ends(listens: list[Listen]) -> tuple[str | None, str | None]:
    """The first and the last listen's instant."""
    if not listens:
        return None, None
    return instant_text(listens[0].played_at), instant_text(listens[-1].played_at)


def _first(rows: list[Any]) -> Any:
    return rows[0] if rows else None


def summary(asked: Asked, user_id: int | None = None) -> dict[str, Any]:
    """A page's numbers: of one user, or of everyone or a group where `user_id` is None."""
    first, last = _ends(asked.listens)
    body = {
        "window": window_body(asked.window),
        "listens": len(asked.listens),
        "listen_time_ms": asked.listen_time(asked.listens),
        "distinct_tracks": distinct(asked, "tracks"),
        "distinct_artists": distinct(asked, "artists"),
        "distinct_primary_artists": distinct(asked, "primary-artists"),
        "distinct_genres": distinct(asked, "genres"),
        "first_listen_at": first,
        "last_listen_at": last,
        "active_days": len(listen_days(asked)),
        "top_track": _first(top(asked, "tracks")),
        "top_primary_artist": _first(top(asked, "primary-artists")),
        "top_genre": _first(top(asked, "genres")),
    }
    if user_id is None:
        return body | {
            "distinct_listeners": distinct(asked, "listeners"),
            "top_listener": _first(top(asked, "listeners")),
        }
    current = current_run(asked)
    return body | {
        "user_id": user_id,
        "current_streak_days": current.days if current else 0,
        "longest_streak_days": max((run.days for run in runs(asked)), default=0),
    }


def features(asked: Asked) -> dict[str, Any]:
    """The profile over the tracks' features, each as often as it was listened to."""
    known = asked.world.features
    rows = [known[listen.track_id] for listen in asked.listens if listen.track_id in known]
    keys, modes = Counter(row["key"] for row in rows), Counter(row["mode"] for row in rows)
    return {
        "window": window_body(asked.window),
        "listens": len(asked.listens),
        "coverage": len(rows) / len(asked.listens) if asked.listens else 0.0,
        "features": {name: _profile([row[name] for row in rows], *FEATURES[name]) for name in FEATURES},
        "keys": [keys[key] for key in range(12)],
        "modes": {"major": modes[1], "minor": modes[0]},
    }


def _profile(values: list[float], low: float, high: float) -> dict[str, Any]:
    histogram = [0] * 10
    for value in values:
        histogram[min(max(int((value - low) / (high - low) * 10 // 1), 0), 9)] += 1
    return {
        "mean": fmean(values) if values else None,
        "stddev": pstdev(values) if values else None,
        "min": min(values, default=None),
        "max": max(values, default=None),
        "histogram": histogram,
    }


def history(asked: Asked, user_id: int, *, before: datetime | None = None, limit: int = 10) -> dict[str, Any]:
    """A page of one user's listens, newest first."""
    rows = [listen for listen in reversed(asked.ever) if before is None or listen.played_at < before]
    told = ("track_id", "track_name", "artist_id", "artist_name", "duration_ms", "image_url", "preview_url")
    items = []
    for listen in rows[:limit]:
        track = describe_track(asked.world, listen.track_id)
        items.append({"played_at": instant_text(listen.played_at)} | {name: track[name] for name in told})
    parameters = urlencode({"before": items[-1]["played_at"], "limit": limit}) if items else ""
    return {
        "items": items,
        "next": f"/insights/history/{user_id}?{parameters}" if len(rows) > limit else None,
    }


def export(asked: Asked) -> list[dict[str, Any]]:
    """One user's listens in the window, oldest first."""
    told = ("track_id", "track_name", "artists", "duration_ms")
    rows = ((listen, describe_track(asked.world, listen.track_id)) for listen in asked.listens)
    return [
        {"played_at": instant_text(listen.played_at)} | {name: track[name] for name in told} for listen, track in rows
    ]


def compare(one: Asked, other: Asked, users: tuple[int, int], *, limit: int = 10) -> dict[str, Any]:
    """What two users share."""
    artists, tracks = _shared(one, other, "primary-artists"), _shared(one, other, "tracks")
    track_fields = ("track_id", "track_name", "artist_id", "artist_name", "image_url")
    return {
        "users": list(users),
        "window": window_body(one.window),
        "similarity": _cosine(_counts(one, "primary-artists"), _counts(other, "primary-artists")),
        "distinct_shared_primary_artists": len(artists),
        "distinct_shared_tracks": len(tracks),
        "shared_primary_artists": [
            describe_artist(one.world, artist) | {"counts": pair} for artist, pair in artists[:limit]
        ],
        "shared_tracks": [
            {name: describe_track(one.world, track)[name] for name in track_fields} | {"counts": pair}
            for track, pair in tracks[:limit]
        ],
    }


def _counts(asked: Asked, kind: Kind) -> dict[str, int]:
    return {row.key: len(row.listens) for row in ranking(asked, kind)}


def _shared(one: Asked, other: Asked, kind: Kind) -> list[tuple[str, list[int]]]:
    """What both listened to with both counts, by the smaller count descending, then by id."""
    left, right = _counts(one, kind), _counts(other, kind)
    shared = {key: [left[key], right[key]] for key in left if key in right}
    return sorted(shared.items(), key=lambda item: (-min(item[1]), bytewise(item[0])))


def _cosine(left: dict[str, int], right: dict[str, int]) -> float:
    product = sum(number * right.get(key, 0) for key, number in left.items())
    norms = sum(number**2 for number in left.values()) * sum(number**2 for number in right.values())
    return product / sqrt(norms) if norms else 0.0


def track_page(asked: Asked, track_id: str, *, limit: int = 10) -> dict[str, Any]:
    """All about one track."""
    return {
        "track": describe_track(asked.world, track_id),
        **_page(asked, "tracks", track_id, limit),
        "popularity": _record(asked.world.track_popularity, track_id, "popularity"),
    }


def artist_page(asked: Asked, artist_id: str, *, limit: int = 10) -> dict[str, Any]:
    """All about one artist, as a credited one."""
    genres = sorted((genre for artist, genre in asked.world.genres if artist == artist_id), key=bytewise)
    return {
        "artist": describe_artist(asked.world, artist_id) | {"genres": genres},
        **_page(asked, "artists", artist_id, limit),
        "top_tracks": top(_only(asked, "artists", artist_id), "tracks", limit=limit),
        "popularity": _record(asked.world.artist_popularity, artist_id, "popularity"),
        "followers": _record(asked.world.followers, artist_id, "followers"),
    }


def _only(asked: Asked, kind: Kind, key: str) -> Asked:
    """The same question where nothing but this track or artist was ever listened to."""
    own = {
        (listen.user_id, listen.played_at): listen.track_id
        for listen in asked.world.listens
        if key in counted_for(asked.world, kind, listen)
    }
    return _with_history(asked, own)


def _with_history(asked: Asked, rows: dict[tuple[int, datetime], str]) -> Asked:
    values = {name: getattr(asked.world, name) for name in World.__dataclass_fields__}
    return Asked(World(**(values | {"history": rows})), asked.users, asked.window, asked.now)


def _page(asked: Asked, kind: Kind, key: str, limit: int) -> dict[str, Any]:
    own = _only(asked, kind, key)
    first, last = _ends(own.listens)
    return {
        "window": window_body(asked.window),
        "listens": len(own.listens),
        "listen_time_ms": own.listen_time(own.listens),
        "listeners": distinct(own, "listeners"),
        "rank": next((row.rank for row in ranking(asked, kind) if row.key == key), None),
        "first_listened_at": first,
        "last_listened_at": last,
        "top_listeners": top(own, "listeners", limit=limit),
    }


def _record(rows: dict[tuple[str, datetime], int], id: str, name: str) -> list[dict[str, Any]]:
    """The whole record of one track or artist, oldest first."""
    own = sorted((instant, value) for (owner, instant), value in rows.items() if owner == id)
    return [{"date": instant_text(instant), name: value} for instant, value in own]
