"""Who may write the rollups: one transaction at a time, and one operator, with locks of transactions alone."""

import threading
import time
from collections.abc import Callable, Iterator

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.exc import OperationalError

from app.rollups.upkeep.transactions import writing
from tests.rollups.conftest import install, operator
from tests.support.factories import Platform

LISTENS = text('SELECT count(*) FROM "History"')


def fill(platform: Platform) -> None:
    platform.listens(platform.user(1), platform.track("t"), 3)


@pytest.fixture(scope="module")
def engine(make_database: Callable[..., Iterator[Engine]]) -> Iterator[Engine]:
    """A database with rollups."""
    for engine in make_database("rollups_transactions", fill):
        install(engine)
        yield engine


@pytest.fixture
def engines(engine: Engine) -> Engine:
    """Connections in autocommit, as writers have them."""
    return engine.execution_options(isolation_level="AUTOCOMMIT")


def test_a_writers_snapshot_has_what_the_one_before_has_committed(engines: Engine) -> None:
    counted: list[int] = []

    def write() -> None:
        with engines.connect() as connection, writing(connection):
            counted.append(connection.scalar(LISTENS) or 0)

    with engines.connect() as connection:
        with writing(connection):
            waiting = threading.Thread(target=write)
            waiting.start()
            time.sleep(0.5)
            assert counted == []
            connection.execute(text("INSERT INTO \"History\" VALUES (1, '2026-11-02', 't')"))
        waiting.join(30)
    assert counted == [4]


def test_who_does_not_wait_is_told(engines: Engine) -> None:
    with engines.connect() as one, engines.connect() as other, writing(one):
        with pytest.raises(OperationalError, match="could not obtain lock"), writing(other, wait=False):
            pass
        assert other.scalar(text("SELECT count(*) FROM insights.state")) == 1  # readers wait for nobody
    with engines.connect() as other, writing(other, wait=False):
        pass


def test_nothing_is_locked_beyond_a_transaction(engine: Engine) -> None:
    with operator(engine) as connection:
        held = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()"
        assert connection.scalar(text(held)) == 0
