"""Out and in again: the export of a user is loaded as it is."""

import json
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from app import create_app
from app.cli import create_app as create_command
from app.cli.embedded.database import DATABASE, embedded_database, engine_for
from app.cli.embedded.server import EmbeddedPostgres
from config import load_settings
from tests.cli.history.conftest import Ingest, Listens, Write, outcome
from tests.cli.history.test_rules import Catalogue
from tests.cli.test_ingest import DATA, needs_data
from tests.support.factories import Platform


@pytest.fixture
def service(clean: EmbeddedPostgres) -> FlaskClient:
    """The service on the embedded database."""
    return create_app(load_settings({"SQLALCHEMY_DATABASE_URI": clean.uri(DATABASE)})).test_client()


def export(service: FlaskClient, user: int = 7) -> bytes:
    with service.get(f"/insights/export/{user}") as answer:
        assert answer.status_code == 200
        return bytes(answer.data)


def odd(platform: Platform) -> None:
    """Listens that no other format could give."""
    user = platform.user(7)
    a, b = platform.artist("b", " two  blanks "), platform.artist("a", "")
    tracks = [
        platform.track("l:own", "", 0),
        platform.track("x", "Both\tprimary\n", 2**31 - 1, [a, b]),
        platform.track("24 characters, no Spotify"[:24], 'Guest "alone"', 1, featured=[a]),
        platform.track("y", "both\tPRIMARY ", 5, [a]),
    ]
    for number in range(8):
        platform.listen(user, tracks[number % 4], f"2026-01-01T00:00:00.{number:06}")
    platform.listen(user, tracks[0], "1970-01-01")
    platform.listen(user, tracks[0], "2100-12-31T23:59:59.999999")


def load_into_nothing(clean: EmbeddedPostgres, ingest: Ingest, write: Write, out: bytes) -> None:
    with engine_for(clean.uri("postgres")).execution_options(isolation_level="AUTOCOMMIT").connect() as connection:
        connection.exec_driver_sql(f"DROP DATABASE {DATABASE} WITH (FORCE)")
    number = out.count(b"\n")
    assert outcome(ingest(write(out))) == (number, number, 0, 0)
    assert outcome(ingest(write(out))) == (number, 0, number, 0)


def test_out_in_out_are_the_same_bytes(
    ingest: Ingest, write: Write, service: FlaskClient, catalogue: Catalogue, clean: EmbeddedPostgres
) -> None:
    catalogue(odd)
    out = export(service)
    assert out.count(b"\n") == 10
    load_into_nothing(clean, ingest, write, out)
    assert export(service) == out


@needs_data
def test_so_are_those_of_the_real_files(
    ingest: Ingest, write: Write, service: FlaskClient, clean: EmbeddedPostgres
) -> None:
    ingest(DATA)
    out = export(service)
    assert out.count(b"\n") == 98
    load_into_nothing(clean, ingest, write, out)
    assert export(service) == out


@needs_data
def test_installed_rollups_hold(ingest: Ingest, command: Ingest, clean: EmbeddedPostgres) -> None:
    app = create_command(load_settings({}), clean)
    with embedded_database(clean):
        pass

    def rollups(action: str) -> None:
        result = app.test_cli_runner().invoke(args=["rollups", action])
        assert result.exit_code == 0, result.output

    rollups("install")
    assert ingest(DATA).exit_code == 0
    rollups("verify")
    assert ingest(DATA, user=8).exit_code == command("forget", "--user=7", "--yes").exit_code == 0
    rollups("verify")


def line(at: str, track: str = "t") -> str:
    artists = [{"artist_id": "a", "artist_name": "A", "is_primary": True}]
    listen: dict[str, Any] = {"played_at": at, "track_id": track, "track_name": track, "artists": artists}
    return json.dumps(listen | {"duration_ms": 200_000}) + "\n"


def test_only_equal_instants_of_one_track_are_there(ingest: Ingest, write: Write, listens: Listens) -> None:
    ingest(write(line("2026-01-01T00:00:00Z")))
    more = [line("2026-01-01T00:00:00Z"), line("2026-01-01T00:00:01Z"), line("2099-01-01T00:00:00Z")]
    assert outcome(ingest(write("".join(more)))) == (3, 2, 1, 0)


def test_a_held_instant_moves_it_once(ingest: Ingest, write: Write, listens: Listens) -> None:
    ingest(write(line("2026-01-01T00:00:00Z", "other")))
    file: Path = write(line("2026-01-01T00:00:00Z") + line("2026-01-01T00:00:00.001Z", "third"))
    assert outcome(ingest(file)) == (2, 2, 0, 0)
    assert outcome(ingest(file)) == (2, 0, 2, 0)
    assert [track for _, track in listens()] == ["other", "third", "t"]


@pytest.mark.parametrize("track", ["", "x" * 25])
def test_an_id_that_does_not_fit_is_an_error(ingest: Ingest, write: Write, listens: Listens, track: str) -> None:
    result = ingest(write(line("2026-01-01T00:00:00Z") + line("2026-01-02T00:00:00Z", track)))
    assert result.exit_code == 1
    assert "line 2: track_id: not an id of 1 to 24 characters" in result.stderr
