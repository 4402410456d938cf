"""The embedded server through starts, kills and rivals."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from click import ClickException
from sqlalchemy import text

from app.cli.embedded.commands import users
from app.cli.embedded.database import engine_for
from app.cli.embedded.server import EmbeddedPostgres
from tests.cli.conftest import wait_until

Python = Callable[..., "subprocess.Popen[str]"]

# A process that uses the server in the directory it is given until something ends it.
USER = """
import sys, time
from pathlib import Path
from app.cli.embedded.server import EmbeddedPostgres
server = EmbeddedPostgres(Path(sys.argv[1])).start()
print("started", flush=True)
time.sleep(600)
"""


def ask(server: EmbeddedPostgres, query: str) -> Any:
    with engine_for(server.uri("postgres")).connect() as connection:
        return connection.scalar(text(query))


def write(server: EmbeddedPostgres, statement: str) -> None:
    with engine_for(server.uri("postgres")).begin() as connection:
        connection.execute(text(statement))


def test_starts_stops_and_keeps_its_data(unstarted: EmbeddedPostgres) -> None:
    assert not unstarted.pid
    unstarted.start()
    write(unstarted, "CREATE TABLE kept AS SELECT 1 AS n")
    unstarted.stop()
    assert not unstarted.pid
    unstarted.stop()  # it does no harm
    unstarted.start()
    assert ask(unstarted, "SELECT n FROM kept") == 1


def test_is_the_same_on_every_machine(embedded: EmbeddedPostgres) -> None:
    assert ask(embedded, "SHOW server_encoding") == "UTF8"
    assert ask(embedded, "SHOW timezone") == "UTC"
    assert ask(embedded, "SELECT string_agg(c, '' ORDER BY c) FROM unnest('{b,ä,B,a}'::text[]) c") == "Babä"
    assert ask(embedded, "SELECT lower('Ä')") == "ä"


def test_listens_on_no_port(embedded: EmbeddedPostgres) -> None:
    assert ask(embedded, "SHOW listen_addresses") == ""


def test_takes_settings(embedded: EmbeddedPostgres) -> None:
    assert ask(embedded, "SHOW fsync") == "off"


def test_never_runs_as_root(embedded: EmbeddedPostgres) -> None:
    assert embedded.pid is not None
    assert Path(f"/proc/{embedded.pid}").stat().st_uid != 0


def test_takes_any_directory(tmp_path: Path) -> None:
    server = EmbeddedPostgres(tmp_path / ("deep/" * 40) / "it's, a 'Földer' (new)")
    try:
        server.start()
        assert ask(server, "SELECT 1") == 1
    finally:
        server.remove()


# Most of these refuse a connection each, or send it elsewhere.
LIBPQ = {
    "PGPORT": "6000",
    "PGDATA": "/nowhere",
    "PGHOST": "nowhere",
    "PGHOSTADDR": "127.0.0.1",
    "PGUSER": "nobody",
    "PGDATABASE": "nothing",
    "PGSERVICE": "production",
    "PGSERVICEFILE": "/nowhere",
    "PGOPTIONS": "-c search_path=nowhere -c default_transaction_read_only=on",
    "PGCHANNELBINDING": "require",
    "PGTARGETSESSIONATTRS": "standby",
    "PGREQUIREAUTH": "scram-sha-256",
    "PGREQUIREPEER": "stranger",
    "PGSSLMODE": "verify-full",
    "PGSSLNEGOTIATION": "direct",
    "PGGSSENCMODE": "require",
    "PGLOADBALANCEHOSTS": "sometimes",
    "PGCONNECT_TIMEOUT": "soon",
    "PGCLIENTENCODING": "LATIN7",
    "PGTZ": "Mars/Olympus",
    "PGDATESTYLE": "sundial",
    "PGGEQO": "perhaps",
}


def test_the_environment_of_libpq_does_not_disturb(
    unstarted: EmbeddedPostgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in LIBPQ.items():
        monkeypatch.setenv(name, value)
    unstarted.start()
    write(unstarted, "CREATE TABLE written AS SELECT 'ж' AS c")
    assert ask(unstarted, "SELECT c FROM written") == "ж"


def test_nested_use_ends_with_the_outermost(unstarted: EmbeddedPostgres) -> None:
    with unstarted:
        with unstarted:
            pass
        assert unstarted.pid
    assert not unstarted.pid


def test_stops_with_its_last_user(unstarted: EmbeddedPostgres, tmp_path: Path, python: Python) -> None:
    with unstarted:
        other = python("-c", USER, str(tmp_path / "postgres"))
        assert other.stdout is not None
        assert other.stdout.readline() == "started\n"
        assert [process.pid for process in users(unstarted)] == [other.pid]
    assert unstarted.pid
    other.kill()
    other.wait()
    assert users(unstarted) == []
    with unstarted:
        pass
    assert not unstarted.pid


def test_what_a_killed_process_left_is_taken_over(unstarted: EmbeddedPostgres, tmp_path: Path, python: Python) -> None:
    parent = python("-c", USER, str(tmp_path / "postgres"))
    assert parent.stdout is not None
    parent.stdout.readline()
    pid = unstarted.pid
    assert pid is not None
    parent.kill()
    parent.wait()
    with unstarted:
        assert unstarted.pid == pid
        assert ask(unstarted, "SELECT 1") == 1
    assert not unstarted.pid


def test_ctrl_c_in_the_terminal_does_not_reach_it(unstarted: EmbeddedPostgres, tmp_path: Path, python: Python) -> None:
    parent = python("-c", USER, str(tmp_path / "postgres"))
    assert parent.stdout is not None
    parent.stdout.readline()
    pid = unstarted.pid
    os.killpg(parent.pid, signal.SIGINT)
    parent.wait()
    with unstarted:
        assert unstarted.pid == pid


def test_a_crash_is_survived(unstarted: EmbeddedPostgres) -> None:
    unstarted.start()
    write(unstarted, "CREATE TABLE kept AS SELECT 1 AS n")
    pid = unstarted.pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: not unstarted.pid)
    assert (unstarted.data / "postmaster.pid").exists()
    unstarted.start()
    assert unstarted.pid not in (None, pid)
    assert ask(unstarted, "SELECT n FROM kept") == 1


def test_another_process_with_the_old_id_is_not_taken_for_it(unstarted: EmbeddedPostgres) -> None:
    unstarted.start()
    unstarted.stop()
    stale = unstarted.data / "postmaster.pid"
    stale.write_text(f"{os.getpid()}\n{unstarted.data}\n0\n5432\n/tmp\n\n0 0\nready   \n")
    assert not unstarted.pid
    unstarted.start()
    assert ask(unstarted, "SELECT 1") == 1


def test_a_setup_that_was_broken_off_is_begun_anew(unstarted: EmbeddedPostgres) -> None:
    shutil.rmtree(unstarted.data)
    (unstarted.home / "data.new" / "base").mkdir(parents=True)
    unstarted.start()
    assert ask(unstarted, "SELECT 1") == 1
    assert not (unstarted.home / "data.new").exists()


def test_starters_at_once_share_it(unstarted: EmbeddedPostgres, tmp_path: Path) -> None:
    servers = [EmbeddedPostgres(tmp_path / "postgres") for _ in range(4)]
    with ThreadPoolExecutor(len(servers)) as pool:
        list(pool.map(EmbeddedPostgres.start, servers))
    assert len({server.pid for server in servers}) == 1
    assert servers[0].pid
    for server in servers:
        assert server.pid
        server.stop()
    assert not unstarted.pid


def test_says_why_it_does_not_start(unstarted: EmbeddedPostgres, tmp_path: Path) -> None:
    server = EmbeddedPostgres(tmp_path / "postgres", {"shared_buffers": "much"})
    with pytest.raises(ClickException, match=r"could not start server .*its log is .*server\.log") as error:
        server.start()
    assert "\n" not in error.value.message
    assert "shared_buffers" in server.log.read_text()
    assert not unstarted.pid


def test_only_its_account_enters_the_folder_of_its_socket(unstarted: EmbeddedPostgres) -> None:
    unstarted.start()
    unstarted.stop()
    unstarted.sockets.chmod(0o777)
    unstarted.start()
    folder = Path(ask(unstarted, "SHOW unix_socket_directories"))
    assert folder.stat().st_mode & 0o777 == 0o700


def test_removed_it_leaves_nothing(unstarted: EmbeddedPostgres) -> None:
    unstarted.start()
    unstarted.remove()
    assert not unstarted.pid
    assert not unstarted.home.exists()


def test_production_lacks_it_and_hears_so(unstarted: EmbeddedPostgres, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psutil", None)  # which makes its import fail
    with pytest.raises(ClickException, match="psutil"):
        unstarted.start()
    monkeypatch.undo()
