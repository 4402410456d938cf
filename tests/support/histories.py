"""Small, awkward histories, and the questions that the API is asked about them, made by a `random.Random`.

A seed makes a whole example: of hypothesis's own strategies, most examples would be variations of others.
"""

from calendar import isleap
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, date, datetime, timedelta
from itertools import permutations, product
from random import Random
from typing import NamedTuple, TypeVar
from zoneinfo import ZoneInfo

from tests.conftest import NOW
from tests.oracle import FEATURES, Asked, Track, World
from tests.oracle.calendar import (
    DAY,
    MICROSECOND,
    MINUTE,
    Window,
    first_instant,
    instant_text,
    local_date,
    meant,
    zone,
)
from tests.oracle.lists import Kind, counted_for

ZONES = (
    "UTC",
    "Europe/Paris",
    "America/Havana",  # the clock changes at midnight: one that does not exist, one that comes twice
    "Asia/Kathmandu",  # 05:45, and 05:30 until 1986
    "Australia/Lord_Howe",  # summer time of half an hour
    "Pacific/Apia",  # left out 30 December 2011
    "America/St_Johns",  # put the clock back from 00:01 to 23:01
    "Pacific/Kiritimati",
    "US/Eastern",  # a legacy name
)

T = TypeVar("T")

# Days around "now" (Monday, 23 November 2026) at whose first instants named ranges begin or end.
_DAYS = [
    NOW.date() + n * DAY for n in (0, 1, -1, -2, -6, -7, -8)  # today and days, this and last week
] + [
    date(2026, 11, 1), date(2026, 12, 1), date(2026, 10, 1), date(2026, 7, 1), date(2026, 1, 1), date(2025, 12, 31),
    date(2025, 1, 1), date(2024, 2, 29), date(2025, 11, 23), date(2020, 11, 23), date(1970, 1, 2), date(2100, 12, 31),
]  # fmt: skip
MIDNIGHTS = list(dict.fromkeys(first_instant(day, zone(name)) for day in _DAYS for name in ZONES))
CLOCK_CHANGES = [
    datetime(2026, 3, 29, 1, tzinfo=UTC),  # Paris, 02:00 to 03:00
    datetime(2026, 10, 25, 0, 30, tzinfo=UTC),  # Paris, the first 02:30
    datetime(2026, 10, 25, 1, tzinfo=UTC),  # Paris, 03:00 to 02:00
    datetime(2026, 3, 8, 5, tzinfo=UTC),  # Havana, 00:00 to 01:00
    datetime(2026, 11, 1, 4, tzinfo=UTC),  # Havana, the first midnight
    datetime(2026, 11, 1, 5, tzinfo=UTC),  # Havana, 01:00 to 00:00
    datetime(2026, 10, 3, 15, 30, tzinfo=UTC),  # Lord Howe, 02:00 to 02:30
    datetime(2026, 4, 4, 15, tzinfo=UTC),  # Lord Howe, 02:00 to 01:30
    datetime(2011, 12, 30, 10, tzinfo=UTC),  # Apia, over the date line
    datetime(2010, 11, 7, 2, 31, tzinfo=UTC),  # St. John's, 00:01 to 23:01
    datetime(1985, 12, 31, 18, 30, tzinfo=UTC),  # Kathmandu, fifteen minutes on
]
ENDS = [datetime(1970, 1, 1, tzinfo=UTC), datetime(2100, 12, 31, 23, 59, 59, 999999, tzinfo=UTC)]
ANCHORS = [NOW, *MIDNIGHTS, *CLOCK_CHANGES, *ENDS]

# Bytes order these otherwise than any locale does; some differ in case alone, one is as long as the column.
IDS = ("a", "B", "A", "b", "_", "é", "0", "~", "a b", "10", "2", "ß%&+?#", "zzzzzzzzzzzzzzzzzzzzzzzz")
NAMES = ("Same", "same", "", "Été “déjà”", "<b>'\";--", "x" * 120)
GENRES = ("pop", "Pop", "électro", "_", "r&b", "10s")
DURATIONS = (180_000, 0, 1, 999, 30_000, 1_800_000, 1_800_001, 2_147_483_647)
RANGES = (
    "all_time", "today", "yesterday", "this_week", "last_week", "this_month", "last_month", "this_quarter",
    "last_quarter", "this_half_year", "last_half_year", "this_year", "last_year", "1d", "7d", "30d", "3660d",
)  # fmt: skip

# What an answer may be narrowed to: its parameter, its list, and all there are.
SUBJECTS: tuple[tuple[str, Kind, Callable[[World], Iterable[str]]], ...] = (
    ("track_id", "tracks", lambda world: world.tracks),
    ("artist_id", "artists", lambda world: world.artists),
    ("genre", "genres", lambda world: GENRES),
)

USERS = (1, 2, 3, 10, 2_147_483_647)
UNKNOWN = 77
USERNAMES = ("listener", "é" * 20, "")
SIZES = ((64, 64), (300, 64), (64, 300), (300, 300))

# Where the listens of a run begin, counted from an instant, and how far apart they are.
OFFSETS = (timedelta(0), timedelta(0), MICROSECOND, timedelta(milliseconds=1), 30 * MINUTE, DAY)
STEPS = (DAY, DAY, DAY, 20 * MINUTE, 30 * MINUTE, 30 * MINUTE + MICROSECOND, 365 * DAY)

# 0, 1, edges of bins, and what lies beyond either end.
UNIT = (0.5, 0.0, 1.0, 0.1, 0.3, 0.7, 0.9999999, 1.5, -0.5)
VALUES: dict[str, Sequence[float]] = {
    **dict.fromkeys(FEATURES, UNIT),
    "loudness": (-10.0, -60.0, 0.0, -54.0, -80.0, 3.5),
    "tempo": (120.0, 0.0, 250.0, 25.0, 75.0, 300.0),
    "key": range(-1, 12),
    "mode": (0, 1),
    "time_signature": (4,),
}


class Listened(NamedTuple):
    """A history, and a window to ask about with the parameters that ask for it."""

    world: World
    window: Window
    query: dict[str, str]

    def asked(self, users: frozenset[int] | None, subject: tuple[Kind, str] | None = None) -> Asked:
        """The question for the oracle."""
        return Asked(self.world, users, self.window, NOW, subject)

    @property
    def listeners(self) -> list[int]:
        """The users with listens in the window, ascending."""
        return sorted({listen.user_id for listen in self.asked(None).listens})


def listened(rng: Random, *, everything: bool = False) -> Listened:
    """A window, and a history with listens in it, around its ends and elsewhere.

    With `everything` also the tables that only single insights read.
    """
    window, query = any_window(rng)
    return Listened(_world(rng, window, everything=everything), window, query)


# A platform


def _world(rng: Random, window: Window, *, everything: bool) -> World:
    """Few users, tracks and artists, so that users share tracks and ties are frequent."""
    world = World(users={user_id: rng.choice(USERNAMES) for user_id in rng.sample(USERS, rng.randint(3, 4))})
    for artist in rng.sample(IDS, rng.randint(4, 5)):
        world.artists[artist] = rng.choice(NAMES)
        world.genres |= {(artist, genre) for genre in rng.sample(GENRES, rng.choice((0, 1, 2, 2, 3)))}
        world.artist_images |= _images(rng, artist)
    artists = list(world.artists)
    for track in rng.sample(IDS, rng.randint(4, 6)):
        world.tracks[track] = Track(rng.choice(NAMES), rng.choice(DURATIONS))
        for artist in rng.sample(artists, rng.choice((1, 1, 1, 1, 1, 2, 2, 2, 3, 0))):
            world.credits[track, artist] = rng.random() < 0.9
        world.track_images |= _images(rng, track)
        if rng.random() < 0.5:
            world.previews[track] = f"https://previews.example/{len(world.previews)}"
    world.history = _history(rng, world, window)
    if everything:
        tracks = list(world.tracks)
        featured = rng.sample(tracks, rng.randint(len(tracks) // 2, len(tracks)))
        world.features = {track: _features(rng) for track in featured}
        world.track_popularity = _records(rng, tracks)
        world.artist_popularity = _records(rng, artists)
        world.followers = _records(rng, artists)
    return world


def _images(rng: Random, owner: str) -> dict[tuple[str, int, int], str]:
    """Images, often of equal width. Their URLs sort otherwise than their sizes do."""
    sizes = rng.sample(SIZES, rng.randint(0, 3))
    return {(owner, *size): f"https://images.example/{9 - place}" for place, size in enumerate(sizes)}


def _features(rng: Random) -> dict[str, float]:
    """A track's features: every other value is one of those that matter."""
    row = {name: rng.choice(values) for name, values in VALUES.items()}
    return row | {name: rng.uniform(*FEATURES[name]) for name in FEATURES if rng.random() < 0.5}


def _records(rng: Random, ids: list[str]) -> dict[tuple[str, datetime], int]:
    return {(rng.choice(ids), rng.choice(ANCHORS)): rng.randint(0, 100) for _ in range(rng.randint(0, 4))}


def _history(rng: Random, world: World, window: Window) -> dict[tuple[int, datetime], str]:
    """Listens in runs around a few instants, so that there are ties, equal instants, and more than one a day.

    The last of the users has none. Outside the window one track alone is played: the others are discovered in
    it. Some are before 1970 or after 2100, where an end of the window is near.
    """
    users, tracks = list(world.users), list(world.tracks)
    listeners = users[:-1]
    inside, outside = _inside(window), [*_outside(window), (rng.choice(ANCHORS), 1)]
    rows: dict[tuple[int, datetime], str] = {}
    for run in range(rng.randint(6, 7) * len(listeners)):
        instant, direction = rng.choice(outside if rng.random() < 0.15 else inside)
        track, user = rng.choice(tracks), listeners[run % len(listeners)]
        instant += rng.choice(OFFSETS) * direction
        step = rng.choice(STEPS) * direction
        for _ in range(rng.randint(1, 3)):
            rows.setdefault((user, instant), track if window.holds(instant) else tracks[0])
            instant += step
    return rows


def _inside(window: Window) -> list[tuple[datetime, int]]:
    """Instants in a window, each with 1 where the window goes on after it, -1 where it does before."""
    anchors = [] if window.start is None else [(window.start, 1)]
    if window.end is not None:
        anchors.append((window.end - MICROSECOND, -1))
    if window.holds(NOW):
        anchors.append((NOW, -1))
    return anchors


def _outside(window: Window) -> list[tuple[datetime, int]]:
    """The last instant before a window, the first after it, and the first of the window before."""
    anchors = [] if window.start is None else [(window.start - MICROSECOND, -1)]
    if window.end is not None:
        anchors.append((window.end, 1))
    if window.is_bounded:
        anchors.append((window.previous().start or NOW, 1))
    return anchors


# Questions


def any_window(rng: Random) -> tuple[Window, dict[str, str]]:
    """A window and the parameters that ask for it: a named range, or bounds, in a zone."""
    name = rng.choice(ZONES)
    query = {} if name == "UTC" else {"tz": name}
    tz = zone(name)
    if rng.random() < 0.5:
        range = rng.choice(RANGES)
        return Window.named(range, tz, NOW), query | {"range": range}
    (start, from_text), (end, to_text) = sorted((_bound(rng, tz), _bound(rng, tz)))
    given = rng.choice((("from", "to"), ("from", "to"), ("from",), ("to",), ()))
    if not given or start == end:
        return Window.named("all_time", tz, NOW), query
    window = Window("custom", start if "from" in given else None, end if "to" in given else None, tz)
    return window, query | {name: text for name, text in (("from", from_text), ("to", to_text)) if name in given}


def _bound(rng: Random, tz: ZoneInfo) -> tuple[datetime, str]:
    """An instant, and a way to write it: in UTC, at an offset, as a local time, as a day."""
    instant = rng.choice(ANCHORS)
    local = instant.astimezone(tz)
    shown, day = local.replace(tzinfo=None), local.date()
    written = [(instant, instant_text(instant)), (meant(shown, tz), shown.isoformat())]
    if first_instant(day, tz) >= ENDS[0]:
        written.append((first_instant(day, tz), day.isoformat()))
    if local.isoformat()[-6:].count(":") == 1:
        written.append((instant, local.isoformat()))
    return rng.choice(written)


def any_user(rng: Random, history: Listened) -> int:
    """A user: mostly one with listens in the window, sometimes one without, or one that the platform does not know."""
    return mostly(rng, history.listeners, [*history.world.users, UNKNOWN])


def any_pair(rng: Random, history: Listened) -> tuple[int, int]:
    """Two users: mostly two different ones with listens in the window."""
    anybody = (*history.world.users, UNKNOWN)
    return mostly(rng, list(permutations(history.listeners, 2)), list(product(anybody, anybody)))


def any_group(rng: Random, history: Listened) -> frozenset[int] | None:
    """Everyone, or a group, in which some may have no listens or be unknown."""
    pair = any_pair(rng, history)
    return rng.choice((None, frozenset(pair), frozenset((*pair, UNKNOWN))))


def any_subject(
    rng: Random, history: Listened, users: Iterable[int] | None
) -> tuple[tuple[Kind, str] | None, dict[str, str]]:
    """A subject or none, and the parameter that asks for it: mostly what some users listened to in the window."""
    if rng.random() < 0.5:
        return None, {}
    parameter, kind, known = rng.choice(SUBJECTS)
    listens = history.asked(None if users is None else frozenset(users)).listens
    heard = {key for listen in listens for key in counted_for(history.world, kind, listen)}
    key = mostly(rng, sorted(heard), [*known(history.world), "unknown"])
    return (kind, key), {parameter: key}


def any_page(rng: Random) -> dict[str, int]:
    """A small page, so that ties lie across its edges."""
    return any_limit(rng) | rng.choice(({}, {}, {}, {"offset": 1}, {"offset": 2}))


def any_limit(rng: Random) -> dict[str, int]:
    """A short list, or the default."""
    return rng.choice(({}, {"limit": rng.randint(1, 4)}))


def any_anniversary(rng: Random, history: Listened, user_id: int) -> date | None:
    """A day some years after the one on which a user played the most tracks, or another."""
    tracks: dict[date, set[str]] = {}
    for listen in history.asked(frozenset({user_id})).ever:
        tracks.setdefault(local_date(listen.played_at, history.window.tz), set()).add(listen.track_id)
    most = max(map(len, tracks.values()), default=0)
    found = [
        day.replace(year=year)
        for day in tracks
        for year in (day.year + 1, day.year + 4)
        if len(tracks[day]) == most and year <= 2100 and ((day.month, day.day) != (2, 29) or isleap(year))
    ]
    return mostly(rng, found, [None, NOW.date(), date(2024, 2, 29), date(2028, 2, 29), date(2025, 2, 28)])


def mostly(rng: Random, usual: Sequence[T], others: Sequence[T]) -> T:
    """One of the usual values, and one time in ten, or where there is none, one of the others."""
    return rng.choice(usual if usual and rng.random() < 0.9 else others)
