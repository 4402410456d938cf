"""PostgreSQL is killed in the middle of a load and of a fold: what was committed is counted, and nothing else."""

import os
import signal
import threading
from contextlib import suppress

import psutil  # type: ignore[import-untyped]
import psycopg2
import pytest
from sqlalchemy import NullPool, create_engine, text
from sqlalchemy.exc import DBAPIError

from app.cli.embedded.server import EmbeddedPostgres
from app.models.base import Base
from app.rollups.upkeep.folding import fold
from app.rollups.upkeep.transactions import snapshot
from app.rollups.upkeep.verification import differences
from tests.rollups.conftest import install, operator, quiet
from tests.rollups.loads import Load, fill, wait_for_commits


def kill(server: EmbeddedPostgres) -> None:
    """End all of the server's processes at once, as a power cut does."""
    assert server.pid
    postmaster = psutil.Process(server.pid)
    postmaster.suspend()  # it would end its children with their own wits about them
    processes = [*postmaster.children(recursive=True), postmaster]
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            os.kill(process.pid, signal.SIGKILL)
    psutil.wait_procs(processes, timeout=20)


@pytest.mark.thorough
def test_a_killed_server_comes_back_with_rollups_that_are_right() -> None:
    with EmbeddedPostgres.temporary() as server:
        engine = create_engine(server.uri("postgres"), poolclass=NullPool)
        Base.metadata.create_all(engine)
        with engine.begin() as connection:
            fill(connection)
        install(engine)
        folds: list[int] = []

        def keep_folding() -> None:
            with suppress(DBAPIError), operator(engine) as connection:
                while True:
                    with snapshot(connection):
                        fold(connection)
                        connection.execute(text("SELECT pg_sleep(0.02)"))  # killed in the middle, as a rule
                    folds.append(1)

        for _ in range(2):
            load = Load(engine.url)
            load.start(3)
            folding = threading.Thread(target=keep_folding)
            folding.start()
            wait_for_commits(load, 30)
            kill(server)
            load.stop()
            folding.join()
            assert all(isinstance(error, psycopg2.Error) for error in load.errors)
            server.start()
            with engine.connect() as connection:
                assert list(differences(connection, quiet)) == []
            with operator(engine) as connection:
                with snapshot(connection):
                    fold(connection)
                with snapshot(connection):
                    assert list(differences(connection, quiet)) == []
                assert connection.scalar(text("SELECT count(*) FROM insights.listen_changes")) == 0
        assert folds
