"""What an answer asks of PostgreSQL: how many statements, and how many buffers they read.

    python -m benchmarks.statements postgresql://user@host/database /insights/global/top/tracks [--plans]

prints that for any path, with the time in this process, and with `--plans` each statement with its plan.
"""

import argparse
import json
import logging
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Self

from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import event

from app import create_app
from app.extensions import db
from benchmarks.platforms import Platform
from benchmarks.questions import Question
from benchmarks.server import url_of
from config import load_settings


class Effort(NamedTuple):
    """The number of an answer's statements, and of the buffers (8 kB, found in memory or read) behind them."""

    statements: int
    buffers: int


@dataclass
class Recorder:
    """Explains each statement before it runs, on the same connection and snapshot; see `recording`."""

    statements: list[str] = field(default_factory=list)
    plans: list[Any] = field(default_factory=list)

    def note(self, connection: Any, cursor: Any, statement: str, parameters: Any, context: Any, _many: bool) -> None:
        """A listener to `before_cursor_execute`."""
        with cursor.connection.cursor() as explaining:
            explaining.execute("EXPLAIN (ANALYZE, TIMING OFF, BUFFERS, FORMAT JSON) " + statement, parameters)
            (plan,) = explaining.fetchone()
        self.statements.append(statement)
        self.plans.append(plan[0]["Plan"])

    def clear(self) -> None:
        self.statements.clear()
        self.plans.clear()

    @property
    def effort(self) -> Effort:
        buffers = sum(plan["Shared Hit Blocks"] + plan["Shared Read Blocks"] for plan in self.plans)
        return Effort(len(self.plans), buffers)


@contextmanager
def service(url: str) -> Iterator[tuple[Flask, FlaskClient]]:
    """The service in this process, on a database, without a cache and its log."""
    settings = {
        "SQLALCHEMY_DATABASE_URI": url,
        "CACHE_TYPE": "NullCache",
        "LOG_LEVEL": "ERROR",
        "DATABASE_STATEMENT_TIMEOUT": "3600",
        "ALLOW_ANONYMOUS": "true",
    }
    app = create_app(load_settings(settings))
    yield app, app.test_client()
    with app.app_context():
        db.engine.dispose()


@contextmanager
def recording(app: Flask) -> Iterator[Recorder]:
    """A recorder of the statements of an application's engine."""
    recorder = Recorder()
    with app.app_context():
        engine = db.engine
    event.listen(engine, "before_cursor_execute", recorder.note)
    yield recorder
    event.remove(engine, "before_cursor_execute", recorder.note)


@dataclass(frozen=True)
class Explained:
    """A platform with rollups, whose statements are recorded."""

    platform: Platform
    client: FlaskClient
    recorder: Recorder

    @classmethod
    @contextmanager
    def of(cls, platform: Platform) -> Iterator[Self]:
        """The service on a platform, in this process."""
        with service(url_of(platform.rolled_up)) as (app, client), recording(app) as recorder:
            yield cls(platform, client, recorder)

    def effort(self, question: Question) -> Effort:
        """What a question asks of it. Ends the program where there is no answer."""
        self.recorder.clear()
        path = question.path.format(**self.platform.sample.ids(1))
        answer = self.client.get(path)
        if answer.status_code != 200:
            raise SystemExit(f"{path} gives {answer.status_code}: {answer.text[:500]}")
        return self.recorder.effort


def explain(url: str, paths: Iterable[str], *, plans: bool, tell: Callable[[str], None]) -> None:
    """Tell what some paths ask of a database."""
    with service(url) as (app, client):
        for path in paths:
            client.get(path)
            started = time.perf_counter()
            answer = client.get(path)
            ms = (time.perf_counter() - started) * 1000
            with recording(app) as recorder:
                client.get(path)
            effort = recorder.effort
            tell(
                f"{path}: {answer.status_code}, {ms:.1f} ms, {effort.statements} statements, {effort.buffers:,} buffers"
            )
            for statement, plan in zip(recorder.statements, recorder.plans, strict=True) if plans else ():
                tell(f"\n{statement}\n{json.dumps(plan, indent=1)}\n")


def main() -> None:
    parser = argparse.ArgumentParser(description="What answers ask of PostgreSQL.")
    parser.add_argument("database", help="URL of a database with listens")
    parser.add_argument("paths", nargs="+", help="paths with their query, such as /insights/global/clock")
    parser.add_argument("--plans", action="store_true", help="show the statements and their plans")
    arguments = parser.parse_args()
    logging.disable()
    explain(arguments.database, arguments.paths, plans=arguments.plans, tell=print)


if __name__ == "__main__":
    main()
