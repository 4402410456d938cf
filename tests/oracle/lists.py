"""Ranked lists, discoveries, totals and distincts."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any, Literal, NamedTuple

from tests.oracle.calendar import Window, instant_text
from tests.oracle.world import Listen, World

Kind = Literal["tracks", "artists", "primary-artists", "genres", "listeners"]

# What the tests set as DEFAULT_IMAGE_URL.
PLACEHOLDER = "https://images.example/placeholder.svg"


@dataclass(frozen=True)
class Asked:
    """The listens that an insight is about: those of `users` (None for everyone) of a subject in a window.

    A subject is what it is, by the name of the list that it would stand in, and its id; without one all listens count.
    """

    world: World
    users: frozenset[int] | None
    window: Window
    now: datetime
    subject: tuple[Kind, str] | None = None

    @cached_property
    def ever(self) -> list[Listen]:
        """The audience's listens in any window, oldest first."""
        listens = [listen for listen in self.world.listens if self.users is None or listen.user_id in self.users]
        if self.subject is None:
            return listens
        kind, key = self.subject
        return [listen for listen in listens if key in counted_for(self.world, kind, listen)]

    @cached_property
    def listens(self) -> list[Listen]:
        """The audience's listens in the window, oldest first."""
        return [listen for listen in self.ever if self.window.holds(listen.played_at)]

    def over(self, window: Window) -> "Asked":
        """The same audience in another window."""
        return replace(self, window=window)

    def listen_time(self, listens: Iterable[Listen]) -> int:
        """The listen time of some listens, in ms."""
        return sum(self.world.tracks[listen.track_id].duration_ms for listen in listens)

    def play(self, listen: Listen) -> tuple[datetime, datetime]:
        """The start and the end of a listen's play: its instant is the end."""
        return listen.played_at - timedelta(milliseconds=self.listen_time([listen])), listen.played_at


def bytewise(text: str) -> bytes:
    """A text as COLLATE "C" orders it."""
    return text.encode()


def id_order(key: int | str) -> int | bytes:
    """The order of ids: numbers by value, texts byte by byte."""
    return bytewise(key) if isinstance(key, str) else key


def counted_for(world: World, kind: Kind, listen: Listen) -> set[Any]:
    """What a listen counts once for."""
    if kind == "tracks":
        return {listen.track_id}
    if kind == "listeners":
        return {listen.user_id}
    credits = {artist: primary for (track, artist), primary in world.credits.items() if track == listen.track_id}
    if kind == "artists":
        return set(credits)
    primaries = {artist for artist, primary in credits.items() if primary}
    if kind == "primary-artists":
        return primaries
    return {genre for artist, genre in world.genres if artist in primaries}


class Ranked(NamedTuple):
    """A row of a ranking."""

    rank: int
    key: Any
    listens: list[Listen]


def ranking(asked: Asked, kind: Kind, by: str = "count") -> list[Ranked]:
    """The whole ranked list."""
    groups: dict[Any, list[Listen]] = defaultdict(list)
    for listen in asked.listens:
        for key in counted_for(asked.world, kind, listen):
            groups[key].append(listen)
    measure = {key: len(rows) if by == "count" else asked.listen_time(rows) for key, rows in groups.items()}
    return [
        Ranked(1 + sum(other > measure[key] for other in measure.values()), key, groups[key])
        for key in sorted(groups, key=lambda key: (-measure[key], id_order(key)))
    ]


def top(
    asked: Asked, kind: Kind, *, by: str = "count", limit: int = 10, offset: int = 0, compare: str | None = None
) -> list[dict[str, Any]]:
    """A page of a ranked list."""
    whole = len(asked.listens) if by == "count" else asked.listen_time(asked.listens)
    before = {}
    if compare:
        before = {row.key: row for row in ranking(asked.over(asked.window.previous()), kind, by)}
    rows = []
    for rank, key, listens in ranking(asked, kind, by)[offset : offset + limit]:
        part = len(listens) if by == "count" else asked.listen_time(listens)
        row = {"rank": rank, **counts(asked, listens), "share": part / whole if whole else 0.0}
        if compare:
            row["previous_rank"] = before[key].rank if key in before else None
            row["previous_count"] = len(before[key].listens) if key in before else None
        rows.append(row | description(asked.world, kind, key))
    return rows


def discoveries(asked: Asked, kind: Kind, *, limit: int = 10, offset: int = 0) -> list[dict[str, Any]]:
    """A page of what was listened to for the first time ever."""
    found = discovered(asked, kind)
    groups = {row.key: row.listens for row in ranking(asked, kind)}
    return [
        {
            **description(asked.world, kind, key),
            **counts(asked, groups[key]),
            "first_listened_at": instant_text(first),
        }
        for key, first in found[offset : offset + limit]
    ]


def discovered(asked: Asked, kind: Kind) -> list[tuple[Any, datetime]]:
    """All that was listened to for the first time ever in the window, with that instant, newest first."""
    first: dict[Any, datetime] = {}
    for listen in asked.ever:  # oldest first
        for key in counted_for(asked.world, kind, listen):
            first.setdefault(key, listen.played_at)
    found = [(key, instant) for key, instant in first.items() if asked.window.holds(instant)]
    found.sort(key=lambda item: id_order(item[0]))
    return sorted(found, key=lambda item: item[1], reverse=True)


def forgotten(
    asked: Asked, kind: Kind, *, by: str = "count", limit: int = 10, offset: int = 0, days: int = 180
) -> list[dict[str, Any]]:
    """A page of what has listens in the window, and none in the last days."""
    return [
        {
            "rank": row.rank,
            **description(asked.world, kind, row.key),
            **counts(asked, row.listens),
            "last_listened_at": instant_text(_last_listens(asked, kind)[row.key]),
        }
        for row in forgotten_list(asked, kind, by=by, days=days)[offset : offset + limit]
    ]


def forgotten_list(asked: Asked, kind: Kind, *, by: str = "count", days: int = 180, **_page: Any) -> list[Ranked]:
    """The whole list of what is forgotten."""
    recently = asked.over(Window.named(f"{days}d", asked.window.tz, asked.now))
    late = {key for listen in recently.listens for key in counted_for(asked.world, kind, listen)}
    left = [row for row in ranking(asked, kind, by) if row.key not in late]
    return [row._replace(rank=1 + sum(other.rank < row.rank for other in left)) for row in left]


def _last_listens(asked: Asked, kind: Kind) -> dict[Any, datetime]:
    return {key: listen.played_at for listen in asked.ever for key in counted_for(asked.world, kind, listen)}


def total_listens(asked: Asked) -> int:
    """The number of listens."""
    return len(asked.listens)


def total_listen_time(asked: Asked, *, as_string: bool = False) -> int | str:
    """The listen time in ms, or as a text."""
    milliseconds = asked.listen_time(asked.listens)
    if not as_string:
        return milliseconds
    seconds = milliseconds // 1000
    return f"{seconds // 86400}d {seconds // 3600 % 24}h {seconds // 60 % 60}m {seconds % 60}s"


def distinct(asked: Asked, kind: Kind) -> int:
    """How many different ones were listened to."""
    return len(ranking(asked, kind))


def counts(asked: Asked, listens: list[Listen]) -> dict[str, int]:
    """The numbers of a row."""
    return {"count": len(listens), "listen_time_ms": asked.listen_time(listens)}


def description(world: World, kind: Kind, key: Any) -> dict[str, Any]:
    """What a row says of the track, artist, genre or user that it is about."""
    if kind == "tracks":
        return describe_track(world, key)
    if kind == "genres":
        return {"genre": key}
    if kind == "listeners":
        return {"user_id": key, "username": world.users[key]}
    return describe_artist(world, key)


def describe_track(world: World, track_id: str) -> dict[str, Any]:
    """A track's fields."""
    credits = [
        (not primary, bytewise(artist), artist) for (id, artist), primary in world.credits.items() if id == track_id
    ]
    artists = [
        {"artist_id": artist, "artist_name": world.artists[artist], "is_primary": not featured}
        for featured, _, artist in sorted(credits)
    ]
    first = artists[0] if artists and artists[0]["is_primary"] else {"artist_id": None, "artist_name": None}
    return {
        "track_id": track_id,
        "track_name": world.tracks[track_id].name,
        "artist_id": first["artist_id"],
        "artist_name": first["artist_name"],
        "artists": artists,
        "duration_ms": world.tracks[track_id].duration_ms,
        "image_url": image(world.track_images, track_id),
        "preview_url": world.previews.get(track_id),
    }


def describe_artist(world: World, artist_id: str) -> dict[str, Any]:
    """An artist's fields."""
    return {
        "artist_id": artist_id,
        "artist_name": world.artists[artist_id],
        "image_url": image(world.artist_images, artist_id),
    }


def image(images: dict[tuple[str, int, int], str], id: str) -> str:
    """The widest image, then the tallest, then the smaller URL; the placeholder where there is none."""
    own = [(-width, -height, bytewise(url), url) for (owner, height, width), url in images.items() if owner == id]
    return min(own)[3] if own else PLACEHOLDER
