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
from typing import Any, NamedTuple

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


class By(NamedTuple):
    """How listens are counted: the statement, what goes into it, and the table that gives numbers ids."""

    statement: str
    key: str
    meaning: str = ""
    ids: str = ""


CREDITS = "JOIN track_artists a ON a.track = timed.track"
KINDS = {
    Kind.TRACK: By("count_by_track", "timed.track", ids="tracks"),
    Kind.ARTIST: By("count_by_track", "a.artist", CREDITS, "artists"),
    Kind.PRIMARY_ARTIST: By("count_by_track", "a.artist", f"{CREDITS} AND a.is_primary", "artists"),
    Kind.GENRE: By("count_by_track", "g.genre", "JOIN track_genres g ON g.track = timed.track", "genres"),
    Kind.LISTENER: By("count_by_listen", 'l."user"', ids="users"),
}
SLOTS = By("count_by_listen", "l.slot")
NAME = re.compile(r"archive-[0-9a-f]{16}\.duckdb")


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
        return self._count(KINDS[kind], span)

    def slots(self, span: Span) -> pa.Table:
        """Everyone's listens in a span by slot, the `number`: as in `counts`."""
        return self._count(SLOTS, span)

    def ids(self, kind: Kind, numbers: Sequence[int]) -> list[Any]:
        """The ids of numbers, in their order; users' are whole numbers. Raises ArchiveAwayError."""
        sql = f"SELECT number, id FROM {KINDS[kind].ids} WHERE number IN (SELECT unnest(?))"  # nosec B608  a constant
        with self._bounded() as cursor:
            found = dict(cursor.execute(sql, [list(numbers)]).fetchall())
        return [found[number] for number in numbers]

    def _count(self, by: By, span: Span) -> pa.Table:
        sql = load(by.statement, key=by.key, meaning=by.meaning, during=within("played_at", span))
        with self._bounded() as cursor:
            return cursor.sql(sql).to_arrow_table()

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
    """The local copies of the archive of ARCHIVE_URL, in ARCHIVE_LOCAL_FOLDER, which processes may share.

    ARCHIVE_THREADS and ARCHIVE_MEMORY bound all questions together, and the making of a copy; ARCHIVE_TIMEOUT each
    question. Raises OSError where there is no such place.
    """

    def __init__(self, config: Mapping[str, Any]) -> None:
        self._store = Store(config["ARCHIVE_URL"])
        self._folder = Path(config["ARCHIVE_LOCAL_FOLDER"])
        # DuckDB fetches nothing by itself, at no time.
        self._options: Options = {
            "threads": config["ARCHIVE_THREADS"],
            "memory_limit": f"{config['ARCHIVE_MEMORY']}MB",
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
        }
        self._timeout: float = config["ARCHIVE_TIMEOUT"]
        self._making = Lock()
        self._latest: Copy | None = None

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
