"""How long `flask rollups install` takes, and what it takes of the disk."""

import os
import re
import subprocess
import sys
import time
from dataclasses import dataclass

from sqlalchemy import Engine, text

from benchmarks.platforms import Platform
from benchmarks.server import run, url_of
from benchmarks.service import ROOT
from config import NO_SETTINGS

PART = re.compile(r"(.+) …\s+([0-9.]+) s")
INDEXES = """
    SELECT c.relname, pg_relation_size(c.oid) FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
    WHERE c.relnamespace = 'public'::regnamespace
"""
SCHEMA = """
    SELECT relname, pg_total_relation_size(oid) FROM pg_class
    WHERE relnamespace = to_regnamespace('insights') AND relkind IN ('r', 'm') ORDER BY 2 DESC, 1
"""


@dataclass(frozen=True)
class Built:
    """The seconds of a build, in all and by part."""

    seconds: float
    parts: dict[str, float]


@dataclass(frozen=True)
class Disk:
    """Bytes: of "History" with its own index, and of what an installation adds, in all and by table and index."""

    history: int
    added: int
    parts: dict[str, int]


def install(platform: Platform) -> Built:
    """Install the rollups as an operator does. Ends the program where that fails."""
    started = time.perf_counter()
    printed = flask(platform.rolled_up, "rollups", "install")
    seconds = time.perf_counter() - started
    # As autovacuum does by itself within minutes of the build.
    run(platform.rolled_up, "VACUUM (ANALYZE)")
    return Built(round(seconds, 2), {name: float(took) for name, took in PART.findall(printed)})


def disk(platform: Platform) -> Disk:
    """What the rollups take, and "History" where there are none."""
    with platform.bare.connect() as connection:
        history = connection.scalar(text("SELECT pg_total_relation_size('\"History\"')")) or 0
    parts = dict(_sizes(platform.rolled_up, SCHEMA))
    own = _sizes(platform.bare, INDEXES)
    parts |= {name: size for name, size in _sizes(platform.rolled_up, INDEXES).items() if name not in own}
    return Disk(history, sum(parts.values()), parts)


def verify(platform: Platform) -> bool:
    """Whether the rollups are what the live tables say, after all that was written."""
    return _flask(platform.rolled_up, "rollups", "verify").returncode == 0


def flask(engine: Engine, *command: str) -> str:
    """What a command of the service prints, on a database. Ends the program where it fails."""
    done = _flask(engine, *command)
    if done.returncode:
        raise SystemExit(f"flask {' '.join(command)} fails:\n{done.stdout}{done.stderr}")
    return done.stdout


def _flask(engine: Engine, *command: str) -> "subprocess.CompletedProcess[str]":
    environ = NO_SETTINGS | {
        "PATH": os.environ["PATH"],
        "SQLALCHEMY_DATABASE_URI": url_of(engine),
        "ALLOW_ANONYMOUS": "true",
    }
    return subprocess.run(
        [sys.executable, "-m", "flask", *command], cwd=ROOT, env=environ, capture_output=True, text=True, check=False
    )


def _sizes(engine: Engine, query: str) -> dict[str, int]:
    with engine.connect() as connection:
        return dict(connection.execute(text(query)).tuples().all())
