"""Verifying an archive: its files against their manifest, and its listens against the database."""

from collections.abc import Iterator

import pyarrow as pa
from pyarrow import parquet
from sqlalchemy import Connection

from app.archive.export import MonthToDo, Progress, months_until, numbers_of
from app.archive.log import read_log
from app.archive.manifest import Manifest
from app.archive.reading import NUMBERED, first_listen, patient_snapshot, read_listens
from app.archive.store import Store
from app.archive.writing import checksum


def broken_files(store: Store, archive: Manifest) -> Iterator[str]:
    """Each file whose bytes are not those that the manifest says."""
    for file in archive.files:
        try:
            with store.filesystem.open_input_stream(store.path(file.name)) as source:
                if checksum(source) != file.sha256:
                    yield f"{file.name}: its bytes are others"
        except FileNotFoundError:
            yield f"{file.name}: is not there"


def wrong_months(connection: Connection, store: Store, archive: Manifest, progress: Progress) -> Iterator[str]:
    """Each month whose listens are not those of the database, of the months that no change has touched since.

    On a connection in autocommit. Raises NoLogError, SQLAlchemyError.
    """
    numbers = {name: numbers for name in NUMBERED if (numbers := numbers_of(store, archive, name))}

    def is_right(month: MonthToDo) -> bool:
        tables: list[pa.Table] = []
        read_listens(connection, month.span, numbers, tables.append)
        live = pa.concat_tables(tables)
        if (known := archive.months.get(month.name)) is None:
            return bool(live.num_rows == 0)
        return bool(live.equals(parquet.read_table(store.path(known.file.name), filesystem=store.filesystem)))

    with patient_snapshot(connection):
        log = read_log(connection)
        if log.epoch != archive.epoch:
            yield "The rollups were built again since, so what has changed is not known: flask archive export"
            return
        touched = {name for name, month in archive.months.items() if log.touched_since(month)}
        months = months_until(first_listen(connection), archive.closed)
        with progress([month for month in months if month.name not in touched]) as to_do:
            wrong = [month.name for month in to_do if not is_right(month)]
    yield from (f"{name}: the listens are not those of the database" for name in wrong)
