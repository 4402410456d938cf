"""Below a prefix that a proxy takes off (`X-Forwarded-Prefix`) every URL in an answer is one that can be asked."""

import re
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from config import load_settings
from tests.oracle.checks import links
from tests.support.factories import Platform

PREFIX = "/listening"
HISTORY = "/insights/history/1?limit=2"
LIST = "/insights/top/tracks/1?limit=1"


@pytest.fixture
def settings(database_url: str) -> dict[str, Any]:
    return load_settings({"SQLALCHEMY_DATABASE_URI": database_url, "TRUSTED_PROXIES": "1"})


@pytest.fixture(autouse=True)
def five(platform: Platform) -> None:
    """A user with five listens of three tracks, one of which has a name that looks like a page's end."""
    user, artist = platform.user(1), platform.artist()
    for number, name in enumerate(['","next":"/insights', "a", "b"]):
        platform.listens(user, platform.track(f"t{number}", name, primary=[artist]), 1 + number % 2)
    platform.listens(user, platform.track("t9", primary=[artist]), 1)


def ask(client: FlaskClient, url: str, prefix: str = PREFIX, **headers: str) -> TestResponse:
    """The answer by way of a proxy that takes the prefix off."""
    assert url.startswith(prefix), url
    return client.get(url.removeprefix(prefix), headers={"X-Forwarded-Prefix": prefix} | headers)


def test_the_pages_of_a_history_follow_each_other(client: FlaskClient) -> None:
    whole = client.get("/insights/history/1").json["items"]
    rows: list[Any] = []
    url: str | None = PREFIX + HISTORY
    while url:
        page = ask(client, url).json
        rows += page["items"]
        url = page["next"]
    assert rows == whole
    assert len(rows) == 5


def test_the_pages_of_a_list_follow_each_other(client: FlaskClient) -> None:
    rows: list[Any] = []
    url: str | None = PREFIX + LIST
    while url:
        answer = ask(client, url)
        rows += answer.json
        url = links(answer).get("next")
    assert rows == client.get("/insights/top/tracks/1").json
    assert len(rows) == 4


@pytest.mark.parametrize("accepted", ["", "gzip"])
def test_one_cached_answer_serves_every_prefix(client: FlaskClient, accepted: str) -> None:
    states = []
    for prefix in ("/a", "", "/b/c", "/a"):
        answer = ask(client, prefix + HISTORY, prefix, Accept_Encoding=accepted)
        states.append(answer.headers["X-Cache"])
        assert int(answer.headers["Content-Length"]) == len(answer.data)
        page = client.get(HISTORY, headers={"X-Forwarded-Prefix": prefix}).json
        assert re.fullmatch(f"{prefix}/insights/history/1\\?before=[^&]+&limit=2", page["next"])
        assert [item["track_name"] for item in page["items"]] == [
            item["track_name"] for item in client.get(HISTORY).json["items"]
        ]
        told = ask(client, prefix + HISTORY, prefix, If_None_Match=answer.headers["ETag"])
        assert (told.status_code, told.data) == (304, b"")
    assert states == ["MISS", "HIT", "HIT", "HIT"]


def test_the_last_page_has_no_next_one(client: FlaskClient) -> None:
    assert ask(client, f"{PREFIX}/insights/history/1").json["next"] is None


def test_a_problem_names_the_url_that_was_asked(client: FlaskClient) -> None:
    for path, status in (("/insights/nothing/1", 404), ("/insights/top/tracks/0", 400)):
        answer = ask(client, PREFIX + path)
        assert (answer.status_code, answer.json["instance"]) == (status, PREFIX + path)


def test_the_document_and_the_page_over_it_are_below_the_prefix(client: FlaskClient) -> None:
    servers = [ask(client, f"{prefix}/openapi.json", prefix).json["servers"] for prefix in (PREFIX, "", "/b")]
    assert servers == [[{"url": PREFIX}], [{"url": "/"}], [{"url": "/b"}]]
    page = ask(client, f"{PREFIX}/docs")
    addresses = re.findall(r'(?:src|href|data-document)="([^"]+)"', page.text)
    assert len(addresses) == 6
    for address in addresses:
        with ask(client, address) as file:
            assert file.status_code == 200, address


@pytest.mark.parametrize("prefix", ["/", "/a/", "a", "//a", "/a b", "/\xe9", '/"<', "/%zz", "/a,/b", "/" + "a" * 4000])
def test_any_prefix_gives_the_same_answer(prefix: str, client: FlaskClient) -> None:
    for path in (HISTORY, LIST, "/docs", "/openapi.json", "/nowhere"):
        answer = client.get(path, headers={"X-Forwarded-Prefix": prefix})
        assert answer.status_code == (404 if path == "/nowhere" else 200)
    assert (
        client.get(HISTORY, headers={"X-Forwarded-Prefix": prefix}).json["items"] == client.get(HISTORY).json["items"]
    )
    assert client.get(HISTORY).json["next"].startswith("/insights/history/1?")


class TestWithoutProxies:
    @pytest.fixture
    def settings(self, database_url: str) -> dict[str, Any]:
        return load_settings({"SQLALCHEMY_DATABASE_URI": database_url})

    def test_nobody_is_believed_about_a_prefix(self, client: FlaskClient) -> None:
        given = {"X-Forwarded-Prefix": PREFIX}
        assert client.get(HISTORY, headers=given).json["next"].startswith("/insights/history/1?")
        assert links(client.get(LIST, headers=given))["next"].startswith("/insights/top/tracks/1?")
        assert client.get("/openapi.json", headers=given).json["servers"] == [{"url": "/"}]
        assert client.get("/nowhere", headers=given).json["instance"] == "/nowhere"
