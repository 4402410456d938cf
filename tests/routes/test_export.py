"""`GET /insights/export/<user_id>`: what stands in the file, and that it is streamed and leaves nothing open."""

import http.client
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask.testing import FlaskClient
from sqlalchemy import Engine, text
from sqlalchemy.orm import Session

from tests.support.factories import Platform
from tests.support.faulty_servers import wait_until
from tests.support.servers import Gunicorn, Start, database, starting, three_listens, url_of
from tests.web.test_errors import check_problem

EXPORT = "/insights/export/1"
MANY = 50_000


@pytest.fixture
def two_listens(platform: Platform) -> None:
    """Of a track with three artists, and of one without."""
    user = platform.user(1)
    b, a, guest = platform.artist("b", "Bee"), platform.artist("a", 'Ay "the", Great'), platform.artist("0", "Guest")
    platform.listen(user, platform.track("none", "Nobody's", 1000), "2026-02-01T10:00:00.25")
    platform.listen(user, platform.track("t", "Song, of; songs\n", 2000, [b, a], [guest]), "2026-01-01")
    platform.listen(platform.user(2), platform.track("other"), "2026-01-01")


@pytest.mark.usefixtures("two_listens")
def test_json_lines(client: FlaskClient) -> None:
    answer = client.get(EXPORT, buffered=True)
    assert answer.mimetype == "application/x-ndjson"
    assert answer.headers["Content-Disposition"] == "attachment; filename=listens-1.jsonl"
    assert [json.loads(line) for line in answer.text.splitlines()] == [
        {
            "played_at": "2026-01-01T00:00:00Z",
            "track_id": "t",
            "track_name": "Song, of; songs\n",
            "artists": [
                {"artist_id": "a", "artist_name": 'Ay "the", Great', "is_primary": True},
                {"artist_id": "b", "artist_name": "Bee", "is_primary": True},
                {"artist_id": "0", "artist_name": "Guest", "is_primary": False},
            ],
            "duration_ms": 2000,
        },
        {
            "played_at": "2026-02-01T10:00:00.25Z",
            "track_id": "none",
            "track_name": "Nobody's",
            "artists": [],
            "duration_ms": 1000,
        },
    ]


@pytest.mark.usefixtures("two_listens")
def test_csv(client: FlaskClient) -> None:
    answer = client.get(EXPORT, query_string={"format": "csv"}, buffered=True)
    assert answer.mimetype == "text/csv"
    assert answer.headers["Content-Disposition"] == "attachment; filename=listens-1.csv"
    assert answer.data.decode() == (
        "played_at,track_id,track_name,artist_names,duration_ms\r\n"
        '2026-01-01T00:00:00Z,t,"Song, of; songs\n","Ay ""the"", Great; Bee; Guest",2000\r\n'
        "2026-02-01T10:00:00.25Z,none,Nobody's,,1000\r\n"
    )


@pytest.mark.usefixtures("two_listens")
def test_a_window(client: FlaskClient) -> None:
    window = {"from": "2026-02-01T11:00", "tz": "Europe/Paris"}
    assert client.get(EXPORT, query_string=window, buffered=True).text.count("\n") == 1
    assert client.get(EXPORT, query_string=window | {"to": "2026-02-01T11:00:00.25"}, buffered=True).text == ""


def test_a_user_without_listens(client: FlaskClient) -> None:
    assert client.get("/insights/export/9", buffered=True).text == ""
    assert client.get("/insights/export/9?format=csv", buffered=True).text.count("\r\n") == 1


@pytest.mark.usefixtures("two_listens")
def test_it_is_not_kept(client: FlaskClient, platform: Platform) -> None:
    answer = client.get(EXPORT, buffered=True)
    assert answer.headers["Cache-Control"] == "no-store"
    assert not {"ETag", "X-Cache"} & set(answer.headers.keys())
    platform.listens(platform.user(3), platform.track(), 1)
    platform.session.execute(text('UPDATE "History" SET user_id = 1 WHERE user_id = 3'))
    assert client.get(EXPORT, buffered=True).text.count("\n") == answer.text.count("\n") + 1


@pytest.mark.parametrize(
    ("path", "parameter"),
    [
        (f"{EXPORT}?format=xml", "format"),
        (f"{EXPORT}?limit=5", "limit"),
        (f"{EXPORT}?range=never", "range"),
        ("/insights/export/0", "user_id"),
    ],
)
def test_what_is_wrong_is_a_problem(client: FlaskClient, path: str, parameter: str) -> None:
    answer = client.get(path, buffered=True)
    check_problem(answer, 400)
    assert answer.json["errors"][0]["parameter"] == parameter


def long_history(platform: Platform) -> None:
    three_listens(platform)
    platform.session.flush()
    platform.session.execute(
        text(
            "INSERT INTO \"History\" SELECT 1, timestamp '2020-01-01' + number * interval '1 minute', track_id "
            'FROM generate_series(1, :many) AS number, (SELECT track_id FROM "History" LIMIT 1) AS one'
        ),
        {"many": MANY},
    )


@pytest.fixture(scope="module")
def own(server_url: str) -> Iterator[Engine]:
    with database(server_url, "export", long_history) as engine:
        yield engine


@pytest.fixture
def start(own: Engine, tmp_path: Path) -> Iterator[Start]:
    with starting(tmp_path, url_of(own)) as start:
        yield start


def open_transactions(own: Engine) -> int:
    """How many transactions of the service the database has."""
    with Session(own) as session:
        open_ = text(
            "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'songswap-insights' AND xact_start < now()"
        )
        return int(session.scalar(open_))


def test_a_long_one_arrives_as_a_whole(start: Start, own: Engine) -> None:
    server = start()
    assert server.ask(EXPORT).body.count(b"\n") == MANY + 3
    wait_until(lambda: open_transactions(own) == 0)


def begin(server: Gunicorn, method: str = "GET") -> tuple[http.client.HTTPConnection, http.client.HTTPResponse]:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
    connection.request(method, EXPORT)
    return connection, connection.getresponse()


def test_a_connection_that_breaks_frees_everything(start: Start, own: Engine) -> None:
    server = start(WEB_CONCURRENCY="1", DATABASE_POOL_SIZE="1", DATABASE_MAX_OVERFLOW="0", DATABASE_POOL_TIMEOUT="1")
    for _ in range(3):  # more than the pool has
        connection, response = begin(server)
        assert response.read(100)
        assert open_transactions(own) == 1
        response.close()
        connection.close()
        wait_until(lambda: open_transactions(own) == 0)
    connection, response = begin(server, "HEAD")
    assert response.read() == b""
    connection.close()
    wait_until(lambda: open_transactions(own) == 0)
    assert server.scrape().total("insights_database_connections_in_use") == 0
    assert server.ask("/insights/total/listens/1").status == 200


def test_what_the_database_refuses_is_a_problem(start: Start, own: Engine) -> None:
    server = start(DATABASE_STATEMENT_TIMEOUT="1")
    with own.begin() as connection:
        connection.execute(text('LOCK TABLE "Tracks"'))
        answer = server.ask(EXPORT)
    assert answer.status == 503
    assert answer.headers["Content-Type"] == "application/problem+json"
    wait_until(lambda: open_transactions(own) == 0)
