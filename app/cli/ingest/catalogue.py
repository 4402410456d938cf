"""Whose track a play is of: what makes two titles and two names the same, and the ids of those that have none."""

import csv
import io
import unicodedata
from base64 import urlsafe_b64encode
from collections.abc import Iterable
from functools import lru_cache
from hashlib import blake2b
from typing import Any, NamedTuple, cast

import orjson
from sqlalchemy import Connection, String, select
from sqlalchemy.orm import InstrumentedAttribute

from app.cli.ingest.plays import Artist
from app.models import history

OWN = "l:"  # what ids begin with that are not Spotify's, which have no colon
ROWS = 10_000  # of one COPY

# Turned, low, prime and accent forms of ' and ".
QUOTES = str.maketrans(
    dict.fromkeys("\u2018\u2019\u201a\u201b\u02bc\u2032\u00b4`", "'")
    | dict.fromkeys("\u201c\u201d\u201e\u201f\u2033", '"')
)


class Named(NamedTuple):
    """A track as it goes into the catalogue: `artists` is JSON of ids, names, and which are primary.

    `key` is the same for the same title and primary artist, None where there is no artist. `cut` counts the names that
    were too long.
    """

    title: str
    artists: str
    key: str | None
    cut: int


@lru_cache(2**14)
def named(title: str, artists: tuple[Artist, ...], own: bool = False) -> Named:
    """A track by what a format says of it; one of our `own` export keeps empty names and the blanks around others."""
    whole = _clean(title, own)
    names = [(_clean(artist.name, own), artist) for artist in artists]
    names = [(name, artist) for name, artist in names if name or own]
    fitting = _cut(whole, history.Track.name)
    has_primary = own or any(artist.is_primary for _, artist in names)
    cut, key, rows = int(fitting != whole), None, []
    for place, (name, artist) in enumerate(names):
        short = _cut(name, history.Artist.name)
        cut += short != name
        is_primary = artist.is_primary or (place == 0 and not has_primary)
        if is_primary and key is None:
            key = key_of(fitting, short)
        rows.append({"id": artist.id or OWN + _hash("artist", same(short)), "name": short, "is_primary": is_primary})
    return Named(fitting, orjson.dumps(rows).decode(), key, cut)


def key_of(title: str, artist: str) -> str:
    """22 characters that are the same for the same title and primary artist."""
    return _hash("track", same(title), same(artist))


def same(name: str) -> str:
    """What is the same for names that are: NFKC, case folded, white space and typographic quotes made one."""
    plain = unicodedata.normalize("NFKC", name.translate(QUOTES)).casefold()
    return " ".join(unicodedata.normalize("NFKC", plain).split())


def learn(connection: Connection) -> None:
    """Fill the temporary table `known` with the key of each track and primary artist of the catalogue."""
    track, credit, artist = history.Track, history.ArtistTrack, history.Artist
    catalogue = (
        select(track.id, track.name, artist.name)
        .join_from(track, credit, credit.track_id == track.id)
        .join(artist, artist.id == credit.artist_id)
        .where(credit.is_primary)
    )
    with connection.execute(catalogue, execution_options={"yield_per": ROWS}) as rows:
        for part in rows.partitions():
            copy(connection, "known", ((key_of(title, name), id_) for id_, title, name in part))


def copy(connection: Connection, table: str, rows: Iterable[Iterable[Any]]) -> None:
    """Load rows into a temporary table by COPY; None is null."""
    lines = io.StringIO()
    csv.writer(lines).writerows(rows)
    lines.seek(0)
    connection.connection.cursor().copy_expert(f"COPY {table} FROM STDIN (FORMAT csv)", lines)


def _clean(name: str, own: bool) -> str:
    """A name that PostgreSQL can store: without NUL, and with ? for half a surrogate pair, as ijson gives it."""
    storable = name.replace("\0", "").encode(errors="replace").decode()
    return storable if own else storable.strip()


def _cut(name: str, column: InstrumentedAttribute[str]) -> str:
    return name[: cast(String, column.type).length]


def _hash(*parts: str) -> str:
    return urlsafe_b64encode(blake2b("\0".join(parts).encode(), digest_size=16).digest()).decode().rstrip("=")
