"""No statement is built from text of a request or of a row: both are values, bound to statements of the code's own."""

from typing import Any, NamedTuple
from urllib.parse import quote

import pytest
from flask.testing import FlaskClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, event
from werkzeug.test import TestResponse

from tests.conftest import SECRET
from tests.factories import Platform
from tests.test_examples import PATH_VALUES, fill

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


@pytest.fixture
def sent(connection: Connection) -> list[Statement]:
    """All that goes over the test's connection from now on."""
    seen: list[Statement] = []

    @event.listens_for(connection, "before_cursor_execute")
    def note(_connection: Any, _cursor: Any, statement: str, values: Any, *_rest: Any) -> None:
        if "SAVEPOINT" not in statement:  # the tests' own, and numbered
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


def test_no_text_of_a_request_gets_into_a_statement(
    client: FlaskClient, platform: Platform, sent: list[Statement]
) -> None:
    fill(platform)
    bound = 0
    for operation in operations(client):
        # `unknown` is the name of a parameter.
        for place in [*operation.in_path, *operation.in_query, "unknown", *HEADERS]:

            @settings(max_examples=8, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
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
    return client.open(operation.path.format(**in_path), method=operation.method, query_string=query, headers=headers)


def test_no_text_of_a_row_gets_into_a_statement(client: FlaskClient, platform: Platform, sent: list[Statement]) -> None:
    ids = [text.replace("\0", "")[: 20 - len(MARK)] + MARK for text in HOSTILE]
    one, two = platform.user(1, f"'{MARK}"), platform.user(2, f'"{MARK}')
    for number, text in enumerate(dict.fromkeys(ids)):
        artist = platform.artist(text, text, [text, f"{text}%s"], [(64, 64, text)])
        track = platform.track(text, text, 180_000, [artist], images=[(64, 64, text)], preview=text, features={})
        for user in (one, two):
            platform.listens(user, track, 1 + number % 3, day="2026-11-22")
    hostile = PATH_VALUES | {"track_id": quote(ids[0], safe=""), "artist_id": quote(ids[1], safe="")}
    sent.clear()
    for operation in operations(client):
        query = "limit=100" if "limit" in operation.in_query else ""
        answer = client.open(
            operation.path.format(**hostile),
            method=operation.method,
            query_string=query,
            headers={"X-Invalidation-Secret": SECRET},
        )
        assert answer.status_code == 200, (operation.path, answer.text)
    assert not [statement.text for statement in sent if MARK in statement.text]
    assert any(MARK in str(statement.values) for statement in sent)
