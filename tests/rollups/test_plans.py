"""What the planner makes of questions while a load that has just been committed waits to be folded in."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import Engine, event, text

from app import create_app
from app.extensions import db
from config import load_settings
from tests.conftest import NOW
from tests.rollups.conftest import install
from tests.servers import url_of

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
        (statement, values), *_ = [one for one in asked if "_changes" in one[0] and "insights.rankings" in one[0]]
        plan = "\n".join(db.session.connection().exec_driver_sql(f"EXPLAIN {statement}", values).scalars())
    assert "SubPlan" not in plan or "hashed SubPlan" in plan
    assert "SubPlan" in plan or "top" not in path
