"""The log: one line for a request, and nothing in any line that is nobody's business, at any level."""

import logging
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from runpy import run_path

import orjson
import pytest
from flask import Flask
from flask.testing import FlaskClient
from gunicorn.config import Config
from sqlalchemy import Engine, text

from app.extensions import db
from app.telemetry import logs
from app.telemetry.gunicorn import GunicornLogger
from tests.conftest import SECRET
from tests.support.factories import Platform
from tests.support.servers import Gunicorn, Start, database, starting, url_of

# Where a name, a text or an address of the platform's rows would be told from one of the service's own.
NAMES = [
    "PlantedUser",
    "PlantedFriend",
    "PlantedTrack",
    "PlantedArtist",
    "plantedgenre",
    "plantedimage",
    "plantedpreview",
]
CALLERS = ["plantedquery", "plantedbearer", "plantedkey", "plantedpassword", "plantedheader", "plantedline", SECRET]
TRACK, ARTIST = "6QgjcU0zLnzq5OrUoSZ3OK", "4wyNyxs74Ux8UIDopNjIai"
PATH_VALUES = {"user_id": "1", "other_user_id": "2", "year": "2026", "track_id": TRACK, "artist_id": ARTIST}
FIELDS = {
    *("event", "level", "timestamp", "request_id"),
    *("method", "route", "status", "duration_ms", "cache", "queries"),
}


def fill(platform: Platform) -> None:
    users = [platform.user(1, "PlantedUser"), platform.user(2, "PlantedFriend")]
    artist = platform.artist(ARTIST, "PlantedArtist", ["plantedgenre"], [(64, 64, "https://plantedimage")])
    track = platform.track(
        TRACK, "PlantedTrack", 1234, [artist], [], [(64, 64, "https://plantedimage")], "https://plantedpreview", {}
    )
    for user in users:
        platform.listens(user, track, 2, "2025-06-01")
        platform.listens(user, track, 3, "2026-06-01")


@pytest.fixture(scope="module")
def engine_of_all(server_url: str) -> Iterator[Engine]:
    with database(server_url, "lines", fill) as engine:
        yield engine


@pytest.fixture
def start(engine_of_all: Engine, tmp_path: Path) -> Iterator[Start]:
    with starting(tmp_path, url_of(engine_of_all)) as start:
        yield start


def say(server: Gunicorn, request: bytes) -> None:
    """Send bytes as they are."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as connection:
        connection.sendall(request)
        connection.shutdown(socket.SHUT_WR)
        while connection.recv(65536):
            pass


def ask_everything(server: Gunicorn) -> bytes:
    """Every route, with what must not be logged in headers and queries; what was answered."""
    secrets = {"Authorization": "Bearer plantedbearer", "X_API_Key": "plantedkey", "X_Invalidation_Secret": SECRET}
    secrets |= {"Cookie": "plantedheader", "User_Agent": "plantedheader", "Referer": "plantedheader"}
    told = b""
    for template, operations in orjson.loads(server.ask("/openapi.json").body)["paths"].items():
        path = template.format(**PATH_VALUES)
        for method in operations:
            for query in ("", "", "?plantedquery=plantedquery", "?tz=plantedquery"):
                answer = server.ask(path + query, method.upper(), **secrets)
                assert answer.status < 500, path
                told += answer.body
        server.ask(path, "DELETE", **secrets)
    server.ask("/plantedquery?plantedquery", **secrets)
    server.ask("/insights/tracks/plantedquery", **secrets)
    server.ask("/cache/invalidate?user_id=plantedquery", "POST", **secrets)
    server.ask("/cache/invalidate", "POST", X_Invalidation_Secret="plantedpassword")
    server.ask("/health", X_Request_ID="plantedheader plantedheader")
    for request in (
        b"GET /plantedline?plantedline HTTP/9.9\r\n\r\n",
        b"plantedline /plantedline?plantedline\r\n\r\n",
        b"GET /plantedline?plantedline HTTP/1.1\r\nX-Key@: plantedheader\r\n\r\n",
        b"GET /health HTTP/1.1\r\nHost: a\r\nX-Key: plantedheader",
        b"GET /health HTTP/1.1\r\nTransfer-Encoding: plantedheader\r\n\r\n",
        b"GET /health?" + b"plantedline" * 1000 + b" HTTP/1.1\r\n\r\n",
    ):
        say(server, request)
    return told


@pytest.mark.parametrize("level", ["DEBUG", "INFO"])
def test_nothing_that_is_private_is_in_any_line(start: Start, level: str) -> None:
    server = start(LOG_LEVEL=level)
    told = ask_everything(server).decode()
    assert [name for name in NAMES if name not in told] == []  # the answers did hold them
    assert server.stop() == 0
    log = server.output.read_text()
    assert [planted for planted in NAMES + CALLERS if planted.lower() in log.lower()] == []
    events = {line["event"] for line in server.lines()}
    assert {"request", "cache_invalidated"} <= events


def test_one_line_for_a_request(start: Start) -> None:
    server = start(WEB_CONCURRENCY="1")
    for path in (
        "/insights/total/listens/1",
        "/insights/total/listens/1",
        "/insights/top/tracks/1",
        "/insights/top/tracks/1?limit=0",
        "/health",
        "/nowhere",
    ):
        server.ask(path, X_Request_ID=f"id{path.count('?')}")
    lines = [line for line in server.requests() if line["request_id"].startswith("id")]
    total, top = "/insights/total/listens/<user_id>", "/insights/top/tracks/<user_id>"
    assert [(line["route"], line["status"], line["cache"], line["queries"]) for line in lines] == [
        (total, 200, "MISS", 1),
        (total, 200, "HIT", 0),
        (top, 200, "MISS", 2),
        (top, 400, None, 0),
        ("/health", 200, None, 0),
        (None, 404, None, 0),
    ]
    assert [line.keys() - FIELDS for line in lines] == [{"question"}] * 3 + [set()] * 3
    assert all(line.keys() >= FIELDS for line in lines)
    assert [line.get("question", "").partition("?")[0] for line in lines[1:3]] == [
        "insights.total_listens",
        "insights.top_tracks",
    ]
    assert all(0 < line["duration_ms"] < 60_000 for line in lines)


def test_a_304_has_the_same_fields(start: Start) -> None:
    server = start(WEB_CONCURRENCY="1")
    etag = server.ask("/insights/total/listens/1").headers["ETag"]
    server.ask("/insights/total/listens/1", X_Request_ID="hit", If_None_Match=etag)
    (line,) = [line for line in server.requests() if line["request_id"] == "hit"]
    assert (line["status"], line["cache"], line["queries"]) == (304, "HIT", 0)
    assert line.keys() == FIELDS | {"question"}


def test_a_statement_that_fails_counts(start: Start, engine_of_all: Engine) -> None:
    server = start(WEB_CONCURRENCY="1", DATABASE_STATEMENT_TIMEOUT="0.2")
    with engine_of_all.begin() as blocker:
        blocker.execute(text('LOCK TABLE "History" IN ACCESS EXCLUSIVE MODE'))
        assert server.ask("/insights/total/listens/1").status == 503
    (line,) = [line for line in server.requests() if line["status"] == 503]
    assert line["queries"] == 1


def test_gunicorn_says_of_a_request_only_what_went_wrong(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SQLALCHEMY_DATABASE_URI", "postgresql://nobody@127.0.0.1:1/nothing")
    monkeypatch.setenv("ALLOW_ANONYMOUS", "true")
    logs.configure("INFO")
    config = Config()
    config.set("errorlog", None)  # as the file does
    assert run_path("gunicorn.conf.py")["logger_class"] == "app.telemetry.gunicorn.GunicornLogger"
    log = GunicornLogger(config)
    log.info("Booting worker with pid: %s", 1)
    log.debug("Ignored premature client disconnection. %s", CALLERS[0])
    try:
        raise ValueError(CALLERS[0])
    except ValueError as error:
        log.warning(f"Invalid request from ip=192.0.2.1: {error}")
        log.exception("Error handling request %s %s", "GET", f"/{CALLERS[0]}")
    written = capsys.readouterr().err
    assert CALLERS[0] not in written
    assert [orjson.loads(line)["event"] for line in written.splitlines()] == [
        "Booting worker with pid: 1",
        "Invalid request: ValueError",
        "Error handling request",
    ]


# --- Errors -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def failing(app: Flask) -> FlaskClient:
    """Routes that fall over what they read."""
    app.config.update(TESTING=False, PROPAGATE_EXCEPTIONS=False)

    def in_the_database() -> None:
        db.session.execute(text("SELECT CAST(:value AS integer)"), {"value": NAMES[2]})

    def in_the_service() -> None:
        try:
            int(NAMES[2])
        except ValueError as error:
            raise KeyError(NAMES[3]) from error

    app.add_url_rule("/database", view_func=in_the_database)
    app.add_url_rule("/service", view_func=in_the_service)
    return app.test_client()


@pytest.mark.parametrize(
    ("path", "types"),
    [
        ("/database", ["sqlalchemy.exc.DataError", "psycopg2.errors.InvalidTextRepresentation"]),
        ("/service", ["builtins.KeyError", "builtins.ValueError"]),
    ],
)
def test_an_error_tells_its_type_and_place_and_not_what_it_fell_over(
    failing: FlaskClient, capsys: pytest.CaptureFixture[str], path: str, types: list[str]
) -> None:
    logs.configure("INFO")  # to the standard error that capsys reads
    assert failing.get(path).status_code == 500
    written = capsys.readouterr().err
    assert "Planted" not in written
    (line,) = [line for line in map(orjson.loads, written.splitlines()) if line["event"] == "unexpected_error"]
    assert all(name in line["exception"] for name in types)
    assert Path(__file__).name in line["exception"]
    assert line["request_id"]


def test_so_do_the_errors_of_libraries(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("INFO")
    try:
        raise ValueError(NAMES[2])
    except ValueError:
        logging.getLogger("a.library").exception("it_failed")
    (line,) = map(orjson.loads, capsys.readouterr().err.splitlines())
    assert line["event"] == "it_failed"
    assert "builtins.ValueError" in line["exception"]
    assert "PlantedTrack" not in line["exception"]


def test_a_person_reads_whole_exceptions(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    logs.configure("INFO")
    logs.log.error("it_failed", exc_info=ValueError("why"))
    assert "ValueError: why" in capsys.readouterr().err
    monkeypatch.undo()
    logs.configure("INFO")


# The file may grow to 500 bytes, then writes fail as on a full disk, until there is room again.
ON_A_FULL_DISK = """
import resource
from app.telemetry import logs
logs.configure("INFO")
resource.setrlimit(resource.RLIMIT_FSIZE, (500, resource.RLIM_INFINITY))
for number in range(100):
    logs.log.info("disk_is_full", number=number)
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
for number in range(3):
    logs.log.info("room_again", number=number)
"""


def test_lines_that_cannot_be_written_are_lost_and_later_ones_are_not(tmp_path: Path) -> None:
    log = tmp_path / "log"
    with log.open("wb") as stream:
        subprocess.run([sys.executable, "-c", ON_A_FULL_DISK], stderr=stream, check=True, timeout=60)
    whole = [line for line in log.read_text().splitlines() if line.startswith('{"number":') and line.endswith("}")]
    assert 1 <= sum("disk_is_full" in line for line in whole) < 100
    assert [orjson.loads(line)["number"] for line in whole[-2:]] == [1, 2]  # the first one may end a torn line


def test_no_request_fails_where_nothing_can_be_logged(engine_of_all: Engine, tmp_path: Path) -> None:
    with starting(tmp_path, url_of(engine_of_all)) as start:
        (tmp_path / "output0").symlink_to("/dev/full")
        server = start(LOG_LEVEL="DEBUG")
        for path in ["/insights/total/listens/1"] * 4 + ["/health", "/insights/top/tracks/1?limit=2"]:
            assert server.ask(path).status == 200
        assert server.ask("/nowhere").status == 404
