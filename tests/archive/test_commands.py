"""`flask archive`: what it says, and what it refuses in one line."""

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import Result
from sqlalchemy import Engine

from app.archive.store import Store
from app.cli import create_app
from app.rollups.installation import install as installation
from config import load_settings
from tests.archive.conftest import fold_in, run
from tests.conftest import NOW
from tests.rollups.conftest import operator, quiet
from tests.rollups.loads import fill
from tests.support.faulty_servers import wait_until
from tests.support.servers import ROOT, database, starting, url_of

Run = Callable[..., Result]


@pytest.fixture
def command(platform_engine: Engine, store: Store) -> Run:
    """Runs `flask archive` with some arguments; an exit code other than the expected one is a failed test."""
    return runner(platform_engine, store.path(""))


def runner(engine: Engine, archive_url: str) -> Run:
    app = create_app(load_settings({"SQLALCHEMY_DATABASE_URI": url_of(engine), "ARCHIVE_URL": archive_url}))
    app.config["CLOCK"] = lambda: NOW

    def invoke(*arguments: str, exit_code: int = 0) -> Result:
        result = app.test_cli_runner().invoke(args=["archive", *arguments])
        assert result.exit_code == exit_code, (result.output, result.exception)
        return result

    return invoke


def refused(result: Result) -> str:
    """The one line of a refusal."""
    (line,) = result.output.splitlines()
    return str(line)


@pytest.fixture
def listened(platform_engine: Engine) -> Engine:
    """The platform's database with 2,000 listens, the last of them of today."""
    with platform_engine.begin() as connection:
        fill(connection)
    return platform_engine


def test_an_archive_is_exported_looked_at_verified_and_pruned(command: Run, listened: Engine, store: Store) -> None:
    assert command("status").output == "There is no archive yet: flask archive export\n"
    assert "no archive yet" in refused(command("verify", exit_code=1))
    fold_in(listened)
    done = command("export").output.splitlines()
    assert done[:2] == ["3 months", "snapshot    of 2026-11-23 12:30:00 UTC, of the days before 2026-11-23"]
    assert "1975 in 3 months" in done[2]
    assert command("status").output.splitlines() == [*done[1:], "changed     0 days since, in 0 months"]
    assert command("verify").output.endswith("The archive is what its manifest and the live table say.\n")
    run(listened, "DELETE FROM \"History\" WHERE played_at < '2026-10-02' AND user_id = 1")
    assert command("status").output.splitlines()[-1].endswith("days since, in 2 months")
    Path(store.path("unfinished.json")).write_bytes(Path(store.path("manifest.json")).read_bytes())
    assert command("status").output.startswith("unfinished  an export has 3 months")
    assert command("prune").output == "1 files deleted.\n"
    (november,) = Path(store.path("listens/2026-11")).iterdir()
    november.unlink()
    assert "listens/2026-11/" in command("verify", exit_code=1).output
    assert "3 months" in command("export", "--all").output
    command("verify")


def test_an_export_may_be_had_once_since_an_instant(command: Run, listened: Engine, store: Store) -> None:
    assert "3 months" in command("export", "--unless-since", "2026-11-23T02:30:00").output
    made = store.manifest()
    run(listened, 'DELETE FROM "History"')
    assert command("export", "--unless-since", "2026-11-23T02:30:00").output == ""
    assert store.manifest() == made
    assert "0 months" in command("export", "--unless-since", "2026-11-24T02:30:00").output


@pytest.mark.thorough
def test_a_fleet_exports_nightly(listened: Engine, store: Store, tmp_path: Path) -> None:
    with starting(tmp_path, url_of(listened)) as start:
        server = start(
            ARCHIVE_URL=store.path(""), ARCHIVE_EXPORT_AT="00:00", WEB_CONCURRENCY="3", CACHE_TYPE="NullCache"
        )
        wait_until(lambda: store.manifest() is not None, 30, what="the export")
        wait_until(lambda: "archive_exported" in [line["event"] for line in server.lines()], 10)
        time.sleep(2)  # the others may look, too
        assert [line["event"] for line in server.lines() if "archive" in line["event"]] == ["archive_exported"]
        assert "pyarrow" not in "".join(Path(f"/proc/{worker}/maps").read_text() for worker in server.workers())


def test_without_rollups_it_refuses_in_one_line(server_url: str, tmp_path: Path) -> None:
    with database(server_url, "archive_without_rollups", lambda _platform: None) as engine:
        command = runner(engine, str(tmp_path))
        assert refused(command("export", exit_code=1)) == (
            "Error: The archive stands on the rollups, which are not installed: flask rollups install"
        )
        with operator(engine) as connection:
            installation.install(connection, quiet)
        run(engine, "UPDATE insights.state SET distrust = 'a reason'")
        assert "not to be believed (a reason)" in refused(command("export", exit_code=1))
    assert list(tmp_path.iterdir()) == []


def test_without_a_place_it_refuses_in_one_line(platform_engine: Engine) -> None:
    assert refused(runner(platform_engine, "")("export", exit_code=1)) == (
        "Error: ARCHIVE_URL must be set: a folder, or s3://bucket/prefix"
    )
    assert "Not a directory" in refused(runner(platform_engine, "/dev/null/archive")("export", exit_code=1))


@pytest.fixture
def without_pyarrow(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """As where requirements-batch.txt is not installed."""
    for name in [name for name in sys.modules if name.startswith("app.archive.")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    return None


def test_a_missing_package_is_one_line(command: Run, without_pyarrow: None) -> None:
    line = refused(command("export", exit_code=1))
    assert line == "Error: pyarrow is missing: pip install -r requirements-batch.txt"


def test_nothing_else_imports_the_archive_or_what_it_takes() -> None:
    script = (
        "import sys, app.cli; from config import load_settings;"
        "app.cli.create_app(load_settings({'SQLALCHEMY_DATABASE_URI': 'postgresql://nowhere/none'}));"
        "print(sorted({'pyarrow', 'duckdb', 'numpy', 'app.archive'} & sys.modules.keys()))"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
