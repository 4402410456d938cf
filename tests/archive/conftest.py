"""A platform with rollups, an archive of it in a folder, and what the two say."""

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyarrow import parquet
from sqlalchemy import Engine, text

from app.archive.export import MonthToDo, export
from app.archive.manifest import File, Manifest
from app.archive.store import Store
from app.domain.timezones import naive
from app.rollups.upkeep.building import start_anew
from app.rollups.upkeep.folding import fold
from app.rollups.upkeep.transactions import writing
from tests.conftest import NOW
from tests.rollups.conftest import install, operator
from tests.support.servers import database

Listens = list[tuple[int, datetime, str]]

EMPTY = 'DELETE FROM "Users"; DELETE FROM "Tracks"; DELETE FROM "Artists"'
LIVE = """
    SELECT user_id, played_at, track_id FROM "History" WHERE played_at >= '1970-01-01' AND played_at < :closed
    ORDER BY played_at, user_id
"""


@pytest.fixture(scope="module")
def shared_engine(server_url: str) -> Iterator[Engine]:
    """A database of the platform's, with rollups."""
    with database(server_url, "archive", lambda _platform: None) as engine:
        install(engine)
        yield engine


@pytest.fixture
def platform_engine(shared_engine: Engine) -> Engine:
    """The same, without a row of the platform's."""
    begin_again(shared_engine)
    return shared_engine


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """An archive's folder."""
    return Store(str(tmp_path / "archive"))


def begin_again(engine: Engine) -> None:
    """Take away all rows, and begin the rollups again."""
    run(engine, EMPTY)
    with operator(engine) as connection:
        start_anew(connection)


def run(engine: Engine, sql: str, **values: Any) -> None:
    """Run statements, in a transaction."""
    with engine.begin() as connection:
        connection.execute(text(sql), values)


def fold_in(engine: Engine) -> None:
    """Fold in what waits, as the service does."""
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection, writing(connection):
        fold(connection)


def at_once(months: Sequence[MonthToDo]) -> AbstractContextManager[Any]:
    """Progress that nobody sees."""
    return nullcontext(months)


def exported(engine: Engine, store: Store, now: datetime = NOW, progress: Any = at_once, **options: Any) -> Manifest:
    """The archive after an export."""
    with operator(engine) as connection:
        return export(connection, store, now, progress, **options)


def table(store: Store, file: File) -> pa.Table:
    """The rows of a file."""
    return parquet.read_table(store.path(file.name), filesystem=store.filesystem)


def archived(store: Store, archive: Manifest) -> Listens:
    """The listens in the archive's files, in their order, with ids for numbers."""
    ids: dict[str, dict[int, Any]] = {}
    for name in ("users", "tracks"):
        number, id_ = table(store, archive.catalogue[name]).columns[:2]
        ids[name] = dict(zip(number.to_pylist(), id_.to_pylist(), strict=True))
    rows = [row for file in archive.listens for row in table(store, file).to_pylist()]
    return [(ids["users"][row["user"]], row["played_at"], ids["tracks"][row["track"]]) for row in rows]


def live(engine: Engine, closed: datetime) -> Listens:
    """The listens of the closed days in the live table."""
    with engine.connect() as connection:
        return [(*row,) for row in connection.execute(text(LIVE), {"closed": naive(closed)})]
