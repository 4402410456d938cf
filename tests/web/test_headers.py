"""The headers of security on every answer, CORS, and how large a body may be."""

from collections.abc import Callable
from io import BytesIO
from typing import Any

import pytest
from flask.testing import FlaskClient

from app import create_app
from app.web.headers import policy
from config import load_settings
from tests.conftest import SECRET
from tests.web.test_access import INSIGHT, KEYS, bearer, pairs
from tests.web.test_errors import check_problem

SITE = "https://app.songswap.example"


@pytest.fixture
def service_with(database_url: str) -> Callable[..., FlaskClient]:
    """A service with other settings."""
    return lambda **given: create_app(load_settings({"SQLALCHEMY_DATABASE_URI": database_url} | given)).test_client()


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", INSIGHT, 200),
        ("HEAD", INSIGHT, 200),
        ("OPTIONS", INSIGHT, 200),
        ("GET", f"{INSIGHT}?limit=0", 400),
        ("GET", "/nowhere", 404),
        ("POST", INSIGHT, 405),
        ("POST", "/cache/invalidate", 403),
        ("GET", "/health", 200),
        ("GET", "/openapi.json", 200),
        ("GET", "/docs", 200),
        ("GET", "/static/docs.js", 200),
        ("GET", "/docs/swagger-ui/swagger-ui.css", 200),
        ("GET", "/insights//total/listens/1", 404),
    ],
)
def test_nothing_is_taken_for_what_it_is_not(client: FlaskClient, method: str, path: str, status: int) -> None:
    with client.open(path, method=method) as answer:
        assert answer.status_code == status
        assert answer.headers.getlist("X-Content-Type-Options") == ["nosniff"]
        assert ("Content-Security-Policy" in answer.headers) is (answer.mimetype == "text/html")
        assert not any(name.startswith("Access-Control") for name, _ in answer.headers)


def test_a_hit_has_the_headers_too(client: FlaskClient) -> None:
    for state in ("MISS", "HIT", "HIT"):
        answer = client.get(INSIGHT)
        assert answer.headers["X-Cache"] == state
        assert answer.headers.getlist("X-Content-Type-Options") == ["nosniff"]


def test_a_page_may_use_nothing_but_this_service(client: FlaskClient) -> None:
    given = client.get("/docs").headers["Content-Security-Policy"]
    assert given == policy()
    assert given.startswith("default-src 'none';")
    assert "unsafe" not in given
    assert "http" not in given
    assert "<script>" not in client.get("/docs").text


def preflight(client: FlaskClient, path: str = INSIGHT, origin: str = SITE) -> Any:
    asked = {"Access-Control-Request-Method": "GET", "Access-Control-Request-Headers": "authorization, x-made-up"}
    return client.options(path, headers={"Origin": origin} | asked)


def test_cors_is_off_unless_origins_are_named(client: FlaskClient) -> None:
    for answer in (client.get(INSIGHT, headers={"Origin": SITE}), preflight(client)):
        assert not any(name.startswith("Access-Control") for name, _ in answer.headers)
        assert "Origin" not in answer.headers.get("Vary", "")


def test_named_origins_may_read_answers_and_errors(service_with: Callable[..., FlaskClient]) -> None:
    client = service_with(CORS_ORIGINS=f"{SITE}, http://localhost:3000")
    for origin in (SITE, "http://localhost:3000"):
        for path in (INSIGHT, INSIGHT, f"{INSIGHT}?limit=0", "/nowhere"):
            answer = client.get(path, headers={"Origin": origin})
            assert answer.headers.getlist("Access-Control-Allow-Origin") == [origin]
            assert {"X-Total-Count", "Link", "ETag"} <= set(answer.headers["Access-Control-Expose-Headers"].split(", "))
            assert "Access-Control-Allow-Credentials" not in answer.headers
            assert "Origin" in answer.headers["Vary"]
    for origin in ("https://app.songswap.example.evil.example", "https://app-songswap.example", "null", f"{SITE}:8443"):
        answer = client.get(INSIGHT, headers={"Origin": origin})
        assert "Access-Control-Allow-Origin" not in answer.headers
        assert "Origin" in answer.headers["Vary"]


def test_no_page_gets_the_copy_of_another(service_with: Callable[..., FlaskClient]) -> None:
    client = service_with(CORS_ORIGINS=SITE)
    for _ in range(3):
        plain = client.get(INSIGHT)
        assert "Access-Control-Allow-Origin" not in plain.headers
        assert "Origin" in plain.headers["Vary"]
        assert client.get(INSIGHT, headers={"Origin": SITE}).headers["Access-Control-Allow-Origin"] == SITE
        other = client.get(INSIGHT, headers={"Origin": "https://evil.example"})
        assert "Access-Control-Allow-Origin" not in other.headers


def test_a_preflight_needs_no_key_and_tells_nothing(service_with: Callable[..., FlaskClient]) -> None:
    client = service_with(CORS_ORIGINS=SITE, API_KEYS=pairs(), RATELIMIT_ENABLED="true", RATELIMIT_DEFAULT="1/minute")
    for _ in range(3):
        answer = preflight(client)
        assert (answer.status_code, answer.data) == (200, b"")
        assert answer.headers["Access-Control-Allow-Headers"].lower() == "authorization"
        assert answer.headers["Access-Control-Allow-Methods"] == "GET, HEAD, POST"
        assert answer.headers["Access-Control-Max-Age"] == "600"
        assert "Access-Control-Allow-Origin" not in preflight(client, origin="https://evil.example").headers
    check_problem(preflight(client, "/insights/nothing"), 401)
    check_problem(client.options(INSIGHT), 401)
    refused = client.get(INSIGHT, headers={"Origin": SITE})
    check_problem(refused, 401)
    assert refused.headers["Access-Control-Allow-Origin"] == SITE
    assert client.get(INSIGHT, headers={"Origin": SITE} | bearer(KEYS["airflow"])).status_code == 200


FROM_SITE, FOR_GET = {"Origin": SITE}, {"Access-Control-Request-Method": "GET"}


@pytest.mark.parametrize(
    ("origins", "asked"), [("", {}), ("", FROM_SITE | FOR_GET), (SITE, {}), (SITE, FROM_SITE), (SITE, FOR_GET)]
)
def test_options_that_is_no_preflight_wants_a_key(
    origins: str, asked: dict[str, str], service_with: Callable[..., FlaskClient]
) -> None:
    client = service_with(CORS_ORIGINS=origins, API_KEYS=pairs())
    for headers in (asked, asked | bearer("wrong")):
        refused = client.options(INSIGHT, headers=headers)
        check_problem(refused, 401)
        assert refused.headers["WWW-Authenticate"].startswith("Bearer ")
        assert "Allow" not in refused.headers
    answer = client.options(INSIGHT, headers=asked | bearer(KEYS["airflow"]))
    assert (answer.status_code, answer.data) == (200, b"")
    assert set(answer.headers["Allow"].split(", ")) == {"GET", "HEAD", "OPTIONS"}
    assert client.options("/health", headers=asked).status_code == 200


# --- Sizes ------------------------------------------------------------------------------------------------------------

MOST = 64 * 1024


@pytest.mark.parametrize(("method", "path"), [("POST", "/cache/invalidate"), ("GET", INSIGHT), ("GET", "/health")])
def test_a_body_over_64_kb_is_a_413(client: FlaskClient, method: str, path: str) -> None:
    secret = {"X-Invalidation-Secret": SECRET}
    client.get(path)  # so that the cache has it, where it keeps it
    assert client.open(path, method=method, data=b"x" * MOST, headers=secret).status_code == 200
    check_problem(client.open(path, method=method, data=b"x" * (MOST + 1), headers=secret), 413)


@pytest.fixture
def send_chunked(client: FlaskClient) -> Callable[[bytes], Any]:
    """Sends a body whose length only its end tells."""
    environ = {"wsgi.input_terminated": True, "HTTP_TRANSFER_ENCODING": "chunked"}
    secret = {"X-Invalidation-Secret": SECRET}
    return lambda body: client.post(
        "/cache/invalidate", input_stream=BytesIO(body), environ_overrides=environ, headers=secret
    )


def test_a_body_of_no_declared_length_is_a_413_too(send_chunked: Callable[[bytes], Any]) -> None:
    assert send_chunked(b"x" * MOST).status_code == 200
    check_problem(send_chunked(b"x" * (MOST + 1)), 413)


def test_who_has_no_key_is_told_nothing_of_sizes(service_with: Callable[..., FlaskClient]) -> None:
    client = service_with(API_KEYS=pairs())
    check_problem(client.post("/cache/invalidate", data=b"x" * (MOST + 1)), 401)
    check_problem(client.post("/cache/invalidate", data=b"x" * (MOST + 1), headers=bearer(KEYS["airflow"])), 413)
