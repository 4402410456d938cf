"""Writing Parquet files, and knowing them again."""

import hashlib
from collections.abc import Callable
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
    rows, bounds, writers = 0, list[Any](), list[Any]()
    with store.temporary() as path:

        def add(table: pa.Table) -> None:
            nonlocal rows, bounds
            if not writers:
                deltas = {name: encoding for name, encoding in DELTAS.items() if name in table.column_names}
                others = [name for name in table.column_names if name not in deltas]
                options = {"compression": "zstd", "use_dictionary": others, "column_encoding": deltas or None}
                writers.append(parquet.ParquetWriter(path, table.schema, **options))
            writers[0].write_table(table)
            if table.num_rows:
                rows, found = rows + table.num_rows, pc.min_max(table.column(0)).as_py()
                bounds = sorted([*bounds, found["min"], found["max"]])

        fill(add)
        writers[0].close()
        with path.open("rb") as file:
            digest = checksum(file)
        least, greatest = (str(bounds[0]), str(bounds[-1])) if bounds else (None, None)
        written = File(f"{stem}{digest[:16]}.parquet", rows, path.stat().st_size, digest, least, greatest)
        store.publish(path, written.name)
    return written


def checksum(file: BinaryIO) -> str:
    """The SHA-256 of a file's bytes."""
    return hashlib.file_digest(file, "sha256").hexdigest()  # type: ignore[arg-type]
