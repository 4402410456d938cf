"""No statement is built from text of a request or of a row: both are values, bound to statements of the code's own."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any, NamedTuple
from urllib.parse import quote

import pytest
from flask import Flask
from flask.testing import FlaskClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, event, select
from sqlalchemy.orm import Session
from werkzeug.test import TestResponse

from app import create_app
from app.extensions import db
from app.models.history import ArtistGenre, History, Track
from app.rollups.installation.install import install
from app.rollups.upkeep.building import build, start_anew
from app.rollups.upkeep.folding import fold
from app.rollups.upkeep.transactions import snapshot
from app.rollups.upkeep.verification import differences
from config import load_settings
from tests.conftest import NOW, SECRET
from tests.support.depth import scaled
from tests.support.factories import Platform
from tests.support.servers import database, url_of
from tests.web.test_examples import PATH_VALUES, fill

# What a statement with the text in it would hold, however the text around it was escaped.
MARK = "qzxj"
HEADERS = ["X-Invalidation-Secret", "Authorization", "X-API-Key", "X-Request-ID", "If-None-Match"]
HOSTILE = [
    "'",
    '"',
    "''",
    "\\",
    "\\'",
    ";",
    "--",
    "/*",
    "%s",
    "%(name)s",
    "%",
    ":name",
    "$1",
    "$$",
    "{0}",
    "' OR '1'='1",
    "') OR 1=1 --",
    '1; DROP TABLE "History"; --',
    '\' UNION SELECT refresh_token FROM "SpotifyTokens" --',
    "'||pg_sleep(9)||'",
    "\N{RIGHT SINGLE QUOTATION MARK}",
    "\N{FULLWIDTH APOSTROPHE}",
    "\N{RIGHT-TO-LEFT OVERRIDE}",
    "\N{ZERO WIDTH SPACE}",
    "u\N{COMBINING DIAERESIS}\N{GUITAR}",
    "\r\n",
    "\0",
]
texts = st.lists(st.sampled_from(HOSTILE) | st.text(max_size=5), min_size=1, max_size=3).map(
    lambda parts: parts[0] + MARK + "".join(parts[1:])
)
# As bytes, for a URL may spell what is no UTF-8.
raw = texts.map(lambda text: text.encode()) | st.binary(max_size=6).map(lambda data: data + MARK.encode())


class Statement(NamedTuple):
    """What goes to the database: the statement, and what is bound to it."""

    text: str
    values: Any


IDS = list(dict.fromkeys(text.replace("\0", "")[: 20 - len(MARK)] + MARK for text in HOSTILE))


def fill_hostile(platform: Platform) -> None:
    """Two users and their tracks, and as many again whose every text is hostile."""
    fill(platform)
    users = [platform.user(3, f"'{MARK}"), platform.user(4, f'"{MARK}')]
    for number, text in enumerate(IDS):
        artist = platform.artist(text, text, [text, f"{text}%s"], [(64, 64, text)])
        track = platform.track(text, text, 180_000, [artist], images=[(64, 64, text)], preview=text, features={})
        for user in users:
            platform.listens(user, track, 1 + number % 3, day="2026-11-22")


@pytest.fixture(scope="module")
def engine(server_url: str) -> Iterator[Engine]:
    """A database with rollups, and with changes that they have yet to take in."""
    with database(server_url, "statements", fill_hostile) as engine:
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            install(connection, lambda done: None)
            start_anew(connection)
            build(connection, lambda: NOW, lambda done: None)
        with Session(engine) as session, session.begin():
            for hour, hostile in enumerate(session.scalars(select(Track).where(Track.id.in_(IDS[:2])))):
                hostile.duration_ms += 1
                session.add(History(user_id=1, played_at=datetime(2026, 11, 20, hour), track_id=hostile.id))
            session.add(ArtistGenre(id=IDS[0], genre=f"new '{MARK}"))
        yield engine


@pytest.fixture
def app(engine: Engine) -> Iterator[Flask]:
    given = {"SQLALCHEMY_DATABASE_URI": url_of(engine), "CACHE_INVALIDATION_SECRET": SECRET, "EXPLORER": "true"}
    app = create_app(load_settings(given))
    app.config["CLOCK"] = lambda: NOW
    yield app
    with app.app_context():
        db.engine.dispose()


@pytest.fixture
def sent(app: Flask) -> list[Statement]:
    """All that the service sends to the database."""
    seen: list[Statement] = []
    with app.app_context():

        @event.listens_for(db.engine, "before_cursor_execute")
        def note(_connection: Any, _cursor: Any, statement: str, values: Any, *_rest: Any) -> None:
            seen.append(Statement(statement, values))

    return seen


class Operation(NamedTuple):
    """One method of one path, with the names of what it takes."""

    method: str
    path: str
    in_path: list[str]
    in_query: list[str]


def operations(client: FlaskClient) -> list[Operation]:
    return [
        Operation(
            method.upper(),
            path,
            [parameter["name"] for parameter in described.get("parameters", []) if parameter["in"] == "path"],
            [parameter["name"] for parameter in described.get("parameters", []) if parameter["in"] == "query"],
        )
        for path, methods in client.get("/openapi.json").json["paths"].items()
        for method, described in methods.items()
    ]


@pytest.mark.hypothesis
def test_no_text_of_a_request_gets_into_a_statement(client: FlaskClient, sent: list[Statement]) -> None:
    bound = 0
    for operation in operations(client):
        # `unknown` is the name of a parameter.
        for place in [*operation.in_path, *operation.in_query, "unknown", *HEADERS]:

            @settings(max_examples=scaled(8), suppress_health_check=list(HealthCheck))
            @given(text=raw)
            def stays_out(text: bytes) -> None:
                nonlocal bound
                sent.clear()
                answer = send(client, operation, place, text)  # noqa: B023  called within the loop
                assert answer.status_code < 500, (text, answer.text)
                assert not [statement.text for statement in sent if MARK in statement.text]
                bound += any(MARK in str(statement.values) for statement in sent)

            stays_out()
    assert bound >= 8  # the ids of tracks and artists are any text


def send(client: FlaskClient, operation: Operation, place: str, text: bytes) -> TestResponse:
    """The answer to a request that is right but for the text in one place."""
    headers = {"X-Invalidation-Secret": SECRET}
    query = ""
    if place in HEADERS:
        headers[place] = text.decode("latin-1").translate({ord("\r"): None, ord("\n"): None})
    elif place == "unknown":
        query = f"{quote(text)}=1"
    elif place in operation.in_query:
        query = f"{place}={quote(text)}"
    in_path = PATH_VALUES | ({place: quote(text, safe="")} if place in operation.in_path else {})
    path = operation.path.format(**in_path)
    # An answer that is streamed holds a connection until it is closed.
    return client.open(path, method=operation.method, query_string=query, headers=headers, buffered=True)


def ask_everything(client: FlaskClient) -> None:
    """Send a good request to every operation, about rows whose text is hostile."""
    values = PATH_VALUES | {"user_id": "3", "other_user_id": "4"}
    values |= {"track_id": quote(IDS[0], safe=""), "artist_id": quote(IDS[1], safe="")}
    for operation in operations(client):
        answer = client.open(
            operation.path.format(**values),
            method=operation.method,
            query_string="&".join(
                text for name, text in (("limit", "limit=20"), ("users", "users=3,4")) if name in operation.in_query
            ),
            headers={"X-Invalidation-Secret": SECRET},
            buffered=True,
        )
        assert answer.status_code == 200, (operation.path, answer.text)


def test_no_text_of_a_row_gets_into_a_statement(client: FlaskClient, sent: list[Statement]) -> None:
    ask_everything(client)
    assert any("insights.rankings" in statement.text for statement in sent)
    assert any(MARK in str(statement.values) for statement in sent)
    assert not [statement.text for statement in sent if MARK in statement.text]


def test_folding_rows_into_the_rollups_takes_none_of_their_text(engine: Engine) -> None:
    seen: list[str] = []
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        event.listen(connection, "before_cursor_execute", lambda _connection, _cursor, text, *_rest: seen.append(text))
        with snapshot(connection):
            assert fold(connection) > 0
        with snapshot(connection):
            assert list(differences(connection, lambda done: None)) == []
    assert not [text for text in seen if MARK in text]
