"""`flask ingest history` on an embedded database of the tests' own, and files to give it."""

import json
import re
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

from app.cli import create_app
from app.cli.embedded.database import DATABASE, embedded_database, engine_for
from app.cli.embedded.server import EmbeddedPostgres
from config import load_settings
from tests.cli.test_ingest import rows
from tests.support.factories import Platform

Ingest = Callable[..., Result]
Write = Callable[..., Path]
Listens = Callable[..., list[tuple[str, str]]]

# Twenty-two characters, as Spotify's ids have.
ONE, TWO = "1" * 22, "2" * 22


@pytest.fixture
def command(clean: EmbeddedPostgres) -> Ingest:
    """Run `flask ingest` on the embedded database."""
    app = create_app(load_settings({}), clean)

    def run(*arguments: str | Path, stdin: bytes = b"") -> Result:
        return app.test_cli_runner().invoke(args=["ingest", *map(str, arguments)], input=stdin)

    return run


@pytest.fixture
def ingest(command: Ingest) -> Ingest:
    """Run `flask ingest history` for user 7 unless told otherwise."""
    return lambda *arguments, user=7, stdin=b"": command("history", *arguments, "--user", str(user), stdin=stdin)


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write a file: a text, bytes, or an object as JSON."""

    def write(content: Any, name: str = "file") -> Path:
        file = tmp_path / name
        text = content if isinstance(content, str | bytes) else json.dumps(content)
        file.write_bytes(text if isinstance(text, bytes) else text.encode())
        return file

    return write


@pytest.fixture
def listens(clean: EmbeddedPostgres) -> Listens:
    """A user's listens, oldest first: instant and track id."""

    def listens(user: int = 7) -> list[tuple[str, str]]:
        found: list[tuple[int, datetime, str]] = rows(clean, "History")
        return sorted((at.isoformat(), track) for whose, at, track in found if whose == user)

    return listens


@pytest.fixture
def catalogue(clean: EmbeddedPostgres) -> Callable[[Callable[[Platform], object]], None]:
    """Have rows in the database that the platform has written."""

    def fill(make: Callable[[Platform], object]) -> None:
        from sqlalchemy.orm import Session

        with embedded_database(clean), Session(engine_for(clean.uri(DATABASE))) as session, session.begin():
            make(Platform(session))

    return fill


def played(ts: str = "2024-05-01T10:00:00Z", ms: int = 200_000, **other: Any) -> dict[str, Any]:
    """An entry of Spotify's extended history."""
    return {
        "ts": ts,
        "ms_played": ms,
        "master_metadata_track_name": "One",
        "master_metadata_album_artist_name": "First",
        "spotify_track_uri": f"spotify:track:{ONE}",
        "reason_end": "endplay",
        "incognito_mode": False,
    } | other


def scrobble(date: int, track: str = "One", artist: str = "First") -> dict[str, Any]:
    """An entry of lastfmstats, in seconds."""
    return {"track": track, "artist": artist, "album": "", "albumId": "", "date": date * 1000}


def scrobbles(*entries: dict[str, Any]) -> dict[str, Any]:
    """A file of lastfmstats."""
    return {"username": "me", "scrobbles": list(entries)}


def account(end: str, ms: int = 200_000, track: str = "One", artist: str = "First") -> dict[str, Any]:
    """An entry of Spotify's account data."""
    return {"endTime": end, "artistName": artist, "trackName": track, "msPlayed": ms}


def outcome(result: Result) -> tuple[int, ...]:
    """Read, added, there before and passed over, of all files."""
    *_, last = re.findall(r" (\d+) +(\d+) +(\d+) +(\d+)$", result.stdout, re.MULTILINE)
    return tuple(map(int, last))
