"""Reading PostgreSQL into Arrow tables, in bounded memory, and giving ids numbers."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from io import BytesIO
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv
from sqlalchemy import Connection, Integer

from app.archive.sql import load
from app.domain.slots import SLOT
from app.models.history import TrackFeatures
from app.rollups.spans import EVER, Span
from app.rollups.sql import within
from app.rollups.upkeep.transactions import snapshot

Take = Callable[[pa.Table], None]

# Bytes of text that are parsed at a time: some 700,000 listens.
BATCH = 32 << 20

LISTENS = pa.schema({"played_at": pa.timestamp("us"), "user_id": pa.int32(), "track_id": pa.string()})
# The columns of the files of the catalogue, as PostgreSQL gives them.
CATALOGUE = {
    "users": pa.schema({"user_id": pa.int32()}),
    "tracks": pa.schema({"track_id": pa.string(), "duration_ms": pa.int32()}),
    "credits": pa.schema({"track_id": pa.string(), "artist_id": pa.string(), "is_primary": pa.bool_()}),
    "genres": pa.schema({"artist_id": pa.string(), "genre": pa.string()}),
    "features": pa.schema(
        {"track_id": pa.string()}
        | {
            column.name: pa.int32() if isinstance(column.type, Integer) else pa.float64()
            for column in TrackFeatures.__table__.columns
            if column.name != "id"
        }
    ),
}

# The files that number ids, with the name of the number.
NUMBERED = {"users": "user", "tracks": "track"}


@dataclass(frozen=True)
class Numbers:
    """A table of numbers, of ids, and of what else is known of these; and how many numbers were ever given."""

    table: Any
    given: int

    @classmethod
    def continued(cls, rows: Any, name: str, before: "Numbers | None") -> "Numbers":
        """Numbers of the ids in the first column, which all differ: those they had, and new ones in their order."""
        ids, given = rows.column(0), before.given if before else 0
        had = before.of(ids) if before else pa.nulls(len(ids), pa.int32())
        is_new = had.is_null()
        count = is_new.to_numpy(zero_copy_only=False).sum()
        new = pa.array(range(given, given + count), pa.int32())
        return cls(rows.add_column(0, name, pc.replace_with_mask(had, is_new, new)), given + len(new))

    def of(self, ids: Any) -> Any:
        """The numbers of ids, an array: null for an id without a number."""
        numbers = self.table.column(0).take(pc.index_in(ids, value_set=self.table.column(1).combine_chunks()))
        return numbers.combine_chunks()


@contextmanager
def patient_snapshot(connection: Connection) -> Iterator[None]:
    """A transaction that reads one snapshot, on a connection in autocommit, however long writing a month takes."""
    with snapshot(connection):
        connection.exec_driver_sql("SET LOCAL idle_in_transaction_session_timeout = 0")
        yield


def read_catalogue(connection: Connection, name: str, take: Take) -> None:
    """Give `take` the rows of a file of the catalogue."""
    _copy(connection, load(name), CATALOGUE[name], take)


def read_numbered(connection: Connection, name: str, before: Numbers | None) -> Numbers:
    """The rows of a file of the catalogue that numbers ids, with their numbers."""
    tables: list[pa.Table] = []
    read_catalogue(connection, name, tables.append)
    return Numbers.continued(pa.concat_tables(tables).combine_chunks(), NUMBERED[name], before)


def read_listens(connection: Connection, span: Span, numbers: Mapping[str, Numbers], take: Take) -> None:
    """Give `take` the listens of a span, by instant and then by user's id.

    Columns: `played_at`, `slot`, the quarter of an hour since 1970, `track` and `user`, by number: null for an id
    without one.
    """

    def number(listens: pa.Table) -> None:
        slot = pc.divide(listens["played_at"].cast(pa.int64()), SLOT_US).cast(pa.int32())
        track, user = numbers["tracks"].of(listens["track_id"]), numbers["users"].of(listens["user_id"])
        take(pa.table({"played_at": listens["played_at"], "slot": slot, "track": track, "user": user}))

    _copy(connection, load("listens", during=within("played_at", span)), LISTENS, number)


SLOT_US = int(SLOT.total_seconds()) * 1_000_000


def first_listen(connection: Connection) -> datetime | None:
    """The instant of the first listen that counts."""
    return connection.exec_driver_sql(load("first_listen", during=within("played_at", EVER))).scalar()


def _copy(connection: Connection, sql: str, schema: Any, take: Take) -> None:
    rows = _Rows(schema, take)
    cursor: Any = connection.connection.cursor()
    cursor.copy_expert(f"COPY ({sql}) TO STDOUT (FORMAT csv)", rows)
    rows.flush()


class _Rows:
    """Takes what COPY writes, a row at a time, and gives tables."""

    def __init__(self, schema: Any, take: Take) -> None:
        self._schema, self._take = schema, take
        self._text = BytesIO()
        self._read = csv.ReadOptions(column_names=schema.names)
        self._parse = csv.ParseOptions(newlines_in_values=True)
        self._convert = csv.ConvertOptions(
            column_types=schema, null_values=[], true_values=["t"], false_values=["f"], strings_can_be_null=False
        )

    def write(self, row: bytes) -> None:
        if self._text.write(row) and self._text.tell() > BATCH:
            self.flush()

    def flush(self) -> None:
        """Give the rows that are there."""
        text, self._text = self._text.getvalue(), BytesIO()
        rows = csv.read_csv(pa.BufferReader(text), self._read, self._parse, self._convert) if text else None
        self._take(self._schema.empty_table() if rows is None else rows)
