"""Faults of PostgreSQL."""

import os
import signal
import time
from contextlib import suppress

import psycopg2

from benchmarks.faults.stage import Scene
from benchmarks.faults.trials import fault

THEN_RECOVERY = "503 or stale, then recovery"
# Seconds; longer than the deadline of a statement.
SILENCE = 12
# Seconds for a request meanwhile: it may wait for another to compute its answer (5 s), then for a statement (8 s).
LONGEST = 15.0
TERMINATE = """
    SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'insights' AND pid <> pg_backend_pid()
"""


@fault("PostgreSQL killed (SIGKILL, all of its processes), started again 3 s later", THEN_RECOVERY)
def postgresql_killed(scene: Scene) -> None:
    scene.postgres.signal(signal.SIGKILL)
    scene.wait(3)
    scene.postgres.server.start()


@fault("PostgreSQL stopped (SIGSTOP, all of its processes) for 12 s", THEN_RECOVERY, longest=LONGEST)
def postgresql_stopped(scene: Scene) -> None:
    scene.postgres.signal(signal.SIGSTOP)
    try:
        time.sleep(SILENCE)
    finally:  # a server that is stopped cannot be ended
        scene.postgres.signal(signal.SIGCONT)


@fault("The network to PostgreSQL takes every byte and delivers none, for 12 s", THEN_RECOVERY, longest=LONGEST)
def postgresql_black_holed(scene: Scene) -> None:
    scene.network.swallow()
    time.sleep(SILENCE)
    scene.network.mend()


@fault("Every connection terminated by PostgreSQL ten times, in the middle of queries", "503, stale or no trace")
def connections_terminated(scene: Scene) -> None:
    for _ in range(10):
        scene.postgres.execute(TERMINATE)
        time.sleep(0.2)


@fault("All max_connections taken by others for 4 s, the service's own terminated", THEN_RECOVERY)
def out_of_connections(scene: Scene) -> None:
    url = scene.postgres.url(database="postgres")
    taken = [psycopg2.connect(url)]
    taken[0].autocommit = True
    for _ in range(5):  # the service is quick to connect again
        taken[0].cursor().execute(TERMINATE)
        with suppress(psycopg2.OperationalError):
            while True:
                taken.append(psycopg2.connect(url))
    scene.wait(4)
    for connection in taken:
        connection.close()


@fault(
    "PostgreSQL stopped, started as a hot standby (no LISTEN, no write), promoted 6 s later",
    "503 or stale while it starts, then right answers, on the standby and after the promotion",
)
def standby_promoted(scene: Scene) -> None:
    server = scene.postgres.server
    server.stop()
    standby = server.data / "standby.signal"
    standby.touch()
    os.chown(standby, server.data.stat().st_uid, server.data.stat().st_gid)
    server.start()
    time.sleep(6)
    assert scene.postgres.execute("SELECT pg_is_in_recovery()")
    scene.postgres.execute("SELECT pg_promote()")
