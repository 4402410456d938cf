"""The manifest: what an archive holds, of which snapshot of the database, file by file."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

# The name of the manifest, and of that of an export that was broken off.
MANIFEST, UNFINISHED = "manifest.json", "unfinished.json"


@dataclass(frozen=True)
class File:
    """A Parquet file: rows, bytes, SHA-256, and the least and the greatest value of its first column, as text."""

    name: str
    rows: int
    bytes: int
    sha256: str
    least: str | None
    greatest: str | None


@dataclass(frozen=True)
class Month:
    """The listens of a span within a month (instants are naive, UTC), as they were after a fold of the rollups."""

    file: File
    starts: datetime
    ends: datetime
    fold: int


@dataclass(frozen=True)
class Manifest:
    """An archive: all listens before `closed`, and the whole catalogue, in one snapshot of the database.

    Instants are naive and in UTC. `epoch` and `fold` place the snapshot in the rollups' log: what changed since is in
    the log, or was folded in by a later fold of the same epoch. `numbers` are how many numbers tracks and users have
    been given, ever: no number is given twice.
    """

    epoch: str
    fold: int
    snapshot: str
    taken_at: datetime
    closed: datetime
    numbers: Mapping[str, int] = field(default_factory=dict)
    catalogue: Mapping[str, File] = field(default_factory=dict)
    months: Mapping[str, Month] = field(default_factory=dict)

    @property
    def listens(self) -> Iterator[File]:
        """The files of listens, the oldest first."""
        return (month.file for _, month in sorted(self.months.items()))

    @property
    def files(self) -> list[File]:
        """All files."""
        return [*self.catalogue.values(), *self.listens]

    def dump(self) -> bytes:
        """The manifest as JSON."""
        return json.dumps(asdict(self), indent=1, default=datetime.isoformat).encode()

    @classmethod
    def load(cls, text: bytes) -> "Manifest":
        """The manifest of what `dump` gave."""
        given: dict[str, Any] = json.loads(text)
        months = {
            name: Month(**month | _instants(month, "starts", "ends") | {"file": File(**month["file"])})
            for name, month in given.pop("months").items()
        }
        catalogue = {name: File(**file) for name, file in given.pop("catalogue").items()}
        given |= _instants(given, "taken_at", "closed")
        return cls(**given, catalogue=catalogue, months=months)


def _instants(given: Mapping[str, Any], *names: str) -> dict[str, datetime]:
    return {name: datetime.fromisoformat(given[name]) for name in names}
