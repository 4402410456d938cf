"""Load plays into the platform's tables: one transaction a file, in memory that does not grow with it."""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import islice
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, text

from app.cli.ingest import statements
from app.cli.ingest.catalogue import OWN, ROWS, copy, learn, named
from app.cli.ingest.plays import Format, Passed, Play
from app.cli.ingest.reading import Reader
from app.domain.timezones import naive, to_instant

TOLERANCE = timedelta(seconds=60)
NONE = timedelta(0)


@dataclass(frozen=True)
class Rules:
    """Whose listens they are and what counts as one; `now` is naive, in UTC, `tz` the zone of clocks without one."""

    user_id: int
    now: datetime
    tz: ZoneInfo
    shortest_ms: int = 30_000
    skip_incognito: bool = False


@dataclass
class Counts:
    """What became of the entries of one file, or of several. `cut` counts names too long for their columns."""

    read: int = 0
    added: int = 0
    there: int = 0
    cut: int = 0
    passed: Counter[Passed] = field(default_factory=Counter)

    def __iadd__(self, other: "Counts") -> "Counts":
        self.read += other.read
        self.added += other.added
        self.there += other.there
        self.cut += other.cut
        self.passed += other.passed
        return self


def prepare(connection: Connection) -> None:
    """Make the temporary tables that `load` needs, and read the catalogue."""
    connection.exec_driver_sql(statements.TABLES)
    learn(connection)
    connection.exec_driver_sql(statements.INDEXES)


def load(
    connection: Connection, format: Format, reader: Reader, rules: Rules, advance: Callable[[int], object]
) -> Counts:
    """Load a file within the caller's transaction. `advance` is told the number of entries read, now and then."""
    counts = Counts()
    rows = _rows(format, reader, rules, counts)
    while batch := list(islice(rows, ROWS)):
        copy(connection, "read_plays", batch)
        advance(counts.read)
    _load(
        connection,
        own=format.own,
        precision_ms=format.precision_ms,
        tolerance=NONE if format.own else TOLERANCE,
        user_id=rules.user_id,
        now=rules.now,
        shortest_ms=rules.shortest_ms,
    )
    verdicts = {row.verdict: row.number for row in connection.execute(text(statements.VERDICTS))}
    counts.added, counts.there = verdicts.pop("ADDED", 0), verdicts.pop("THERE", 0)
    counts.passed.update({Passed[name]: number for name, number in verdicts.items()})
    return counts


def _rows(format: Format, reader: Reader, rules: Rules, counts: Counts) -> Iterator[tuple[Any, ...]]:
    """The rows of `read_plays`; what is no play of music with a name is counted at once."""
    for play in format.plays(reader):
        counts.read += 1
        if isinstance(play, Passed):
            counts.passed[play] += 1
        elif play.is_incognito and rules.skip_incognito:
            counts.passed[Passed.INCOGNITO] += 1
        elif (row := _row(play, format, rules, counts)) is None:
            counts.passed[Passed.NAMELESS] += 1
        else:
            yield row


def _row(play: Play, format: Format, rules: Rules, counts: Counts) -> tuple[Any, ...] | None:
    track = named(play.title, tuple(play.artists), format.own)
    if not format.own and not (track.title and track.key):
        return None
    counts.cut += track.cut
    at = naive(to_instant(play.at if play.at.tzinfo else play.at.replace(tzinfo=rules.tz)))
    ref = play.track_id or f"{OWN}{track.key}"
    return (
        counts.read,
        at.isoformat(),
        play.is_start,
        play.played_ms,
        play.has_ended,
        play.duration_ms,
        ref,
        play.track_id is not None,
        track.key,
        track.title,
        track.artists,
    )


def _load(connection: Connection, **values: Any) -> None:
    connection.exec_driver_sql("ANALYZE read_plays")
    run = [statements.TRACKS, "ANALYZE read_tracks", statements.SAME_NAMES, statements.LISTENS, "ANALYZE read_listens"]
    run += [statements.NEW_TRACKS, statements.CREDITS, statements.NEW_KEYS, statements.LENGTHS]
    for statement in run:
        connection.execute(text(statement), values)
    while connection.scalar(text(statements.LEFT)):
        for statement in (statements.INSERT, statements.DROP_HELD, statements.MOVE):
            connection.execute(text(statement), values)
