"""`flask rollups`, by one operator and by two, while the platform writes and while things go wrong."""

import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import pytest
from click.testing import Result
from sqlalchemy import Engine, text
from sqlalchemy.orm import Session

from app.cli import create_app
from app.rollups.installation import indexes
from app.rollups.installation import install as installation
from app.rollups.state import NONE, rollups_of
from app.rollups.upkeep.transactions import snapshot
from app.rollups.upkeep.verification import differences
from config import NO_SETTINGS, load_settings
from tests.conftest import NOW
from tests.rollups.conftest import operator, quiet
from tests.rollups.loads import connect, fill, wait_for_commits, writing
from tests.rollups.programs import run
from tests.support.servers import ROOT, url_of

Run = Callable[..., Result]


@pytest.fixture(scope="module")
def shared_engine(make_database: Callable[..., Iterator[Engine]]) -> Iterator[Engine]:
    """A platform's database."""
    yield from make_database("rollups_commands")


@pytest.fixture
def platform_engine(shared_engine: Engine) -> Iterator[Engine]:
    """The platform's database with some listens, without rollups before and after the test."""
    with shared_engine.begin() as connection:
        connection.execute(text('TRUNCATE "Users", "Artists", "Tracks" CASCADE'))
        fill(connection)
    yield shared_engine
    with operator(shared_engine) as connection:
        installation.uninstall(connection, quiet)


@pytest.fixture
def rollups(platform_engine: Engine) -> Run:
    """Runs `flask rollups` with some arguments; an exit code other than the expected one is a failed test."""
    app = create_app(load_settings({"SQLALCHEMY_DATABASE_URI": url_of(platform_engine)}))
    app.config["CLOCK"] = lambda: NOW

    def run(*arguments: str, exit_code: int = 0) -> Result:
        result = app.test_cli_runner().invoke(args=["rollups", *arguments])
        assert result.exit_code == exit_code, (result.output, result.exception)
        return result

    return run


def failing(engine: Engine) -> list[str]:
    """The insights that fail, of all that there are, at both ends of the earth."""
    settings = {"SQLALCHEMY_DATABASE_URI": url_of(engine), "CACHE_TYPE": "NullCache", "ALLOW_ANONYMOUS": "true"}
    app = create_app(load_settings(settings))
    ids: dict[str, Any] = {"user_id": 2, "other_user_id": 1, "track_id": "track1", "artist_id": "artist1", "year": 2026}
    with app.test_request_context():
        rules = [rule for rule in app.url_map.iter_rules() if rule.rule.startswith("/insights/")]
        paths = [app.url_for(rule.endpoint, **{name: ids[name] for name in rule.arguments}) for rule in rules]
    asked = [f"{path}?tz={tz}" for path in paths for tz in ("Pacific/Kiritimati", "Etc/GMT%2B12")]
    return [path for path in asked if app.test_client().get(path, buffered=True).status_code >= 500]


def in_thread(act: Callable[[], object]) -> threading.Thread:
    thread = threading.Thread(target=act)
    thread.start()
    return thread


def counted(engine: Engine) -> tuple[int, int]:
    """Everyone's listens of all time, in the rollups with what waits, and in the live table."""
    with engine.connect() as connection:
        row = connection.execute(
            text(
                "SELECT (SELECT s.plays FROM insights.sizes s JOIN insights.windows w ON w.id = s.window_id"
                " WHERE w.starts = '1970-01-01' AND w.ends = '2101-01-01' AND s.kind = 1)"
                " + (SELECT coalesce(sum(change), 0) FROM insights.listen_changes),"
                ' (SELECT count(*) FROM "History")'
            )
        ).one()
    return int(row[0]), int(row[1])


def schema_dump(engine: Engine) -> str:
    """The database's schema as pg_dump writes it, without the random key that guards its script."""
    dumped = run("pg_dump", engine, "--schema-only")
    return re.sub(r"^\\(un)?restrict .*$", "", dumped, flags=re.MULTILINE)


def test_install_builds_everything_and_twice_is_no_error(rollups: Run, platform_engine: Engine) -> None:
    first = rollups("install").output
    assert "index songswap_insights_played_at" in first
    assert "slots" in first
    assert "all time" in first
    again = rollups("install").output
    assert again.endswith("The rollups are installed.\n")
    assert "slots" not in again
    assert "songswap_insights" not in again
    assert "all time" not in again
    assert rollups("verify").output.endswith("The rollups are what the live tables say.\n")
    assert counted(platform_engine) == (2000, 2000)


def test_an_operator_waits_for_another_and_is_in_nobodys_way(rollups: Run, platform_engine: Engine) -> None:
    done: list[Result] = []
    waiting: list[threading.Thread] = []

    def tell(_what: str) -> None:
        """The first of what takes its time has begun: an index, for which nobody's snapshot may be in the way."""
        if not waiting:
            waiting.append(in_thread(lambda: done.append(rollups("install"))))
            time.sleep(1)

    with operator(platform_engine) as connection:
        installation.install(connection, tell)
        assert not done
    waiting[0].join(30)
    assert done
    rollups("verify")


def test_no_listen_is_missed_or_counted_twice_while_four_writers_write(rollups: Run, platform_engine: Engine) -> None:
    with writing(platform_engine) as load:
        wait_for_commits(load, 10)
        rollups("install")
        wait_for_commits(load, 10)
        rollups("fold")
        rollups("rebuild")
        wait_for_commits(load, 10)
    assert load.longest < 10
    rollup, live = counted(platform_engine)
    assert rollup == live > 2000
    rollups("verify")
    rollups("fold")
    rollups("verify")


@pytest.mark.thorough
def test_a_long_transaction_of_a_writer_delays_the_triggers_and_breaks_nothing(platform_engine: Engine) -> None:
    long = connect(platform_engine.url)
    waits: list[float] = []

    def tell(what: str) -> None:
        """The indexes are there: the tables' locks are what is waited for now."""
        if what.startswith("schema"):
            long.cursor().execute("DELETE FROM \"History\" WHERE played_at > '2026-11-23'")
            in_thread(end)

    def end() -> None:
        short = connect(platform_engine.url)
        with short, short.cursor() as cursor:
            for number in range(8):
                begun = time.monotonic()
                cursor.execute(
                    "INSERT INTO \"History\" VALUES (1, timestamp '2001-01-01' + %s * interval '1 hour', 'track1')",
                    (number,),
                )
                short.commit()
                waits.append(time.monotonic() - begun)
                time.sleep(0.4)
        short.close()
        with long.cursor() as cursor:
            cursor.execute('UPDATE "Tracks" SET duration_ms = duration_ms + 1')
        long.rollback()

    with operator(platform_engine) as connection:
        installation.install(connection, tell)
        assert installation.is_complete(connection)
    long.close()
    assert len(waits) == 8
    # Writers queue behind the lock that is waited for, and only so long.
    assert max(waits) < 4


def test_a_missing_trigger_is_put_back_and_all_is_built_anew(rollups: Run, platform_engine: Engine) -> None:
    rollups("install")
    with platform_engine.begin() as connection:
        connection.execute(text('ALTER TABLE "History" DISABLE TRIGGER songswap_insights_insert'))
    assert "missing or switched off" in rollups("status").output
    assert "flask rollups install" in rollups("verify", exit_code=1).output
    assert "flask rollups install" in rollups("rebuild", exit_code=1).output
    with platform_engine.begin() as connection:
        connection.execute(text("INSERT INTO \"History\" VALUES (1, '2026-11-23 10:00:00.5', 'track1')"))
    assert "slots" in rollups("install").output
    rollups("verify")


BEYOND = (
    "-infinity", "0044-03-15 BC", "0001-01-01", "1969-12-31 23:59:59.999999", "2101-01-01",
    "9999-12-31 23:59:59.999999", "64000-01-01", "infinity",
)  # fmt: skip


def test_listens_before_1970_or_after_2100_are_not_counted(rollups: Run, platform_engine: Engine) -> None:
    listen = text("INSERT INTO \"History\" VALUES (2, CAST(:instant AS timestamp), 'track1')")
    with platform_engine.begin() as connection:
        connection.execute(listen, [{"instant": instant} for instant in BEYOND[::2]])
    rollups("install")
    before = counts(platform_engine)
    with platform_engine.begin() as connection:
        connection.execute(listen, [{"instant": instant} for instant in BEYOND[1::2]])
    assert rollups("fold").output == "0 changes folded in.\n"
    rollups("verify")
    assert failing(platform_engine) == []
    with platform_engine.begin() as connection:
        connection.execute(text("DELETE FROM \"History\" WHERE NOT played_at BETWEEN '1970-01-01' AND '2100-12-31'"))
    rollups("rebuild")
    assert counts(platform_engine) == before


def counts(engine: Engine) -> list[Any]:
    """What is counted of everyone's listens: by track, artist, …, by slot, and the first ones."""
    with engine.connect() as connection:
        return [
            connection.execute(text(f"SELECT {columns} FROM insights.{table} ORDER BY {columns}")).all()
            for table, columns in (
                ("rankings JOIN insights.windows w ON w.id = window_id", "starts, ends, kind, rankings.id, plays"),
                ("sizes JOIN insights.windows w ON w.id = window_id", "starts, ends, kind, rows, plays"),
                ("slots", "slot, plays"),
                ("firsts", "kind, id, played_at"),
            )
        ]


def test_an_emptied_table_is_built_anew_by_install(rollups: Run, platform_engine: Engine) -> None:
    rollups("install")
    with platform_engine.begin() as connection:
        genres = connection.execute(text('SELECT id, genre FROM "ArtistGenres"')).mappings().all()
        connection.execute(text('TRUNCATE "ArtistGenres"'))
        connection.execute(text('INSERT INTO "ArtistGenres" VALUES (:id, :genre)'), [dict(row) for row in genres[1:]])
    rollups("install")
    rollups("verify")


TAMPERED = [
    ("UPDATE insights.rankings SET plays = plays + 1 WHERE id = 'track5'", "track 'track5'"),
    ("UPDATE insights.rankings SET listen_time_ms = 7 WHERE id = 'genre2'", "genre 'genre2'"),
    ("DELETE FROM insights.rankings WHERE id = 'artist4' AND kind = 2", "artist 'artist4'"),
    ("INSERT INTO insights.rankings SELECT id, 3, 1, 1, 'x' FROM insights.windows", "primary artist 'x'"),
    (
        "INSERT INTO insights.rankings SELECT id, 1, 0, 0, 'x' FROM insights.windows",
        "size of the ranking of kind track",
    ),
    ("UPDATE insights.rankings SET plays = 1 WHERE id = '0000000002'", "listener '0000000002'"),
    ("UPDATE insights.sizes SET rows = rows + 1 WHERE kind = 4", "size of the ranking of kind genre"),
    ("UPDATE insights.sizes SET listen_time_ms = 0 WHERE kind = 5", "size of the ranking of kind listener"),
    ("DELETE FROM insights.sizes WHERE kind = 1", "size of the ranking of kind track"),
    ("UPDATE insights.slots SET plays = 9 WHERE slot = 1994956", "slot 1994956"),
    ("DELETE FROM insights.slots", "slots: "),
    ("DELETE FROM insights.firsts WHERE id = 'track6'", "first listens: track 'track6'"),
    (
        "UPDATE insights.firsts SET played_at = played_at - interval '1 us' WHERE id = 'artist2'",
        "first listens: primary artist 'artist2'",
    ),
    ("INSERT INTO insights.listen_changes VALUES (1, '2026-11-23', 'track1', 1)", "track 'track1'"),
]


def test_verify_names_each_difference(installed: Engine) -> None:
    missed = []
    with operator(installed) as connection:
        for tampering, named in TAMPERED:
            with suppress(Undone), snapshot(connection):
                connection.execute(text(tampering))
                if not any(named in difference for difference in differences(connection, quiet)):
                    missed.append(tampering)
                raise Undone
    assert missed == []


def test_verify_ends_with_an_exit_code_until_all_is_right_again(rollups: Run, installed: Engine) -> None:
    with installed.begin() as connection:
        connection.execute(text("UPDATE insights.rankings SET plays = plays + 1 WHERE id = 'track5'"))
    assert "track 'track5' has" in rollups("verify", exit_code=1).output
    rollups("rebuild")
    rollups("verify")


class Undone(Exception):
    """Takes a transaction back."""


@pytest.fixture
def installed(rollups: Run, platform_engine: Engine) -> Engine:
    rollups("install")
    return platform_engine


def test_a_killed_rebuild_is_resumed(rollups: Run, installed: Engine) -> None:
    blocker = connect(installed.url)
    command = subprocess.Popen(
        [sys.executable, "-m", "flask", "rollups", "rebuild"],
        cwd=ROOT,
        env=NO_SETTINGS
        | {"PATH": os.environ["PATH"], "PYTHONUNBUFFERED": "1", "SQLALCHEMY_DATABASE_URI": url_of(installed)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert command.stdout
    told = ""
    while "slots" not in told:
        told += command.stdout.read(1) or pytest.fail(told)
    # The first listens are built, and no window can be.
    blocker.cursor().execute("LOCK TABLE insights.windows IN EXCLUSIVE MODE")
    while "window" not in told:
        told += command.stdout.read(1) or pytest.fail(told)
    time.sleep(0.2)
    command.send_signal(signal.SIGKILL)
    command.communicate()
    blocker.rollback()
    blocker.close()
    resumed = rollups("rebuild", "--resume").output
    assert "first listens" not in resumed
    assert "all time" in resumed
    rollups("verify")
    assert re.search(r"slots +built", rollups("status").output)


def test_status_tells_what_there_is(rollups: Run, platform_engine: Engine) -> None:
    assert rollups("status").output == "The rollups are not installed: flask rollups install\n"
    for command in ("verify", "rebuild", "fold"):
        assert "flask rollups install" in rollups(command, exit_code=1).output
    rollups("install")
    with platform_engine.begin() as connection:
        connection.execute(text("INSERT INTO \"History\" VALUES (1, '2026-11-23 10:00:00.7', 'track1')"))
    told = rollups("status").output
    for line in (
        "trusted   yes",
        "slots     built",
        "window    all time",
    ):
        assert line in told
    assert "waiting   1 changes" in told
    assert "waiting   0 changes" not in told
    rollups("fold")
    assert "waiting   0 changes" in rollups("status").output
    with platform_engine.connect() as connection:
        connection.execute(text('TRUNCATE "ArtistGenres"'))
        connection.commit()
    assert "trusted   no, a table was truncated: flask rollups rebuild" in rollups("status").output


@pytest.mark.parametrize("command", ["install", "rebuild", "verify", "fold", "status", "uninstall"])
def test_a_database_that_is_away_is_told_of_in_a_line(command: str) -> None:
    app = create_app(load_settings({"SQLALCHEMY_DATABASE_URI": "postgresql://u@127.0.0.1:1/x"}))
    result = app.test_cli_runner().invoke(args=["rollups", command])
    assert result.exit_code == 1
    assert result.output.startswith("Error: connection to server")
    assert "Traceback" not in result.output


def test_uninstall_leaves_the_schema_byte_for_byte_as_it_was(rollups: Run, platform_engine: Engine) -> None:
    before = schema_dump(platform_engine)
    assert '"History"' in before
    rollups("install")
    assert schema_dump(platform_engine) != before
    rollups("uninstall")
    assert schema_dump(platform_engine) == before
    rollups("uninstall")
    assert schema_dump(platform_engine) == before


def test_an_extension_that_was_there_before_is_left_there(rollups: Run, platform_engine: Engine) -> None:
    with platform_engine.begin() as connection:
        connection.execute(text("CREATE EXTENSION btree_gin SCHEMA public"))
    before = schema_dump(platform_engine)
    rollups("install")
    rollups("verify")
    rollups("uninstall")
    assert schema_dump(platform_engine) == before
    with platform_engine.begin() as connection:
        connection.execute(text("DROP EXTENSION btree_gin"))


def test_an_extension_that_others_use_stays(rollups: Run, platform_engine: Engine) -> None:
    rollups("install")
    with platform_engine.begin() as connection:
        connection.execute(text("CREATE TABLE others (id integer); CREATE INDEX ids ON others USING gin (id)"))
    rollups("uninstall")
    with platform_engine.begin() as connection:
        assert connection.scalar(text("SELECT to_regclass('ids') IS NOT NULL AND to_regnamespace('insights') IS NULL"))
        connection.execute(text("DROP TABLE others; DROP EXTENSION btree_gin"))


def test_a_server_without_the_extension_gets_another_index(
    rollups: Run, platform_engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = schema_dump(platform_engine)
    monkeypatch.setattr(indexes, "EXTENSION", "is_not_offered")
    rollups("install")
    definition = text("SELECT indexdef FROM pg_indexes WHERE indexname = 'songswap_insights_tracks'")
    with platform_engine.begin() as connection:
        assert "USING btree (track_id)" in (connection.scalar(definition) or "")
    rollups("verify")
    rollups("uninstall")
    assert schema_dump(platform_engine) == before


def test_after_an_uninstall_answers_are_live(rollups: Run, platform_engine: Engine) -> None:
    rollups("install")
    with Session(platform_engine) as session:
        assert rollups_of(session).windows
    rollups("uninstall")
    with Session(platform_engine) as session:
        assert rollups_of(session) == NONE
        assert session.scalar(text('SELECT count(*) FROM "History"'))
    rollups("install")
    with Session(platform_engine) as session:
        assert rollups_of(session).windows


def test_uninstall_while_writers_write_and_readers_read(rollups: Run, installed: Engine) -> None:
    errors: list[Exception] = []
    stop = threading.Event()

    def read() -> None:
        """As requests do: the rollups first, the platform's tables after them, in one transaction."""
        reader = connect(installed.url)
        try:
            while not stop.is_set():
                with reader, reader.cursor() as cursor:
                    cursor.execute("SELECT to_regclass('insights.rankings') IS NOT NULL")
                    if cursor.fetchone() == (True,):
                        cursor.execute("SELECT count(*) FROM insights.rankings")
                        time.sleep(0.02)
                    cursor.execute('SELECT count(*) FROM "Tracks"')
                time.sleep(0.02)
        except Exception as error:
            errors.append(error)
        finally:
            reader.close()

    readers = [in_thread(read) for _ in range(2)]
    try:
        with writing(installed) as load:
            wait_for_commits(load, 10)
            rollups("uninstall")
            wait_for_commits(load, 10)
    finally:
        stop.set()
        for reader in readers:
            reader.join()
    # A question that was being asked may have lost its tables; none is the victim of a deadlock.
    assert [error for error in errors if "does not exist" not in str(error)] == []
    with installed.connect() as connection:
        assert not connection.scalar(text("SELECT to_regnamespace('insights') IS NOT NULL"))
        assert not connection.scalar(text("SELECT EXISTS (SELECT FROM pg_trigger WHERE tgname LIKE 'songswap%')"))


def test_uninstall_waits_for_nobody_while_it_holds_what_others_want(rollups: Run, installed: Engine) -> None:
    reader = connect(installed.url)
    with reader, reader.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM insights.rankings")
        uninstalling = in_thread(lambda: rollups("uninstall"))
        time.sleep(1.2)
        begun = time.monotonic()
        cursor.execute('SELECT count(*) FROM "Tracks"')
        assert time.monotonic() - begun < 1
    reader.close()
    uninstalling.join(30)
    with installed.connect() as connection:
        assert not connection.scalar(text("SELECT to_regnamespace('insights') IS NOT NULL"))
