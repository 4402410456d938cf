"""Verifying an archive: its files against their manifest, and its listens against the database."""

from collections.abc import Iterator

import pyarrow as pa
from pyarrow import parquet
from sqlalchemy import Connection

from app.archive.export import MonthToDo, Progress, months_until, numbers_of
from app.archive.log import read_log
from app.archive.manifest import File, Manifest
from app.archive.reading import NUMBERED, Numbers, first_listen, read_listens, reading
from app.archive.store import Store
from app.archive.writing import Bounds, checksum


def broken_files(store: Store, archive: Manifest) -> Iterator[str]:
    """Each file that is not what the manifest says."""
    for file in archive.files:
        if (fault := _fault(store, file)) is not None:
            yield f"{file.name}: {fault}"


def _fault(store: Store, file: File) -> str | None:
    try:
        with store.filesystem.open_input_file(store.path(file.name)) as source:
            if checksum(source) != file.sha256:
                return "its bytes are others"
            found = Bounds()
            for batch in parquet.ParquetFile(source).iter_batches():
                found.add(pa.table(batch))
    except FileNotFoundError:
        return "is not there"
    return None if (found.rows, *found.bounds) == (file.rows, file.least, file.greatest) else "its rows are others"


def wrong_months(connection: Connection, store: Store, archive: Manifest, progress: Progress) -> Iterator[str]:
    """Each month whose listens are not those of the database, of the months that no change has touched since.

    On a connection in autocommit. Raises NoLogError, SQLAlchemyError.
    """
    with reading(connection):
        log = read_log(connection)
        if log.epoch != archive.epoch:
            yield "The rollups were built again since, so what has changed is not known: flask archive export"
            return
        numbers = {name: numbers for name in NUMBERED if (numbers := numbers_of(store, archive, name)) is not None}
        months = months_until(first_listen(connection), archive.closed)
        untouched = [
            month
            for month in months
            if month.name not in archive.months or not log.touched_since(archive.months[month.name])
        ]
        with progress(untouched) as to_do:
            wrong = [month.name for month in to_do if not _is_right(connection, store, archive, month, numbers)]
    yield from (f"{name}: the listens are not those of the database" for name in wrong)


def _is_right(
    connection: Connection, store: Store, archive: Manifest, month: MonthToDo, numbers: dict[str, Numbers]
) -> bool:
    tables: list[pa.Table] = []
    read_listens(connection, month.span, numbers, tables.append)
    live = pa.concat_tables(tables)
    if (known := archive.months.get(month.name)) is None:
        return bool(live.num_rows == 0)
    kept = parquet.read_table(store.path(known.file.name), filesystem=store.filesystem)
    return bool(kept.equals(live))
