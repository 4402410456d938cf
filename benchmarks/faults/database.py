"""Faults of PostgreSQL, each without rollups and with them."""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import psycopg2

from benchmarks.faults.servers import Proxy
from benchmarks.faults.stage import PLAIN, ROLLED_UP, Stage, redis
from benchmarks.faults.trials import FAULTS, Fault, Outcome, Watched, expect_upkeep, under_load

# Fresh for two seconds only, so that stale answers have their part.
BRIEFLY = {"CACHE_DEFAULT_TIMEOUT": "2"}

Befall = Callable[[Stage, str, Watched, Proxy], None]


def on_both(what: str, expected: str, *, allowed: str = "200 503", longest: float = 10.0) -> Callable[[Befall], Befall]:
    """Try a fault without rollups, and with them, whose upkeep is expected to go on by itself."""

    def add(befall: Befall) -> Befall:
        def run_on(stage: Stage, database: str) -> Outcome:
            with (
                stage.valkey() as valkey,
                stage.way_to(stage.postgres.port) as proxy,
                stage.service(database, {**BRIEFLY, **redis(valkey)}, through=proxy) as service,
            ):
                with under_load(stage, service, allowed=allowed, longest=longest) as watched:
                    befall(stage, database, watched, proxy)
                if database == ROLLED_UP:
                    expect_upkeep(stage, service, watched.outcome)
            return watched.outcome

        name = befall.__name__
        FAULTS.append(Fault(name, what, expected, lambda stage: run_on(stage, PLAIN)))
        FAULTS.append(Fault(f"{name}_with_rollups", what, expected, lambda stage: run_on(stage, ROLLED_UP)))
        return befall

    return add


@on_both("PostgreSQL killed (SIGKILL, all of its processes), started again 3 s later", "503 or stale, then recovery")
def postgresql_killed(stage: Stage, _database: str, watched: Watched, _proxy: Proxy) -> None:
    stage.postgres.kill()
    stage.wait(3)
    stage.postgres.start()
    watched.end()


TERMINATE = """
    SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{}' AND pid <> pg_backend_pid()
"""


@on_both("Every connection terminated by PostgreSQL ten times, in the middle of queries", "503, stale or no trace")
def connections_terminated(stage: Stage, database: str, watched: Watched, _proxy: Proxy) -> None:
    for _ in range(10):
        stage.postgres.execute(TERMINATE.format(database))
        time.sleep(0.2)
    watched.end()


@on_both("A failover: all connections cut mid-query, new ones refused for 3 s", "503 or stale, then recovery")
def failed_over(stage: Stage, _database: str, watched: Watched, proxy: Proxy) -> None:
    proxy.cut()
    stage.wait(3)
    proxy.mend()
    watched.end()


@on_both(
    "The network to PostgreSQL takes every byte and delivers none, for 12 s",
    "503 or stale within 10 s, then recovery",
)
def postgresql_black_holed(_stage: Stage, _database: str, watched: Watched, proxy: Proxy) -> None:
    proxy.swallow()
    time.sleep(12)  # shorter ones are over before anybody can tell them from a slow answer
    proxy.mend()
    watched.end()


@contextmanager
def all_connections_of(stage: Stage, database: str) -> Iterator[None]:
    """Have all connections there are, those that the service had among them."""
    url = stage.postgres.url("postgres")
    taken = [psycopg2.connect(url)]
    taken[0].autocommit = True
    for _ in range(5):
        # The service is quick to connect again, so what it has taken meanwhile is taken from it.
        taken[0].cursor().execute(TERMINATE.format(database))
        with suppress(psycopg2.OperationalError):
            while True:
                taken.append(psycopg2.connect(url))
    yield
    for connection in taken:
        connection.close()


@on_both("All max_connections taken by others for 4 s, the service's own terminated", "503 or stale, then recovery")
def out_of_connections(stage: Stage, database: str, watched: Watched, _proxy: Proxy) -> None:
    with all_connections_of(stage, database):
        stage.wait(4)
    watched.end()


@on_both("default_transaction_read_only switched on for 5 s", "nothing to be seen", allowed="200", longest=5)
def read_only_by_default(stage: Stage, _database: str, watched: Watched, _proxy: Proxy) -> None:
    stage.postgres.execute("ALTER SYSTEM SET default_transaction_read_only = on")
    stage.postgres.execute("SELECT pg_reload_conf()")
    stage.wait(5)
    stage.postgres.execute("ALTER SYSTEM RESET default_transaction_read_only")
    stage.postgres.execute("SELECT pg_reload_conf()")
    watched.end()


@on_both(
    "PostgreSQL stopped, started as a hot standby (no LISTEN, no write), promoted 6 s later",
    "503 or stale while it starts, then right answers, on the standby and after the promotion",
)
def standby_promoted(stage: Stage, _database: str, watched: Watched, _proxy: Proxy) -> None:
    data = stage.postgres.server.data
    stage.postgres.stop()
    signal = data / "standby.signal"
    signal.touch()
    os.chown(signal, data.stat().st_uid, data.stat().st_gid)
    stage.postgres.start()
    watched.end()
    time.sleep(6)
    assert stage.postgres.execute("SELECT pg_is_in_recovery()")
    stage.postgres.execute("SELECT pg_promote()")
