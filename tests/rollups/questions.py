"""Questions about listens, and their answers out of the rollups and out of the live tables, in one snapshot."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, is_dataclass, replace
from datetime import UTC, date, datetime, timedelta
from functools import partial
from types import ModuleType
from typing import Any, NamedTuple

from sqlalchemy import Connection, Engine, text
from sqlalchemy.orm import Session

from app.domain.audience import EVERYONE, Audience
from app.domain.buckets import BucketError
from app.domain.ranking import Page, Ranking, SortBy
from app.domain.subject import Subject, SubjectKind
from app.domain.timezones import first_instant, timezone
from app.domain.today import Today
from app.domain.windows import CUSTOM, MAX_BOUND, MIN_BOUND, Window
from app.rollups.state import NONE, Rollups, known_readable, rollups_of
from app.services import insights_global_service as of_everyone
from app.services import insights_service as of_user
from tests.oracle.checks import difference
from tests.support.histories import ANCHORS, RANGES, ZONES

# Liberia's clock was 44 minutes and 30 seconds behind until 1972: no quarter of an hour begins with its hours.
ALL_ZONES = (*ZONES, "Africa/Monrovia")
NAMES = (*RANGES, "90d", "365d")
TABLES = '"History", "Users", "Tracks", "Artists", "ArtistTracks", "ArtistGenres"'
LISTS = ("top_tracks", "top_artists", "top_primary_artists", "top_genres")
NUMBERS = (
    "total_listens", "total_listen_time", "distinct_tracks", "distinct_artists", "distinct_primary_artists",
    "distinct_genres", "clock", "features",
)  # fmt: skip
NO_TIME = timedelta()
BITS = tuple(
    sign * bit
    for sign in (1, -1)
    for bit in (
        timedelta(microseconds=1), timedelta(minutes=15), timedelta(minutes=7, microseconds=3), timedelta(hours=5),
        timedelta(days=1, minutes=1), timedelta(days=20),
    )
)  # fmt: skip


# Chooses one of several: `random.choice`, or what hypothesis draws.
Choose = Callable[[Sequence[Any]], Any]


@dataclass(frozen=True)
class Question:
    """What is asked: a name for people, and what gives the answer."""

    name: str
    answer: Callable[[Session], Any]

    def __repr__(self) -> str:
        return self.name

    def plain(self, session: Session) -> Any:
        """The answer as dictionaries, lists and scalars."""
        try:
            found = self.answer(session)
        except BucketError as error:
            return error.detail
        return asdict(found) if is_dataclass(found) and not isinstance(found, type) else found


class Asker(NamedTuple):
    """Two sessions in one snapshot: one may read the rollups, the other may not."""

    rolled_up: Session
    live: Session
    as_live: Callable[[], None]
    as_service: Callable[[], None]

    @property
    def rollups(self) -> Rollups:
        """What the rollups can answer for in the snapshot."""
        self.as_service()
        return rollups_of(self.rolled_up)

    def difference(self, question: Question) -> str | None:
        """Where the two answers differ; None where they are the same."""
        self.as_service()
        found = question.plain(self.rolled_up)
        self.as_live()
        expected = question.plain(self.live)
        assert rollups_of(self.live) is NONE
        return difference(found, expected, question.name)


@contextmanager
def snapshot(engine: Engine, plain_role: str) -> Iterator[tuple[Connection, Asker]]:
    """A snapshot of the database, and who asks in it; `plain_role` may read the platform's tables alone."""
    with engine.connect() as connection:
        connection = connection.execution_options(isolation_level="REPEATABLE READ")
        with connection.begin():
            # Locked before the snapshot is taken: TRUNCATE empties a table for older snapshots, too.
            connection.execute(text(f"LOCK TABLE {TABLES} IN ACCESS SHARE MODE"))
            connection.execute(text("SELECT 1"))

            def become(role: str) -> None:
                connection.execute(text(f"SET LOCAL ROLE {role}"))
                known_readable.clear()

            with (
                Session(connection, join_transaction_mode="rollback_only") as rolled_up,
                Session(connection, join_transaction_mode="rollback_only") as live,
            ):
                yield connection, Asker(rolled_up, live, partial(become, plain_role), partial(become, "NONE"))


def any_window(choose: Choose, now: datetime) -> Window:
    """A window: of a name, near one that has rankings, between two instants, or open at an end."""
    tz = timezone(choose(("UTC", "UTC", *ALL_ZONES)))
    shape = choose(("named", "near", "near", "between", "open"))
    if shape == "named":
        return Window.named(choose(NAMES), tz, now)
    if shape == "near":
        base = Window.named(choose(NAMES), timezone("UTC"), now)
        if base.start is None or base.end is None:
            return Window.all_time(tz)
        near = _between(base.start + choose((NO_TIME, *BITS)), base.end + choose((NO_TIME, *BITS)), tz)
        moved: Window = choose((near, near, replace(near, start=None), replace(near, end=None)))
        return moved
    one, other = (min(max(choose(ANCHORS) + choose((NO_TIME, *BITS)), MIN_BOUND), MAX_BOUND) for _ in range(2))
    if shape == "between":
        return _between(one, other, tz)
    return Window(CUSTOM, one, None, tz) if choose((True, False)) else Window(CUSTOM, None, one, tz)


def _between(one: datetime, other: datetime, tz: Any) -> Window:
    start, end = sorted((one, other))
    return Window(CUSTOM, start, end if end > start else start + timedelta(microseconds=1), tz)


def any_ranking(choose: Choose, window: Window) -> Ranking:
    """A small page of a list."""
    has_previous = window.start is not None and window.end is not None
    return Ranking(
        limit=choose((1, 2, 3, 100)),
        offset=choose((0, 0, 1, 2, 10)),
        by=choose(tuple(SortBy)),
        compare=has_previous and choose((True, False)),
    )


def questions(
    choose: Choose, now: datetime, users: Sequence[int], tracks: Sequence[str], artists: Sequence[str]
) -> list[Question]:
    """Every measure there is, about one audience and one window; `choose` chooses one of several."""
    window = any_window(choose, now)
    ranking = any_ranking(choose, window)
    page = Page(ranking.limit, ranking.offset)
    bucket = choose(("hour", "day", "week", "month", "year", None))
    today = Today.at(now, window.tz)
    user, other = choose(users), choose(users)
    kind = choose(("everyone", "everyone", "everyone", "group", "user"))
    service: ModuleType
    if kind == "user":
        audience, service = Audience.user(user), of_user
    else:
        audience, service = (EVERYONE if kind == "everyone" else Audience.group({user, other})), of_everyone
    pages = {"track_page": {"track_id": choose(tracks)}, "artist_page": {"artist_id": choose(artists)}}
    subjects = [None, Subject(SubjectKind.TRACK, choose(tracks)), Subject(SubjectKind.ARTIST, choose(artists))]
    whole, audience = audience, audience.about(choose((None, None, *subjects)))
    asked: dict[str, dict[str, Any]] = {
        **{name: {"window": window, "ranking": ranking} for name in LISTS},
        **{name: {"window": window, "page": page} for name in ("discovered_tracks", "discovered_artists")},
        **{name: {"window": window} for name in NUMBERS},
        "activity": {"window": window, "bucket": bucket},
    }
    if kind == "user":
        year = choose((now.year, now.year - 1, 1970, 2024))
        begins, ends = (first_instant(date(number, 1, 1), window.tz) for number in (year, year + 1))
        asked |= {
            "user_summary": {"window": window, "today": today},
            "streaks": {"window": window, "today": today, "limit": 3},
            "sessions": {"window": window, "gap_minutes": 30, "limit": 3},
            "history": {"before": None, "limit": 5},
            "on_this_day": {"window": Window.all_time(window.tz), "today": today},
            "wrapped": {"window": Window(CUSTOM, begins, ends, window.tz), "year": year},
            "forgotten_artists": {
                "window": window,
                "recently": Window.named("30d", window.tz, now),
                "ranking": ranking,
            },
            "track_charts": {"window": window, "bucket": None, "by": ranking.by, "limit": 3},
            "review": {"window": window},
            "compare": {"window": window, "other": Audience.user(other).about(audience.subject), "limit": 3},
        }
    else:
        asked |= {
            "top_listeners": {"window": window, "ranking": ranking},
            "distinct_listeners": {"window": window},
            "global_summary": {"window": window},
            **{name: {"audience": whole, "window": window, "limit": 3} | given for name, given in pages.items()},
        }
    return [
        Question(
            f"{name}({audience}, {_shown(given)})", partial(getattr(service, name), **{"audience": audience} | given)
        )
        for name, given in asked.items()
    ]


def _shown(given: dict[str, Any]) -> str:
    return ", ".join(
        f"{name}={value.range} {value.start} to {value.end} {value.tz.key}"
        if isinstance(value, Window)
        else f"{name}={value}"
        for name, value in given.items()
    )


def naive(instant: datetime) -> datetime:
    """An instant as the platform's tables hold it."""
    return instant.astimezone(UTC).replace(tzinfo=None)
