"""What the planner makes of questions while a load that has just been committed waits to be folded in."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from itertools import product
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import Connection, Engine, event, select, text
from sqlalchemy.orm import Session

from app import create_app
from app.domain.audience import EVERYONE
from app.domain.ranking import SortBy
from app.domain.timezones import timezone
from app.domain.windows import CUSTOM, Window
from app.extensions import db
from app.listens.sources import listens_of
from app.models.rollups import Kind
from app.rollups.upkeep.folding import fold
from config import load_settings
from tests.conftest import NOW
from tests.rollups.conftest import install
from tests.support.servers import url_of

LOAD = [
    "INSERT INTO \"Users\" VALUES (1, 'one', 'one@example.com', 'one')",
    "INSERT INTO \"Tracks\" SELECT 'track' || n, 'Track', 180000 FROM generate_series(1, 200000) AS n",
    "INSERT INTO \"History\" SELECT 1, timestamp '2020-01-01' + n * interval '1 minute', 'track' || n"
    " FROM generate_series(1, 200000) AS n",
]


@pytest.fixture(scope="module")
def service(make_database: Callable[..., Iterator[Engine]]) -> Iterator[Flask]:
    """The service, on a database to which 200,000 listens have just come."""
    for engine in make_database("rollups_plans"):
        install(engine)
        with engine.begin() as connection:
            for statement in LOAD:
                connection.execute(text(statement))
            connection.execute(text("ANALYZE"))
        app = create_app(load_settings({"SQLALCHEMY_DATABASE_URI": url_of(engine), "CACHE_TYPE": "NullCache"}))
        app.config["CLOCK"] = lambda: NOW
        yield app
        with app.app_context():
            db.engine.dispose()


@pytest.mark.parametrize("path", ["top/tracks", "top/listeners", "distinct/tracks"])
def test_changed_ids_are_looked_up_in_a_hash(path: str, service: Flask) -> None:
    """Else each row of a list would be looked for among all of them."""
    asked: list[tuple[str, Any]] = []
    with service.app_context():
        event.listen(db.engine, "before_cursor_execute", lambda *about: asked.append((about[2], about[3])))
        assert service.test_client().get(f"/insights/global/{path}").status_code == 200
        (statement, values), *_ = [
            one for one in asked if "insights.rankings" in one[0] and "insights.state" not in one[0]
        ]
        plan = "\n".join(db.session.connection().exec_driver_sql(f"EXPLAIN {statement}", values).scalars())
    assert "SubPlan" not in plan or "hashed SubPlan" in plan
    assert "SubPlan" in plan or "top" not in path


CATALOGUE = [
    "INSERT INTO \"Users\" SELECT n, n, n || '@example.com', n FROM generate_series(1, 50) AS n",
    "INSERT INTO \"Tracks\" SELECT 'track' || n, 'Track', 180000 FROM generate_series(1, 3000) AS n",
    "INSERT INTO \"Artists\" SELECT 'artist' || n, 'Artist' FROM generate_series(1, 1000) AS n",
    "INSERT INTO \"ArtistGenres\" SELECT 'artist' || n, 'genre' || n % 50 FROM generate_series(1, 1000) AS n",
    "INSERT INTO \"ArtistTracks\" SELECT 'track' || n, 'artist' || n % 1000 + 1, true"
    " FROM generate_series(1, 3000) AS n",
    "INSERT INTO \"History\" SELECT n % 50 + 1, timestamp '2026-01-01' + n * interval '1 hour', 'track' || n"
    " FROM generate_series(1, 3000) AS n",
]
CHANGES = {
    "listens": "INSERT INTO \"History\" SELECT n % 50 + 1, timestamp '2026-11-23' + n * interval '10 s', 'track' || n"
    " FROM generate_series(1, 3000) AS n",
    "durations": 'UPDATE "Tracks" SET duration_ms = duration_ms + 1',
    "credits": 'UPDATE "ArtistTracks" SET is_primary = false',
    "genres": "UPDATE \"ArtistGenres\" SET genre = 'no ' || genre",
}
# What a log is to the planner that was empty when it was last looked at, but for the space of what had gone.
EMPTY = """
    UPDATE pg_class SET reltuples = 0, relpages = 1000
    WHERE relnamespace = 'insights'::regnamespace AND relname LIKE '%changes'
"""
ALL_TIME = Window.all_time(timezone("UTC"))
WEEK = Window(CUSTOM, NOW - timedelta(days=7), NOW, timezone("UTC"))
# Each of 3,000 changes counts in up to 18 windows, for four things. Each compared with each: 9,000,000.
FEW = 2_000_000


@pytest.fixture(scope="module")
def catalogue(make_database: Callable[..., Iterator[Engine]]) -> Iterator[Engine]:
    """A database with rollups, folded in."""
    for engine in make_database("rollups_estimates"):
        with engine.begin() as connection:
            for statement in CATALOGUE:
                connection.execute(text(statement))
            connection.execute(text("ANALYZE"))
        install(engine)
        yield engine


@pytest.mark.parametrize("change", CHANGES)
def test_no_change_is_compared_with_each_other_whatever_the_planner_knows(change: str, catalogue: Engine) -> None:
    with catalogue.connect() as connection, connection.begin() as transaction:
        connection.execute(text(CHANGES[change]))
        connection.execute(text(EMPTY))
        gone_through = rows_gone_through(connection)
        for kind, by in product(Kind, SortBy):
            with Session(connection, join_transaction_mode="create_savepoint") as session:
                listens = listens_of(session, EVERYONE, ALL_TIME)
                relation = getattr(listens, f"by_{kind.name.lower()}")
                session.execute(select(relation.page(by, 10)), listens.values)
        with Session(connection, join_transaction_mode="create_savepoint") as session:
            week = listens_of(session, EVERYONE, WEEK)
            session.execute(week.whole(SortBy.LISTEN_TIME, relation), week.values)
        assert len(gone_through) > 2 * len(Kind)
        fold(connection)
        transaction.rollback()
    assert max(gone_through) < FEW


def rows_gone_through(connection: Connection) -> list[int]:
    """How many rows each statement goes through from now on, over all nodes of its plan."""
    found: list[int] = []

    def explain(_: object, cursor: Any, statement: str, values: Any, *about: object) -> None:
        if statement.lstrip().startswith(("SELECT", "WITH", "INSERT", "UPDATE", "DELETE")):
            with cursor.connection.cursor() as other:
                other.execute("SAVEPOINT explained")
                other.execute(f"EXPLAIN (ANALYZE, TIMING OFF, FORMAT JSON) {statement}", values or None)
                ((plan,),) = other.fetchone()
                other.execute("ROLLBACK TO explained")
            found.append(sum(node_rows(plan["Plan"])))

    event.listen(connection, "before_cursor_execute", explain)
    return found


def node_rows(plan: dict[str, Any]) -> Iterator[int]:
    removed = (number for name, number in plan.items() if name.startswith("Rows Removed"))
    yield (plan["Actual Rows"] + sum(removed)) * plan["Actual Loops"]
    for part in plan.get("Plans", ()):
        yield from node_rows(part)
