"""Transactions besides the writer's own: what they read, when they are over, and who waits for them."""

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import datetime
from itertools import count

import pytest
from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import OperationalError

from app.rollups.counts import heavy_users
from app.rollups.counts.heavy_users import count_users
from app.rollups.installation import install as installation
from app.rollups.upkeep import building
from app.rollups.upkeep.building import build, start_anew
from app.rollups.upkeep.transactions import beside, meanwhile, snapshot, the_only_writer
from app.rollups.upkeep.verification import differences
from tests.conftest import NOW
from tests.rollups.conftest import operator, quiet
from tests.support.factories import Platform

LISTENS = text('SELECT count(*) FROM "History"')
# From the first listen's to that of the tests.
MONTHS = 17


def fill(platform: Platform) -> None:
    track = platform.track("t", primary=[platform.artist("a", genres=["pop"])])
    for user_id in range(1, 6):
        user = platform.user(user_id)
        platform.listen(user, track, NOW.replace(year=2025, month=6, second=user_id))
        for day in range(1, 20):
            platform.listen(user, track, NOW.replace(day=day, second=user_id))


@pytest.fixture(scope="module")
def engine(make_database: Callable[..., Iterator[Engine]]) -> Iterator[Engine]:
    yield from make_database("rollups_transactions", fill)


@pytest.fixture
def writer(engine: Engine) -> Iterator[Connection]:
    """A connection that alone may write the rollups, which are installed and not built yet."""
    with operator(engine) as connection:
        installation.install(connection, quiet)
        yield connection
        installation.uninstall(connection, quiet)


def windows(connection: Connection) -> int:
    return connection.scalar(text("SELECT count(*) FROM insights.windows")) or 0


def counted_users(connection: Connection) -> int:
    return connection.scalar(text("SELECT count(*) FROM insights.heavy_users")) or 0


def test_both_read_one_snapshot_whatever_is_committed_meanwhile(writer: Connection, engine: Engine) -> None:
    with snapshot(writer), beside(writer) as other:
        with engine.begin() as platform:
            platform.execute(text("INSERT INTO \"History\" VALUES (1, '2026-11-02 00:00:00.5', 't')"))
        assert writer.scalar(LISTENS) == other.scalar(LISTENS) == 100
    assert writer.scalar(LISTENS) == 101
    with engine.begin() as platform:
        platform.execute(text("DELETE FROM \"History\" WHERE played_at = '2026-11-02 00:00:00.5'"))


@pytest.mark.usefixtures("everyone_is_heavy")
def test_what_is_built_in_pairs_is_what_the_live_tables_say(
    writer: Connection, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    paired: list[int] = []

    def tell(part: str) -> None:
        """A change that waits to be folded in comes with every other pair."""
        if " and " in part:
            paired.append(1)
            if len(paired) % 2:
                with engine.begin() as platform:
                    day = f"2026-11-{len(paired):02}"
                    platform.execute(text(f"UPDATE \"History\" SET track_id = track_id WHERE played_at >= '{day}'"))

    monkeypatch.setattr(heavy_users, "BATCH", 1)
    start_anew(writer)
    build(writer, lambda: NOW, tell, in_pairs=True)
    assert len(paired) > 4
    assert counted_users(writer) == 5
    with snapshot(writer):
        assert list(differences(writer, quiet)) == []


@pytest.mark.usefixtures("everyone_is_heavy")
def test_of_a_pair_that_fails_nothing_is_left_and_the_next_build_goes_on(
    writer: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail_beside(connection: Connection, users: list[int], now: datetime) -> None:
        count_users(connection, users, now)
        assert connection is not writer
        raise RuntimeError("beside")

    start_anew(writer)
    monkeypatch.setattr(building, "count_users", fail_beside)
    with pytest.raises(RuntimeError, match="beside"):
        build(writer, lambda: NOW, quiet, in_pairs=True)
    # The window that was built before it knew of any user.
    assert windows(writer) == 1
    assert counted_users(writer) == 0
    monkeypatch.setattr(building, "count_users", count_users)
    build(writer, lambda: NOW, quiet, in_pairs=True)
    assert windows(writer) > 10
    assert counted_users(writer) == 5
    with snapshot(writer):
        assert list(differences(writer, quiet)) == []


@pytest.mark.parametrize("in_pairs", [True, False])
def test_a_change_of_the_catalogue_meanwhile_costs_no_months(
    in_pairs: bool, writer: Connection, engine: Engine
) -> None:
    numbers = count()

    def tell(_part: str) -> None:
        """A new track, with its credit: nobody has listened to it yet."""
        with engine.begin() as platform:
            id_ = f"new {in_pairs} {next(numbers)}"
            platform.execute(text("INSERT INTO \"Tracks\" VALUES (:id, 'New', 1000)"), {"id": id_})
            platform.execute(text("INSERT INTO \"ArtistTracks\" VALUES (:id, 'a', true)"), {"id": id_})

    start_anew(writer)
    build(writer, lambda: NOW, tell, in_pairs=in_pairs)
    assert next(numbers) > 5
    assert writer.scalar(text("SELECT count(*) FROM insights.prefixes")) == MONTHS


def test_nobody_writes_before_what_a_dead_writer_left_is_over(engine: Engine) -> None:
    dead = engine.connect().execution_options(isolation_level="AUTOCOMMIT")
    with ExitStack() as left:
        owning = the_only_writer(dead)
        assert owning.__enter__()
        dead.exec_driver_sql("BEGIN ISOLATION LEVEL REPEATABLE READ")
        left.enter_context(beside(dead))
        dead.invalidate()
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as next_one:
            with the_only_writer(next_one, wait=False) as is_only:
                assert not is_only
            left.close()
            with the_only_writer(next_one, wait=False) as is_only:
                assert is_only


@pytest.mark.parametrize(("idle", "waits"), [(0, 0.2), (0.5, 0)], ids=["in a statement", "between two"])
def test_work_ends_with_the_block_that_fails(idle: float, waits: float, engine: Engine) -> None:
    def work(connection: Connection) -> None:
        time.sleep(idle)
        connection.execute(text("SELECT pg_sleep(60)"))

    def fail_beside(connection: Connection) -> None:
        with meanwhile(connection, work):
            time.sleep(waits)
            raise ValueError("block")

    started = time.monotonic()
    with engine.connect() as connection, pytest.raises(ValueError, match="block"):
        fail_beside(connection)
    assert time.monotonic() - started < 10


def test_a_connection_that_is_lost_is_what_is_told(engine: Engine) -> None:
    def work(connection: Connection) -> None:
        connection.execute(text("SELECT pg_terminate_backend(pg_backend_pid())"))

    def lose(connection: Connection) -> None:
        with meanwhile(connection, work):
            time.sleep(0.2)

    with engine.connect() as connection, pytest.raises(OperationalError, match="server closed the connection"):
        lose(connection)
