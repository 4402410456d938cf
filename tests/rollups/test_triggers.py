"""The triggers: who may write, what is noted, what happens where one is missing, and what a commit announces."""

import io
import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pytest
from flask import Flask
from psycopg2.extras import execute_values
from sqlalchemy import Engine, text

from app.rollups.installation import install as installation
from app.rollups.installation.triggers import MOST_USERS, PREFIX, WATCHED
from app.rollups.state import NONE
from app.rollups.upkeep import upkeep
from app.rollups.upkeep.announcements import ANNOUNCED, Seen
from app.rollups.upkeep.building import build, start_anew
from app.rollups.upkeep.folding import fold
from app.rollups.upkeep.transactions import snapshot as writing_snapshot
from app.rollups.upkeep.verification import differences
from tests.conftest import NOW
from tests.rollups.conftest import install, operator, quiet
from tests.rollups.loads import USERS, connect, fill, writing
from tests.rollups.questions import Question, questions, snapshot


@pytest.fixture(scope="module")
def shared_engine(make_database: Callable[..., Iterator[Engine]]) -> Iterator[Engine]:
    """A platform's database with some listens, and rollups."""
    for engine in make_database("rollups_triggers"):
        with engine.begin() as connection:
            fill(connection)
        install(engine)
        yield engine


@pytest.fixture
def installed(shared_engine: Engine) -> Iterator[Engine]:
    """The platform's database; in the end its rollups are what the live tables say."""
    yield shared_engine
    assert found_differences(shared_engine) == []


def found_differences(engine: Engine) -> list[str]:
    """What verify finds, before the changes that wait are folded in and after."""
    with operator(engine) as connection:
        with writing_snapshot(connection):
            before = list(differences(connection, quiet))
        with writing_snapshot(connection):
            fold(connection)
        with writing_snapshot(connection):
            return before + list(differences(connection, quiet))


@contextmanager
def listening(engine: Engine) -> Iterator[Callable[[], list[Any]]]:
    """Who was concerned by what was announced since the last look: some users, everyone alone, [], or all, None."""
    seen = look(engine, Seen())[0]

    def heard() -> list[Any]:
        nonlocal seen
        new = text(
            "SELECT users FROM insights.announcements WHERE transaction >= CAST(:since AS xid8)"
            " AND transaction <> ALL(CAST(:known AS xid8[])) ORDER BY transaction"
        )
        with engine.connect() as connection:
            users = list(connection.scalars(new, seen.values))
        seen = look(engine, seen)[0]
        return users

    yield heard


def look(engine: Engine, seen: Seen) -> tuple[Seen, set[int] | None]:
    """What a look has seen, and whose answers are old since another one; None where all are."""
    with engine.connect() as connection:
        found = connection.execute(ANNOUNCED, seen.values).one()
    return Seen(found.since, found.known), None if found.concerns_all else set(found.users)


def execute(engine: Engine, sql: str) -> None:
    with engine.begin() as connection:
        connection.execute(text(sql))


def everything() -> list[Question]:
    """Every measure for everyone, of this month."""

    def choose(several: Sequence[Any]) -> Any:
        return "this_month" if "this_month" in several else several[0]

    return questions(choose, NOW, [1, 2], ["track1"], ["artist2"])


def is_answered_live(engine: Engine, plain_role: str) -> bool:
    """Whether the answers are out of the live tables; they are right in any case."""
    with snapshot(engine, plain_role) as (_, asker):
        assert [found for question in everything() if (found := asker.difference(question))] == []
        return asker.rollups is NONE


def test_a_loader_without_any_right_on_the_rollups_writes(installed: Engine) -> None:
    role = f"songswap_loader_{os.getpid()}"
    execute(installed, f"CREATE ROLE {role}")
    execute(installed, f"GRANT ALL ON ALL TABLES IN SCHEMA public TO {role}")
    loader = connect(installed.url)
    try:
        with loader, loader.cursor() as cursor:
            cursor.execute(f"SET ROLE {role}")
            # What a writer could put in the functions' way: names of its own before those of the system.
            cursor.execute("CREATE TEMPORARY TABLE listen_changes (n int)")
            cursor.execute("SET search_path = pg_temp, public")
            cursor.execute("SELECT has_schema_privilege('insights', 'USAGE')")
            assert cursor.fetchone() == (False,)
            cursor.execute(
                "INSERT INTO \"History\" VALUES (1, '2026-11-01 00:00:00.1', 'track1') ON CONFLICT DO NOTHING"
            )
            cursor.copy_expert('COPY "History" FROM STDIN', io.StringIO("2\t2026-11-01 00:00:00.2\ttrack2\n"))
            cursor.execute("UPDATE \"Tracks\" SET duration_ms = 77 WHERE id = 'track2'")
            cursor.execute("DELETE FROM \"ArtistTracks\" WHERE track_id = 'track3'")
            cursor.execute("INSERT INTO \"ArtistGenres\" VALUES ('artist1', 'new')")
            cursor.execute("DELETE FROM \"History\" WHERE played_at < '2026-10-01'")
            cursor.execute("RESET ROLE")
    finally:
        loader.close()
        execute(installed, f"DROP OWNED BY {role}")
        execute(installed, f"DROP ROLE {role}")


def test_a_negative_duration_counts_as_0_whenever_it_is_written(installed: Engine, plain_role: str) -> None:
    execute(installed, "INSERT INTO \"Tracks\" VALUES ('wrong', 'Wrong', -60000), ('mended', 'Mended', -1)")
    execute(installed, "INSERT INTO \"ArtistTracks\" VALUES ('wrong', 'artist1', true), ('mended', 'artist2', true)")
    for n, change in enumerate(
        (
            "INSERT INTO \"History\" VALUES (1, '2026-11-02 10:00', 'wrong'), (2, '2026-11-02 10:01', 'mended')",
            "UPDATE \"Tracks\" SET duration_ms = -duration_ms WHERE id IN ('mended', 'track1')",
            "UPDATE \"Tracks\" SET duration_ms = -7 WHERE id IN ('wrong', 'track1')",
            "DELETE FROM \"ArtistTracks\" WHERE track_id = 'wrong'",
            "DELETE FROM \"Tracks\" WHERE id = 'wrong'",
            "UPDATE \"Tracks\" SET duration_ms = 10007 WHERE id = 'track1'",
        )
    ):
        execute(installed, change)
        assert not is_answered_live(installed, plain_role)
        if n % 2:
            assert found_differences(installed) == []


@pytest.mark.parametrize(
    ("table", "how"),
    [(table, ("DISABLE TRIGGER {}insert", "ENABLE TRIGGER {}update")[n % 2]) for n, table in enumerate(WATCHED)]
    + [("History", "DISABLE TRIGGER ALL"), ("History", "ENABLE REPLICA TRIGGER {}delete")],
)
def test_a_trigger_that_is_switched_off_is_noticed(table: str, how: str, installed: Engine, plain_role: str) -> None:
    assert not is_answered_live(installed, plain_role)
    execute(installed, f'ALTER TABLE "{table}" {how.format(PREFIX)}')
    assert is_answered_live(installed, plain_role)
    execute(installed, f'ALTER TABLE "{table}" ENABLE TRIGGER ALL')
    for operation in ("insert", "update", "delete", "truncate"):
        execute(installed, f'ALTER TABLE "{table}" ENABLE ALWAYS TRIGGER {PREFIX}{operation}')


def test_what_a_missing_trigger_missed_is_built_anew(installed: Engine, plain_role: str) -> None:
    execute(installed, f'DROP TRIGGER {PREFIX}insert ON "History"')
    execute(installed, "INSERT INTO \"History\" VALUES (1, '2026-11-02 00:00:00.1', 'track1')")
    assert is_answered_live(installed, plain_role)
    with operator(installed) as connection:
        installation.install(connection, quiet)
    # All triggers are there again, and still nothing is to be believed.
    assert is_answered_live(installed, plain_role)
    rebuild(installed)
    assert not is_answered_live(installed, plain_role)


# Other tables refer to the first ones: PostgreSQL empties those together or not at all.
REFERRED_TO = {"Users", "Tracks", "Artists"}
COUNTED_BY = {"History", "ArtistTracks", "ArtistGenres"}


@pytest.mark.parametrize("tables", [*(f'"{table}"' for table in sorted(COUNTED_BY)), '"Artists" CASCADE'])
def test_an_emptied_table_is_noticed(tables: str, installed: Engine, plain_role: str) -> None:
    with installed.connect() as connection:
        connection.execute(text(f"TRUNCATE {tables}"))
        connection.rollback()
    assert not is_answered_live(installed, plain_role)
    with listening(installed) as heard:
        execute(installed, f"TRUNCATE {tables}")
        assert set(heard()) == {None}
    assert is_answered_live(installed, plain_role)
    with installed.begin() as connection:
        connection.execute(text('TRUNCATE "Users", "Tracks", "Artists" CASCADE'))
        fill(connection)
    rebuild(installed)
    assert not is_answered_live(installed, plain_role)


def rebuild(engine: Engine) -> None:
    with operator(engine) as connection:
        start_anew(connection)
        build(connection, lambda: NOW, quiet)


@pytest.mark.parametrize("table", sorted(WATCHED.keys() - REFERRED_TO - COUNTED_BY))
def test_a_table_that_nothing_is_counted_by_may_be_emptied(table: str, installed: Engine, plain_role: str) -> None:
    with listening(installed) as heard:
        execute(installed, f'TRUNCATE "{table}"')
        assert set(heard()) == {None}
    assert not is_answered_live(installed, plain_role)


def test_the_writes_of_a_replica_count(installed: Engine) -> None:
    with installed.begin() as connection:
        connection.execute(text("SET LOCAL session_replication_role = replica"))
        connection.execute(text("INSERT INTO \"History\" VALUES (1, '2026-11-03 00:00:00.1', 'track1')"))
        connection.execute(text("UPDATE \"Tracks\" SET duration_ms = 5 WHERE id = 'track1'"))
        waiting = connection.scalar(text("SELECT count(*) FROM insights.listen_changes"))
    assert waiting == 1


def test_eight_writers_on_the_same_tracks_do_not_wait_for_each_other(installed: Engine) -> None:
    """Each keeps its transaction open until all have written: one that waited for another would wait for good."""
    barrier = threading.Barrier(8)
    errors: list[Exception] = []

    def write(number: int) -> None:
        connection = connect(installed.url)
        try:
            with connection, connection.cursor() as cursor:
                cursor.execute("SET lock_timeout = '5s'")
                for batch in range(5):
                    rows = [(1 + n % USERS, number * 50 + batch, n, 1 + n % 3) for n in range(50)]
                    execute_values(
                        cursor,
                        'INSERT INTO "History" VALUES %s ON CONFLICT DO NOTHING',
                        rows,
                        template="(%s, timestamp '2026-11-05' + %s * interval '1 minute' + %s * interval '1 s',"
                        " 'track' || %s)",
                    )
                barrier.wait(30)
        except Exception as error:
            errors.append(error)
            barrier.abort()
        finally:
            connection.close()

    threads = [threading.Thread(target=write, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []


@pytest.mark.thorough
def test_eight_writers_and_folds_end_in_no_deadlock(installed: Engine) -> None:
    with writing(installed, writers=8) as load:
        deadline = time.monotonic() + 2
        while time.monotonic() < deadline and not load.errors:
            with operator(installed) as connection, writing_snapshot(connection):
                fold(connection)
                assert list(differences(connection, quiet)) == []
    assert load.committed > 8


@pytest.mark.thorough
def test_a_statement_of_a_hundred_thousand_rows_is_noted(installed: Engine) -> None:
    with listening(installed) as heard:
        execute(
            installed,
            "INSERT INTO \"History\" SELECT 1 + n % 8, timestamp '1995-01-01' + n * interval '17 minutes',"
            " 'track' || 1 + n % 20 FROM generate_series(1, 100000) n",
        )
        assert [set(users) for users in heard()] == [set(range(1, 9))]
        assert found_differences(installed) == []
        execute(installed, "DELETE FROM \"History\" WHERE played_at < '2005-01-01'")


@pytest.mark.parametrize("users", [MOST_USERS, MOST_USERS + 1])
def test_a_statement_about_many_users_is_announced_as_one_about_all(users: int, installed: Engine) -> None:
    first = 2_147_483_647 - users + 1  # ten digits each
    with listening(installed) as heard:
        execute(
            installed,
            "INSERT INTO \"Users\" SELECT id, 'listener', id || '@example.com', 'spotify-' || id"
            f" FROM generate_series({first}, 2147483647) id",
        )
        assert heard() == [[]]
        execute(
            installed,
            f"INSERT INTO \"History\" SELECT id, '2026-11-04', 'track1' FROM generate_series({first}, 2147483647) id",
        )
        named = heard()
        if users > MOST_USERS:
            assert named == [None]
        else:
            assert set(named[0]) == set(range(first, 2_147_483_648))
        # Before and after name each user; a user's deletion is one of his listens, too.
        execute(installed, f"UPDATE \"History\" SET track_id = 'track2' WHERE user_id >= {first}")
        assert heard() == [None]
        execute(installed, f'DELETE FROM "Users" WHERE id >= {first}')
        deletion = heard()
        assert [] in deletion
        assert len(deletion) == 2


def test_nothing_is_announced_that_was_rolled_back_or_changed_nothing(installed: Engine) -> None:
    with listening(installed) as heard:
        execute(installed, "DELETE FROM \"History\" WHERE played_at < '1900-01-01'")
        execute(installed, "UPDATE \"Tracks\" SET name = 'x' WHERE id = 'unknown'")
        with installed.connect() as connection:
            connection.execute(text("INSERT INTO \"History\" VALUES (1, '2026-11-06 00:00:00.1', 'track1')"))
            connection.rollback()
        assert heard() == []
        execute(installed, "UPDATE \"Tracks\" SET name = 'x' WHERE id = 'track1'")
        assert heard() == [None]
        execute(installed, "INSERT INTO \"ArtistFollowers\" VALUES ('artist1', '2026-11-06', 1)")
        assert heard() == [[]]


def test_a_commit_is_found_by_the_next_look_whenever_it_began(installed: Engine) -> None:
    insert = "INSERT INTO \"History\" VALUES ({user}, '2026-11-09', 'track1')"
    seen, _ = look(installed, Seen())
    with installed.connect() as late:
        late.execute(text(insert.format(user=4)))
        execute(installed, insert.format(user=2))
        seen, users = look(installed, seen)
        assert users == {2}
        assert look(installed, seen)[1] == set()
        late.commit()
    execute(installed, insert.format(user=3))
    seen, users = look(installed, seen)
    assert users == {3, 4}
    assert look(installed, seen)[1] == set()


def test_old_announcements_are_deleted_and_who_has_missed_them_ends_all_answers(
    installed: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upkeep, "KEPT", 0)
    app = Flask(__name__)
    app.config["CLOCK"] = lambda: NOW
    keeper = upkeep.Upkeep(app, threading.Event(), threading.Event())
    asleep, _ = look(installed, Seen())
    execute(installed, "INSERT INTO \"History\" VALUES (5, '2026-11-10', 'track1')")
    assert look(installed, asleep)[1] == {5}
    with installed.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        keeper.look(connection)  # it notes which transactions are over, and deletes theirs the next time
        awake, _ = look(installed, asleep)
        keeper.look(connection)
        assert connection.scalar(text("SELECT count(*) FROM insights.announcements")) == 0
    assert look(installed, awake)[1] == set()
    assert look(installed, asleep)[1] is None
