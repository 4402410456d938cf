"""Demo data: three years of listening, made up but shaped like the real thing.

The same seed and end give the same rows.
"""

import csv
import io
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from random import Random
from typing import NamedTuple

from sqlalchemy import Connection

from app.cli.demo.catalogue import make_catalogue
from app.cli.demo.details import Row, details
from app.cli.demo.listening import listen
from app.cli.demo.people import make_people
from app.cli.embedded.database import continue_user_ids
from app.models.base import Base
from app.models.history import Artist, ArtistTrack, History, Track, User

SPAN = timedelta(days=3 * 365)


class Size(NamedTuple):
    """How much to make; listens may come out a few short, tracks are about ten times the artists."""

    users: int = 50
    listens: int = 200_000
    artists: int = 640


def fill(
    connection: Connection, size: Size, seed: int, end: datetime, advance: Callable[[float], object] = lambda done: None
) -> None:
    """Add users, a catalogue and the listens of three years up to `end` (UTC, naive) to the platform's tables.

    `advance` is told the share that is done, up to 1. The tables must be empty; the transaction is the caller's.
    """
    rng = Random(seed)
    start = end - SPAN
    catalogue = make_catalogue(rng, size.artists)
    people = make_people(rng, size.users, size.listens, catalogue, start, end)

    _copy(connection, Artist, ((artist.id, artist.name) for artist in catalogue.artists))
    _copy(connection, Track, ((track.id, track.name, track.duration_ms) for track in catalogue.tracks))
    credits = ((track.id, *credit) for track in catalogue.tracks for credit in track.credits)
    _copy(connection, ArtistTrack, credits)
    names = enumerate((person.username for person in people), 1)
    _copy(connection, User, ((id_, name, f"{name}@example.com", f"demo.{name}") for id_, name in names))
    for model, rows in details(rng, catalogue, start, end):
        _copy(connection, model, rows)
    advance(0.2)
    done = 0
    for user_id, person in enumerate(people, 1):
        listens = listen(rng, person, catalogue.tracks)
        _copy(connection, History, ((user_id, played_at, track.id) for played_at, track in listens))
        done += person.listens
        advance(0.2 + 0.8 * done / size.listens)
    continue_user_ids(connection)


def _copy(connection: Connection, model: type[Base], rows: Iterable[Row]) -> None:
    """Load rows, columns in the table's order, by COPY: a hundred times as fast as INSERT."""
    lines = io.StringIO()
    csv.writer(lines).writerows(rows)
    lines.seek(0)
    cursor = connection.connection.cursor()
    cursor.copy_expert(f'COPY "{model.__tablename__}" FROM STDIN (FORMAT csv)', lines)
