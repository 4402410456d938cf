"""Counting the archive in this process: DuckDB on a local copy, a file of its own format.

A copy is of one manifest, and opened read-only. It counts the listens of everyone in any span, and gives whole numbers
alone: zones, ranks, shares and texts are made of them elsewhere.
"""

import hashlib
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Lock, Timer
from typing import Any, Self

import duckdb
import pyarrow as pa
from pyarrow import dataset

from app.archive.manifest import File, Manifest
from app.archive.sql import load
from app.archive.store import Store
from app.models.rollups import Kind
from app.rollups.spans import Span
from app.rollups.sql import within

Options = dict[str, str | bool | int | float | list[str]]

# The tables that give numbers ids.
TABLES = {
    Kind.TRACK: "tracks",
    Kind.ARTIST: "artists",
    Kind.PRIMARY_ARTIST: "artists",
    Kind.GENRE: "genres",
    Kind.LISTENER: "users",
}
NAME = re.compile(r"archive-[0-9a-f]{16}\.duckdb")

# It fetches nothing by itself, at no time.
NO_DOWNLOADS: Options = {"autoinstall_known_extensions": False, "autoload_known_extensions": False}


class ArchiveAwayError(Exception):
    """The archive does not answer: there is none, or it took too long or too much memory, or its files are broken."""


class Copy:
    """A local copy of the archive of one manifest. Several threads may ask it."""

    def __init__(self, manifest: Manifest, connection: duckdb.DuckDBPyConnection, timeout: float) -> None:
        self.manifest = manifest
        self._connection = connection
        self._timeout = timeout

    def counts(self, kind: Kind, span: Span) -> pa.Table:
        """Everyone's listens in a span by track, artist, … : `number`, `plays` and `listen_time_ms`, in no order.

        Numbers are of this copy alone, and in the order of ids. Of a span that goes on, the closed days are counted.
        Raises ArchiveAwayError.
        """
        return self._count(f"count_{kind.name.lower()}s", span)

    def slots(self, span: Span) -> pa.Table:
        """Everyone's listens in a span by slot, the `number`: as in `counts`."""
        return self._count("count_slots", span)

    def ids(self, kind: Kind, numbers: Sequence[int]) -> list[Any]:
        """The ids of numbers, in their order; users' are whole numbers. Raises ArchiveAwayError."""
        sql = f"SELECT number, id FROM {TABLES[kind]} WHERE number IN (SELECT unnest(?))"  # nosec B608  a constant
        with self._bounded() as cursor:
            found = dict(cursor.execute(sql, [list(numbers)]).fetchall())
        return [found[number] for number in numbers]

    def _count(self, name: str, span: Span) -> pa.Table:
        during = within("played_at", span)
        with self._bounded() as cursor:
            return cursor.sql(load(name, plays=load("plays", during=during), during=during)).to_arrow_table()

    @contextmanager
    def _bounded(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """A connection for one question, which is interrupted at its deadline."""
        cursor = self._connection.cursor()
        deadline = Timer(self._timeout, cursor.interrupt)
        deadline.start()
        try:
            yield cursor
        except duckdb.InterruptException:
            raise ArchiveAwayError(f"no answer within {self._timeout:g} s") from None
        except duckdb.Error as error:
            raise ArchiveAwayError(type(error).__name__) from error
        finally:
            deadline.cancel()


class Copies:
    """The local copies of an archive in a folder that is theirs: `latest` makes another one for another manifest.

    `threads` and `memory` (MB) bound DuckDB, for all questions together and while a copy is made; `timeout` is in
    seconds, for each question. Several processes may share the folder.
    """

    def __init__(self, store: Store, folder: Path, *, threads: int, memory: int, timeout: float) -> None:
        self._store = store
        self._folder = folder
        self._options: Options = {"threads": threads, "memory_limit": f"{memory}MB", **NO_DOWNLOADS}
        self._timeout = timeout
        self._making = Lock()
        self._latest: Copy | None = None

    @classmethod
    def of(cls, config: Mapping[str, Any]) -> Self:
        """Those that the settings name: ARCHIVE_URL and ARCHIVE_LOCAL_FOLDER must be set."""
        return cls(
            Store(config["ARCHIVE_URL"]),
            Path(config["ARCHIVE_LOCAL_FOLDER"]),
            threads=config["ARCHIVE_THREADS"],
            memory=config["ARCHIVE_MEMORY"],
            timeout=config["ARCHIVE_TIMEOUT"],
        )

    def latest(self) -> Copy:
        """The copy of the manifest that there is now, made where it is missing. Raises ArchiveAwayError."""
        try:
            with self._making:
                manifest = self._store.manifest()
                if manifest is None:
                    raise ArchiveAwayError("there is no archive")
                if self._latest is None or self._latest.manifest != manifest:
                    self._latest = Copy(manifest, self._opened(manifest), self._timeout)
                return self._latest
        except (duckdb.Error, OSError) as error:
            raise ArchiveAwayError(type(error).__name__) from error

    def _opened(self, manifest: Manifest) -> duckdb.DuckDBPyConnection:
        self._folder.mkdir(parents=True, exist_ok=True)
        name = f"archive-{hashlib.sha256(manifest.dump()).hexdigest()[:16]}.duckdb"
        path = self._folder / name
        if not path.exists():
            with TemporaryDirectory(prefix="unfinished-", dir=self._folder) as folder:
                self._make(manifest, Path(folder, name))
                os.replace(Path(folder, name), path)
        options: Options = self._options | {"enable_external_access": False, "lock_configuration": True}
        connection = duckdb.connect(path, read_only=True, config=options)
        # A process that has one of the others open keeps it.
        for other in self._folder.iterdir():
            if other != path and NAME.fullmatch(other.name):
                other.unlink(missing_ok=True)
        return connection

    def _make(self, manifest: Manifest, path: Path) -> None:
        with duckdb.connect(path, config=self._options) as connection:

            def register(name: str, file: File) -> None:
                rows = dataset.dataset(self._store.path(file.name), filesystem=self._store.filesystem)
                connection.register(f"archived_{name}", rows)

            for name, file in manifest.catalogue.items():
                register(name, file)
            connection.execute(load("copy_catalogue"))
            for file in manifest.listens:
                register("listens", file)
                connection.execute(load("copy_listens"))
