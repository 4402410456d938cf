"""Users with many listens: who is counted ahead, until when, and what has them counted again."""

import math
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta

import pytest
from flask.testing import FlaskClient
from sqlalchemy import Connection, Engine, text
from sqlalchemy.orm import Session

from app.domain.audience import Audience
from app.domain.timezones import timezone
from app.domain.windows import Window
from app.listens import sources
from app.listens.counted.heavy_user import RankedListens
from app.listens.live import Listens
from app.listens.sources import listens_of
from app.models.rollups import Kind
from app.rollups.counts import heavy_users
from app.rollups.counts.heavy_users import count_users, due_users
from app.rollups.upkeep.folding import fold
from tests.conftest import NOW
from tests.rollups.conftest import install
from tests.support.factories import Platform
from tests.support.servers import url_of

LISTENS = {1: 9, 2: 10, 3: 30, 4: 12}
HEAVY = {2, 3, 4}
ENDS = datetime(2026, 11, 22)
ALL_TIME = Window.all_time(timezone("UTC"))


def fill(platform: Platform) -> None:
    tracks = [platform.track(name, primary=[platform.artist(f"by {name}", genres=["pop"])]) for name in ("t", "other")]
    for user_id, number in LISTENS.items():
        user = platform.user(user_id)
        for days in range(number):
            platform.listen(user, tracks[0], NOW - timedelta(days=3 + days))


@pytest.fixture(scope="module")
def engine(make_database: Callable[..., Iterator[Engine]]) -> Iterator[Engine]:
    """A database with rollups, and four listeners."""
    for engine in make_database("rollups_heavy_users", fill):
        install(engine)
        yield engine


@pytest.fixture(scope="module")
def database_url(engine: Engine) -> str:
    return url_of(engine)


@pytest.fixture
def counted(connection: Connection, monkeypatch: pytest.MonkeyPatch) -> Connection:
    """The database, where ten listens are many and are counted ahead."""
    monkeypatch.setattr(heavy_users, "MANY", 10)
    monkeypatch.setattr(sources, "UNCOUNTED_FOR", 0)
    count_users(connection, due_users(connection, NOW), NOW)
    return connection


def heavy(connection: Connection) -> dict[int, datetime]:
    """Who is counted ahead, and until when."""
    return {row.user_id: row.ends for row in connection.execute(text("SELECT user_id, ends FROM insights.heavy_users"))}


def source(connection: Connection, user_id: int, window: Window = ALL_TIME) -> type[Listens]:
    """Where a user's listens come from."""
    with Session(connection, join_transaction_mode="create_savepoint") as session:
        return type(listens_of(session, Audience.user(user_id), window))


def test_users_with_many_listens_are_counted_until_a_midnight_a_day_ago(counted: Connection) -> None:
    assert heavy(counted) == dict.fromkeys(HEAVY, ENDS)
    assert due_users(counted, NOW) == []


def test_the_heaviest_are_counted_first_some_at_a_time(counted: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    counted.execute(text("DELETE FROM insights.heavy_users"))
    monkeypatch.setattr(heavy_users, "BATCH", 2)
    assert due_users(counted, NOW) == [3, 4]
    count_users(counted, [3, 4], NOW)
    assert due_users(counted, NOW) == [2]


def test_a_count_is_made_anew_after_a_month(counted: Connection) -> None:
    assert due_users(counted, NOW + timedelta(days=30)) == []
    later = NOW + timedelta(days=31)
    count_users(counted, due_users(counted, later), later)
    assert heavy(counted) == dict.fromkeys(HEAVY, ENDS + timedelta(days=31))


def test_a_user_who_is_gone_before_being_counted_is_not_due_for_ever(counted: Connection) -> None:
    counted.execute(text("DELETE FROM insights.heavy_users"))
    counted.execute(text('DELETE FROM "History" WHERE user_id = 3'))
    count_users(counted, due_users(counted, NOW), NOW)
    assert due_users(counted, NOW) == []
    fold(counted)
    assert due_users(counted, NOW) == []
    assert set(heavy(counted)) == {2, 4}


CHANGES = [
    ("INSERT INTO \"History\" VALUES (2, '2026-11-22 00:00', 't')", HEAVY),
    ("INSERT INTO \"History\" VALUES (2, '2026-11-21 23:59:59.999999', 't')", {3, 4}),
    ("INSERT INTO \"History\" VALUES (1, '2001-01-01', 't')", HEAVY),
    ("DELETE FROM \"History\" WHERE user_id = 3 AND played_at < '2026-11-01'", {2, 4}),
    ("UPDATE \"History\" SET track_id = 'other' WHERE user_id = 3 AND played_at < '2026-11-01'", {2, 4}),
    ('DELETE FROM "Users" WHERE id = 4', {2, 3}),
    ("UPDATE \"Tracks\" SET duration_ms = 1 WHERE id = 't'", set()),
    ("UPDATE \"Tracks\" SET duration_ms = duration_ms, name = 'new' WHERE id = 't'", HEAVY),
    ("UPDATE \"Tracks\" SET duration_ms = 1 WHERE id = 'other'", HEAVY),
    ("INSERT INTO \"ArtistTracks\" VALUES ('t', 'by other', false)", set()),
    ("INSERT INTO \"ArtistTracks\" VALUES ('other', 'by t', false)", HEAVY),
    ("INSERT INTO \"ArtistGenres\" VALUES ('by t', 'rock')", set()),
    ("INSERT INTO \"ArtistGenres\" VALUES ('by other', 'rock')", HEAVY),
]


@pytest.mark.parametrize(("change", "left"), CHANGES)
def test_who_is_forgotten_after_a_change(change: str, left: set[int], counted: Connection) -> None:
    counted.execute(text(change))
    # What is counted is right at once, or not read: the change waits until it is folded in.
    live = {user_id for user_id in HEAVY if source(counted, user_id) is Listens}
    assert live >= HEAVY - left
    fold(counted)
    assert set(heavy(counted)) == left
    assert {user_id for user_id in LISTENS if source(counted, user_id) is RankedListens} == left


@pytest.mark.parametrize("log", ["listen_changes", "credit_changes", "genre_changes", "duration_changes"])
def test_a_fold_that_knows_nothing_of_heavy_users_has_all_forgotten(log: str, counted: Connection) -> None:
    counted.execute(text(f"DELETE FROM insights.{log}"))
    assert heavy(counted) == {}


def test_a_user_who_is_not_counted_is_not_looked_for_each_time(
    counted: Connection, statements: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sources, "UNCOUNTED_FOR", 60)
    monkeypatch.setattr(sources, "_uncounted", {})
    for _ in range(3):
        assert source(counted, 1) is Listens
    assert len([statement for statement in statements if "heavy_users u" in statement]) == 1
    assert source(counted, 3) is RankedListens


def test_nobody_is_more_than_1_alike_however_many_the_listens(counted: Connection, client: FlaskClient) -> None:
    number = 1_193_214_019
    assert number**2 / math.sqrt(number**4) > 1  # as fractions are rounded
    many = "UPDATE insights.user_rankings SET plays = ARRAY[:number] WHERE user_id = 3 AND kind = :kind"
    counted.execute(text(many), {"number": number, "kind": Kind.PRIMARY_ARTIST})
    comparison = client.get("/insights/compare/3/3").json

    assert comparison["shared_primary_artists"][0]["counts"] == [number, number]
    assert comparison["similarity"] == 1


# A statement tells whether there are rollups, one what they are, and one until when the user is counted.
ASKING = 3


@pytest.mark.parametrize(
    ("path", "most"),
    [
        *((f"top/{kind}/3", 2) for kind in ("tracks", "artists", "primary-artists", "genres")),
        *((f"distinct/{kind}/3", 1) for kind in ("tracks", "artists", "primary-artists", "genres")),
        *((f"total/{what}/3", 1) for what in ("listens", "listen-time")),
        *((path, 5) for path in ("summary/3", "activity/3", "clock/3", "streaks/3", "sessions/3", "features/3")),
    ],
)
def test_a_heavy_users_answer_takes_few_statements(
    path: str, most: int, counted: Connection, client: FlaskClient, statements: list[str]
) -> None:
    statements.clear()
    assert client.get(f"/insights/{path}").status_code == 200
    assert any("insights.heavy_users" in statement for statement in statements)
    assert len(statements) <= most + ASKING
