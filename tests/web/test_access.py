"""Who may ask for what: keys, tokens, and that every route says what it wants."""

import hashlib
import json
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from app import create_app
from app.telemetry import logs
from app.web.auth import GUARDED, Access, access_of
from config import load_settings
from tests.conftest import SECRET
from tests.web.test_errors import check_problem

KEYS = {"old-app": "the key of the app", "new-app": "another key", "airflow": "a key of airflow's"}
INSIGHT = "/insights/global/total/listens"


def pairs(keys: dict[str, str] = KEYS) -> str:
    """API_KEYS for these keys."""
    return ",".join(f"{name}:{hashlib.sha256(key.encode()).hexdigest()}" for name, key in keys.items())


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


@pytest.fixture
def settings(database_url: str) -> dict[str, Any]:
    return load_settings(
        {"SQLALCHEMY_DATABASE_URI": database_url, "CACHE_INVALIDATION_SECRET": SECRET, "API_KEYS": pairs()}
    )


@pytest.fixture
def service_with(database_url: str) -> Callable[..., FlaskClient]:
    """A service with other settings."""
    return lambda **given: create_app(load_settings({"SQLALCHEMY_DATABASE_URI": database_url} | given)).test_client()


def test_every_route_declares_its_access(app: Flask) -> None:
    """Where this fails: say in app/web/auth.py what the new route asks of its caller."""
    assert [rule.rule for rule in app.url_map.iter_rules() if access_of(rule.endpoint) is None] == []


def test_every_insight_and_cache_route_wants_a_key_and_stands_where_nothing_is_told_without_one(app: Flask) -> None:
    for rule in app.url_map.iter_rules():
        is_guarded = rule.rule.split("/")[1] in GUARDED
        assert (access_of(rule.endpoint) in (Access.KEY, Access.CARD)) is is_guarded, rule


def test_no_route_that_wants_a_key_answers_without_one(app: Flask, client: FlaskClient) -> None:
    asked = 0
    for rule in app.url_map.iter_rules():
        path = rule.rule.replace("<user_id>", "1").replace("<other_user_id>", "2").replace("<year>", "2026")
        if access_of(rule.endpoint) in (Access.KEY, Access.CARD):
            for method in rule.methods or ():
                answer = client.open(path, method=method, buffered=True)
                assert answer.status_code == 401, (method, path)
                assert answer.headers["Cache-Control"] == "no-store"
                asked += 1
    assert asked > 100


@pytest.mark.parametrize("name", KEYS)
def test_each_key_opens_by_either_header(client: FlaskClient, name: str) -> None:
    for headers in (bearer(KEYS[name]), {"Authorization": f"bearer  {KEYS[name]}"}, {"X-API-Key": KEYS[name]}):
        assert client.get(INSIGHT, headers=headers).status_code == 200
        assert client.get("/cache/size", headers=headers).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {},
        bearer("wrong"),
        bearer(""),
        bearer(KEYS["airflow"] + "x"),
        bearer(KEYS["airflow"].upper()),
        bearer(hashlib.sha256(KEYS["airflow"].encode()).hexdigest()),
        bearer("airflow"),
        bearer("ключ".encode().decode("latin-1")),
        {"Authorization": f"Basic {KEYS['airflow']}"},
        {"Authorization": KEYS["airflow"]},
        {"X-API-Key": ""},
        {"X-API-Key": "wrong"},
        {"X-API-Key": f"Bearer {KEYS['airflow']}"},
        {"Cookie": f"key={KEYS['airflow']}"},
    ],
)
def test_no_key_or_a_wrong_one_is_a_401(client: FlaskClient, headers: dict[str, str]) -> None:
    answer = client.get(INSIGHT, headers=headers)
    check_problem(answer, 401)
    assert answer.headers["WWW-Authenticate"].startswith('Bearer realm="SongSwap Insights"')
    assert "ETag" not in answer.headers
    assert KEYS["airflow"] not in answer.text


def test_a_key_in_the_url_is_no_key(client: FlaskClient) -> None:
    check_problem(client.get(INSIGHT, query_string={"api_key": KEYS["airflow"]}), 401)


@pytest.mark.parametrize(
    ("method", "path", "otherwise"),
    [
        ("GET", "/insights/nothing", 404),
        ("GET", "/insights", 404),
        ("GET", "/cache/", 404),
        ("GET", "/insights/tracks/unknown", 404),
        ("GET", "/insights/top/tracks/1?limit=0", 400),
        ("GET", "/insights/top/tracks/abc", 400),
        ("PUT", "/insights/top/tracks/1", 405),
        ("GET", "/cache/invalidate", 405),
        ("GET", "/insights//top/tracks/1", 404),
        ("POST", "/cache/invalidate", 403),
        ("POST", "/cache/invalidate?user_id=x", 403),
    ],
)
def test_a_401_comes_before_everything_else(client: FlaskClient, method: str, path: str, otherwise: int) -> None:
    check_problem(client.open(path, method=method), 401)
    assert client.open(path, method=method, headers=bearer(KEYS["airflow"]), buffered=True).status_code == otherwise


def test_the_secret_alone_does_not_invalidate(client: FlaskClient) -> None:
    secret = {"X-Invalidation-Secret": SECRET}
    check_problem(client.post("/cache/invalidate", headers=secret), 401)
    check_problem(client.post("/cache/invalidate", headers=bearer(KEYS["airflow"])), 403)
    assert client.post("/cache/invalidate", headers=secret | bearer(KEYS["airflow"])).status_code == 200


@pytest.mark.parametrize("path", ["/health", "/ready", "/docs", "/openapi.json", "/static/docs.js"])
def test_probes_and_docs_are_open(client: FlaskClient, path: str) -> None:
    for headers in ({}, bearer("wrong")):
        with client.get(path, headers=headers) as answer:
            assert answer.status_code == 200


def test_what_there_is_not_is_a_404_to_anyone(client: FlaskClient) -> None:
    check_problem(client.get("/nowhere"), 404)
    check_problem(client.post("/health"), 405)


def test_without_keys_everything_is_open(service_with: Callable[..., FlaskClient]) -> None:
    client = service_with(DOCS_PUBLIC="false")
    for headers in ({}, bearer("any")):
        for path in (INSIGHT, "/cache/size", "/docs", "/openapi.json"):
            assert client.get(path, headers=headers).status_code == 200


def test_keys_win_over_allow_anonymous(service_with: Callable[..., FlaskClient]) -> None:
    client = service_with(API_KEYS=pairs(), ALLOW_ANONYMOUS="true")
    check_problem(client.get(INSIGHT), 401)
    assert client.get(INSIGHT, headers=bearer(KEYS["airflow"])).status_code == 200


def test_docs_that_are_not_public_want_a_key(service_with: Callable[..., FlaskClient]) -> None:
    client = service_with(API_KEYS=pairs(), DOCS_PUBLIC="false")
    for path in ("/docs", "/openapi.json", "/static/docs.js", "/docs/swagger-ui/swagger-ui.css"):
        check_problem(client.get(path), 401)
        with client.get(path, headers=bearer(KEYS["airflow"])) as answer:
            assert answer.status_code == 200
    assert client.get("/health").status_code == client.get("/ready").status_code == 200


def lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in capsys.readouterr().err.splitlines()]


def test_the_callers_name_stands_in_each_line_and_no_key_in_any(
    client: FlaskClient, capsys: pytest.CaptureFixture[str]
) -> None:
    logs.configure("INFO")  # to the standard error that capsys reads
    capsys.readouterr()
    client.get(INSIGHT, headers=bearer(KEYS["airflow"]))
    client.post("/cache/invalidate", headers=bearer(KEYS["airflow"]) | {"X-Invalidation-Secret": SECRET})
    logged = lines(capsys)
    assert [line["event"] for line in logged] == ["request", "cache_invalidated", "request"]
    assert {line["caller"] for line in logged} == {"airflow"}
    client.get(INSIGHT, headers=bearer("a wrong key"))
    (line,) = lines(capsys)
    assert (line["status"], line.get("caller")) == (401, None)
    client.get("/health")
    (line,) = lines(capsys)
    assert line.get("caller") is None
    assert not any(key in json.dumps([*logged, line]) for key in [*KEYS.values(), "a wrong key"])


def test_what_is_logged_between_requests_is_nobodys(client: FlaskClient, capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("INFO")
    for _ in range(3):
        client.get(INSIGHT, headers=bearer(KEYS["airflow"]))
        capsys.readouterr()
        logs.log.warning("between_requests")
        (line,) = lines(capsys)
        assert {"caller", "request_id"} & line.keys() == set()


def test_a_hit_is_for_those_with_a_key(client: FlaskClient) -> None:
    for name in ("old-app", "new-app", "old-app"):
        assert client.get(INSIGHT, headers=bearer(KEYS[name])).status_code == 200
    etag = client.get(INSIGHT, headers=bearer(KEYS["airflow"])).headers["ETag"]
    for headers in ({}, bearer("wrong"), {"If-None-Match": etag}, {"X-API-Key": "wrong", "If-None-Match": "*"}):
        answer = client.get(INSIGHT, headers=headers)
        check_problem(answer, 401)
        assert {"ETag", "X-Cache"} & set(answer.headers.keys()) == set()
    before = client.get("/cache/stats", headers=bearer(KEYS["airflow"])).json
    client.get(INSIGHT)
    assert client.get("/cache/stats", headers=bearer(KEYS["airflow"])).json == before
    assert client.get(INSIGHT, headers=bearer(KEYS["airflow"])).headers["X-Cache"] == "HIT"


def test_metrics_want_a_key_where_there_is_no_token(client: FlaskClient) -> None:
    check_problem(client.get("/metrics"), 401)
    check_problem(client.get("/metrics", headers=bearer("wrong")), 401)
    assert client.get("/metrics", headers=bearer(KEYS["airflow"])).status_code == 200


def test_metrics_want_their_token_and_no_key_where_there_is_one(service_with: Callable[..., FlaskClient]) -> None:
    for settings in ({}, {"API_KEYS": pairs()}):
        client = service_with(METRICS_TOKEN="a token", **settings)
        for headers in ({}, bearer("wrong"), bearer(KEYS["airflow"]), bearer("")):
            check_problem(client.get("/metrics", headers=headers), 401)
            assert "METRICS_TOKEN" in client.get("/metrics", headers=headers).json["detail"]
        assert client.get("/metrics", headers=bearer("a token")).status_code == 200
    check_problem(client.get(INSIGHT, headers=bearer("a token")), 401)


def test_metrics_are_open_where_all_is(service_with: Callable[..., FlaskClient]) -> None:
    assert service_with().get("/metrics").status_code == 200
