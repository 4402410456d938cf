"""A service with probes for routes, on each backend of the cache: no database, a clock that the test sets."""

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from flask import Flask, Response, jsonify
from flask.testing import FlaskClient

from app import create_app
from app.cache.decorators import cached
from app.routes.arguments import checked
from app.schemas.requests import audiences
from app.schemas.requests import parameters as takes
from config import load_settings
from tests.conftest import NOW, SECRET
from tests.support.faulty_servers import Valkey

NO_DATABASE = "postgresql://nobody@127.0.0.1:1/nothing"


class Clock:
    """What the service takes for the present instant."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        return self.now

    def forward(self, **span: float) -> None:
        self.now += timedelta(**span)

    def set(self, text: str) -> None:
        self.now = datetime.fromisoformat(text).replace(tzinfo=UTC)


@dataclass
class Probe:
    """A route's computation: how often it ran, what it gives, how long it takes and how it fails."""

    calls: int = 0
    answer: Any = "an answer"
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    takes: float = 0.0
    error: Exception | None = None
    running: threading.Event = field(default_factory=threading.Event)
    may_end: threading.Event | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __call__(self, **question: Any) -> Response:
        with self._lock:
            self.calls += 1
        answer, error = self.answer, self.error
        self.running.set()
        if self.may_end is not None:
            assert self.may_end.wait(30)
        time.sleep(self.takes)
        if error is not None:
            raise error
        response = jsonify(answer)
        response.status_code = self.status
        response.headers.update(self.headers)
        return response


@dataclass
class Service:
    """A service whose insights are probes.

    `/probe/list/<user_id>`, `/probe/compare/<user_id>/<other_user_id>`, `/probe/today/<user_id>` and
    `/probe/everyone` stand for the insights of their kinds.
    """

    app: Flask
    probe: Probe
    clock: Clock

    @property
    def client(self) -> FlaskClient:
        return self.app.test_client()

    def get(self, path: str = "/probe/list/1", **headers: str) -> Any:
        return self.client.get(path, headers=[(name.replace("_", "-"), value) for name, value in headers.items()])

    def state(self, path: str = "/probe/list/1") -> str:
        """The `X-Cache` of an answer, which is a 200."""
        response = self.get(path)
        assert response.status_code == 200, response.text
        return str(response.headers["X-Cache"])

    def invalidate(self, query: str = "") -> int:
        headers = {"X-Invalidation-Secret": SECRET}
        return int(self.client.post(f"/cache/invalidate{query}", headers=headers).status_code)

    def size(self) -> int:
        return int(self.client.get("/cache/size").json["size"])

    def size_status(self) -> int:
        return int(self.client.get("/cache/size").status_code)

    def stats(self) -> Any:
        return self.client.get("/cache/stats").json

    def add(self, path: str, *schemas: type[Any], **options: Any) -> None:
        """Another route, with options of `cached`."""

        @checked(type("Asked", schemas, {}))
        @cached(**options)
        def view(**question: Any) -> Response:
            return self.probe(**question)

        self.app.add_url_rule(path, path.strip("/").replace("/", "_"), view)


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """As much patience with a slow Valkey as a busy machine needs: a service rightly goes on without it."""
    monkeypatch.setattr("app.cache.backends.redis.TIMEOUT", 10.0)
    monkeypatch.setattr("app.cache.answers._no_refresh_until", 0.0)


@pytest.fixture(scope="session")
def valkey() -> Iterator[Valkey]:
    """A Valkey for tests that leave it alone."""
    server = Valkey()
    yield server
    server.remove()


@pytest.fixture
def own_valkey() -> Iterator[Callable[..., Valkey]]:
    """Starts a Valkey that a test may mistreat."""
    servers: list[Valkey] = []

    def start(*options: str, **more: Any) -> Valkey:
        servers.append(Valkey(*options, **more))
        return servers[-1]

    yield start
    for server in servers:
        server.remove()


@pytest.fixture
def make_service() -> Callable[..., Service]:
    """Makes a service with the given settings."""

    def make(**settings: str) -> Service:
        given = {"SQLALCHEMY_DATABASE_URI": NO_DATABASE, "CACHE_INVALIDATION_SECRET": SECRET} | settings
        app = create_app(load_settings(given))
        clock = Clock()
        app.config.update(TESTING=True, PROPAGATE_EXCEPTIONS=False, CLOCK=clock)
        service = Service(app, Probe(), clock)
        service.add("/probe/list/<user_id>", audiences.OfUser, takes.RankedInWindow)
        service.add("/probe/compare/<user_id>/<other_user_id>", audiences.OfUser, takes.ComparisonInWindow)
        service.add("/probe/today/<user_id>", audiences.OfUser, takes.TodayInWindow)
        service.add("/probe/everyone", audiences.OfEveryone, takes.RankedInWindow)
        return service

    return make


@pytest.fixture
def shared(make_service: Callable[..., Service], valkey: Valkey) -> Callable[..., Service]:
    """Makes services that share a Valkey, and there a prefix of this test's own."""
    prefix = f"test {uuid4().hex}:"

    def make(**settings: str) -> Service:
        given = {"CACHE_TYPE": "RedisCache", "CACHE_REDIS_URL": valkey.url, "CACHE_KEY_PREFIX": prefix}
        return make_service(**(given | settings))

    return make


@pytest.fixture(params=["SimpleCache", "RedisCache"])
def kind(request: pytest.FixtureRequest) -> str:
    """The backends that keep answers."""
    return str(request.param)


@pytest.fixture
def make_cached(
    kind: str, make_service: Callable[..., Service], shared: Callable[..., Service]
) -> Callable[..., Service]:
    """Makes a service on the backend that the test is run on."""
    return shared if kind == "RedisCache" else make_service


@pytest.fixture
def service(make_cached: Callable[..., Service]) -> Service:
    """A service on the backend that the test is run on."""
    return make_cached()
