"""Writing Parquet files, and knowing them again."""

import hashlib
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import parquet

from app.archive.manifest import File
from app.archive.reading import Take
from app.archive.store import Store

# Instants in order differ by little.
DELTAS = {"played_at": "DELTA_BINARY_PACKED"}


def write(store: Store, stem: str, fill: Callable[[Take], None]) -> File:
    """Write a file of the tables that `fill` gives, at least one. Its name is the stem, and what tells its content."""
    with store.temporary() as path, ExitStack() as stack:
        found, writers = Bounds(), list[Any]()

        def add(table: pa.Table) -> None:
            if not writers:
                writers.append(stack.enter_context(_writer(path, table.schema)))
            writers[0].write_table(table)
            found.add(table)

        fill(add)
        stack.close()
        with path.open("rb") as file:
            digest = checksum(file)
        written = File(f"{stem}{digest[:16]}.parquet", found.rows, path.stat().st_size, digest, *found.bounds)
        store.publish(path, written.name)
    return written


def _writer(path: Path, schema: Any) -> Any:
    plain = [name for name in schema.names if name not in DELTAS]
    deltas = {name: encoding for name, encoding in DELTAS.items() if name in schema.names}
    return parquet.ParquetWriter(path, schema, compression="zstd", use_dictionary=plain, column_encoding=deltas or None)


class Bounds:
    """The rows of some tables, and the bounds of their first column."""

    def __init__(self) -> None:
        self.rows = 0
        self._values: list[Any] = []

    def add(self, table: pa.Table) -> None:
        """Count a table in."""
        self.rows += table.num_rows
        if table.num_rows:
            found = pc.min_max(table.column(0)).as_py()
            self._values = sorted([*self._values, found["min"], found["max"]])

    @property
    def bounds(self) -> tuple[str | None, str | None]:
        """The least and the greatest value, as text; None without rows."""
        return (str(self._values[0]), str(self._values[-1])) if self._values else (None, None)


def checksum(file: BinaryIO) -> str:
    """The SHA-256 of a file's bytes."""
    return hashlib.file_digest(file, "sha256").hexdigest()  # type: ignore[arg-type]
