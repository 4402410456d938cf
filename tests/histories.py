"""Hypothesis strategies: small, awkward histories, and the questions that the API is asked about them."""

from datetime import UTC, date, datetime, timedelta
from typing import NamedTuple

from hypothesis import strategies as st

from app.timezones import WindowError, timezone, to_local
from app.windows import Window, first_instant, format_instant, local_date
from tests.conftest import NOW
from tests.oracle import FEATURES, Asked, Track, World

MICROSECOND = timedelta(microseconds=1)
MINUTE = timedelta(minutes=1)
DAY = timedelta(days=1)

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

# Days around "now" (Monday, 23 November 2026) at whose first instants named ranges begin or end.
_DAYS = [
    NOW.date() + n * DAY for n in (0, 1, -1, -2, -6, -7, -8)  # today and days, this and last week
] + [
    date(2026, 11, 1), date(2026, 12, 1), date(2026, 10, 1), date(2026, 7, 1), date(2026, 1, 1), date(2025, 12, 31),
    date(2025, 1, 1), date(2024, 2, 29), date(2025, 11, 23), date(2020, 11, 23), date(1970, 1, 2), date(2100, 12, 31),
]  # fmt: skip
MIDNIGHTS = list(dict.fromkeys(first_instant(day, timezone(zone)) for day in _DAYS for zone in ZONES))
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

# 0, 1, edges of bins, and what lies beyond either end.
_UNIT = st.sampled_from((0.5, 0.0, 1.0, 0.1, 0.3, 0.7, 0.9999999, 1.5, -0.5)) | st.floats(0, 1)
_VALUES = {
    "loudness": st.sampled_from((-10.0, -60.0, 0.0, -54.0, -80.0, 3.5)) | st.floats(-60, 0),
    "tempo": st.sampled_from((120.0, 0.0, 250.0, 25.0, 75.0, 300.0)) | st.floats(0, 250),
    "key": st.integers(-1, 11),
    "mode": st.integers(0, 1),
    "time_signature": st.just(4),
}
FEATURE_ROWS = st.fixed_dictionaries({name: _VALUES.get(name, _UNIT) for name in (*FEATURES, *_VALUES)})


class Listened(NamedTuple):
    """A history, and a window to ask about."""

    world: World
    window: Window
    query: dict[str, str]

    def asked(self, users: frozenset[int] | None) -> Asked:
        """The question for the oracle."""
        return Asked(self.world, users, self.window, NOW)


SIZES = st.lists(st.sampled_from(((64, 64), (300, 64), (64, 300), (300, 300))), unique=True, max_size=3)
USERS = st.lists(st.sampled_from((1, 2, 3, 10, 2_147_483_647)), unique=True, min_size=1, max_size=4)
USERNAMES = st.sampled_from(("listener", "é" * 20, ""))
CREDITS = st.dictionaries(st.integers(0, 4), st.booleans(), max_size=3)
ARTIST_ROWS = st.dictionaries(
    st.sampled_from(IDS),
    st.tuples(st.sampled_from(NAMES), st.sets(st.sampled_from(GENRES), max_size=3), SIZES),
    min_size=1,
    max_size=5,
)
TRACK_ROWS = st.dictionaries(
    st.sampled_from(IDS),
    st.tuples(st.sampled_from(NAMES), st.sampled_from(DURATIONS), CREDITS, SIZES, st.booleans()),
    min_size=2,
    max_size=6,
)
# Runs of listens: who, what, and from where they go on in which steps.
RUNS = st.lists(
    st.tuples(
        st.integers(0, 3),
        st.integers(0, 5),
        st.integers(0, 3),
        st.sampled_from((timedelta(0), -MICROSECOND, 30 * MINUTE, timedelta(milliseconds=1), -3 * DAY)),
        st.sampled_from((20 * MINUTE, DAY, 30 * MINUTE, 30 * MINUTE + MICROSECOND, 365 * DAY)),
        st.integers(1, 3),
    ),
    min_size=4,
    max_size=12,
)


@st.composite
def worlds(draw: st.DrawFn, near: list[datetime], *, everything: bool = False) -> World:
    """A small platform, with listens around the given instants and some others.

    With `everything` also the tables that only single insights read.
    """
    world = World(users={user_id: draw(USERNAMES) for user_id in draw(USERS)})
    for artist, (name, genres, sizes) in draw(ARTIST_ROWS).items():
        world.artists[artist] = name
        world.genres |= {(artist, genre) for genre in genres}
        world.artist_images |= _images(artist, sizes)
    artists = list(world.artists)
    for track, (name, duration, credits, sizes, has_preview) in draw(TRACK_ROWS).items():
        world.tracks[track] = Track(name, duration)
        world.credits |= {(track, artists[place % len(artists)]): primary for place, primary in credits.items()}
        world.track_images |= _images(track, sizes)
        if has_preview:
            world.previews[track] = f"https://previews.example/{len(world.previews)}"
    anchors = near + draw(st.lists(st.sampled_from(ANCHORS), min_size=1, max_size=2))
    world.history = _history(world, anchors, draw(RUNS))
    if everything:
        world.features = draw(st.dictionaries(st.sampled_from(list(world.tracks)), FEATURE_ROWS))
        world.track_popularity = draw(_records(list(world.tracks)))
        world.artist_popularity = draw(_records(artists))
        world.followers = draw(_records(artists))
    return world


def _images(owner: str, sizes: list[tuple[int, int]]) -> dict[tuple[str, int, int], str]:
    """Images, often of equal width. Their URLs sort otherwise than their sizes do."""
    return {(owner, *size): f"https://images.example/{9 - place}" for place, size in enumerate(sizes)}


def _history(
    world: World, anchors: list[datetime], runs: list[tuple[int, int, int, timedelta, timedelta, int]]
) -> dict[tuple[int, datetime], str]:
    """Listens in runs around a few instants, so that there are ties, equal instants, and more than one a day.

    The last of several users has no listens.
    """
    users, tracks = list(world.users), list(world.tracks)
    listeners = users[:-1] or users
    rows: dict[tuple[int, datetime], str] = {}
    for user, track, anchor, offset, step, number in runs:
        for place in range(number):
            instant = anchors[anchor % len(anchors)] + offset + place * step
            if ENDS[0] <= instant <= ENDS[1]:
                rows.setdefault((listeners[user % len(listeners)], instant), tracks[track % len(tracks)])
    return rows


def _records(ids: list[str]) -> st.SearchStrategy[dict[tuple[str, datetime], int]]:
    return st.dictionaries(st.tuples(st.sampled_from(ids), st.sampled_from(ANCHORS)), st.integers(0, 100), max_size=4)


def _texts(instant: datetime, zone: str) -> st.SearchStrategy[str]:
    """Ways to write a bound: in UTC, at an offset, as a local time, as a day."""
    local = to_local(instant, timezone(zone))
    texts = [format_instant(instant), local.replace(tzinfo=None).isoformat(), local.date().isoformat()]
    if local.isoformat()[-6:].count(":") == 1:
        texts.append(local.isoformat())
    return st.sampled_from(texts)


@st.composite
def windows(draw: st.DrawFn) -> tuple[Window, dict[str, str]]:
    """A window and the parameters that ask for it: a named range, or bounds, in a zone."""
    zone = draw(st.sampled_from(ZONES))
    query = {} if zone == "UTC" else {"tz": zone}
    tz = timezone(zone)
    if draw(st.booleans()):
        name = draw(st.sampled_from(RANGES))
        return Window.named(name, tz, NOW), query | {"range": name}
    bounds = sorted(draw(st.tuples(st.sampled_from(ANCHORS), st.sampled_from(ANCHORS))))
    texts = {name: draw(_texts(bound, zone)) for name, bound in zip(("from", "to"), bounds, strict=True)}
    texts = {name: texts[name] for name in draw(st.sampled_from((("from", "to"), ("from",), ("to",), ())))}
    try:
        return Window.between(texts.get("from"), texts.get("to"), tz), query | texts
    except WindowError:  # a day may begin before the other bound, and local times reach beyond the ends
        return Window.all_time(tz), query


@st.composite
def listened(draw: st.DrawFn, *, everything: bool = False) -> Listened:
    """A window, and a history with listens around its ends."""
    window, query = draw(windows())
    near = [instant for instant in (window.start, window.end) if instant is not None]
    if len(near) == 2:
        near.append(window.previous().start or NOW)
    return Listened(draw(worlds(near, everything=everything)), window, query)


def user_ids(world: World) -> st.SearchStrategy[int]:
    """A user of the platform, or one that it does not know."""
    return st.sampled_from([*world.users, *dict.fromkeys(user for user, _ in world.history), 77])


def groups(world: World) -> st.SearchStrategy[frozenset[int] | None]:
    """Everyone, or a group, in which some may be unknown."""
    return st.none() | st.frozensets(user_ids(world), min_size=1)


def pages(maximum: int = 4) -> st.SearchStrategy[dict[str, int]]:
    """A small page, so that ties lie across its edges."""
    return st.fixed_dictionaries({}, optional={"limit": st.integers(1, maximum), "offset": st.integers(0, maximum)})


def limits() -> st.SearchStrategy[dict[str, int]]:
    """A short list."""
    return st.fixed_dictionaries({}, optional={"limit": st.integers(1, 4)})


def local_dates(asked: Listened) -> st.SearchStrategy[date]:
    """Days that are the anniversary of a listen, or no special ones."""
    days = {local_date(listen.played_at, asked.window.tz) for listen in asked.world.listens}
    years = [2026, 2024, 2100]
    found = [day.replace(year=year) for day in days for year in years if (day.month, day.day) != (2, 29)]
    return st.sampled_from([*sorted(found), NOW.date(), date(2024, 2, 29), date(2028, 2, 29), date(2025, 2, 28)])
