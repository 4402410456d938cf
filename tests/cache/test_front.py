"""The layer before Flask sends what the cache holds as Flask has sent it, and leaves everything else to Flask."""

from collections.abc import Callable
from functools import wraps
from typing import Any

import pytest
from flask import Flask, Response, request
from structlog.testing import capture_logs

from app.cache import front as module
from app.cache.front import Front
from app.schemas import parameters as takes
from tests.cache.conftest import Service


def front_of(service: Service) -> Front:
    front = service.app.wsgi_app
    assert isinstance(front, Front)
    return front


@pytest.fixture
def flask_is_asked(service: Service, monkeypatch: pytest.MonkeyPatch) -> Callable[..., bool]:
    """Whether Flask is asked for an answer: a 304 to whoever has it, and a 200 to others."""
    front, asked = front_of(service), []
    flask = front._flask

    def ask(environ: dict[str, Any], start_response: Any) -> Any:
        asked.append(environ)
        return flask(environ, start_response)

    monkeypatch.setattr(front, "_flask", ask)

    def is_asked(path: str = "/probe/list/1", method: str = "GET", **headers: str) -> bool:
        asked.clear()
        given = [(name.replace("_", "-"), value) for name, value in headers.items()]
        expected = 304 if "If_None_Match" in headers else 200
        assert service.client.open(path, method=method, headers=given).status_code == expected
        return bool(asked)

    return is_asked


def test_flask_answers_first_and_then_no_more(flask_is_asked: Callable[..., bool]) -> None:
    assert [flask_is_asked() for _ in range(3)] == [True, False, False]
    assert [flask_is_asked(Accept_Encoding="gzip") for _ in range(3)] == [True, False, False]
    assert [flask_is_asked("/probe/list/1?limit=10") for _ in range(3)] == [True, False, False]


def test_a_tag_that_it_has_sent_is_enough(service: Service, flask_is_asked: Callable[..., bool]) -> None:
    etag = service.get().headers["ETag"]
    assert not flask_is_asked(If_None_Match=etag)
    assert flask_is_asked(If_None_Match=f"W/{etag}")


@pytest.mark.parametrize("method", ["HEAD", "OPTIONS"])
def test_only_get_is_answered(service: Service, flask_is_asked: Callable[..., bool], method: str) -> None:
    service.get()
    assert flask_is_asked(method=method)
    assert flask_is_asked(method=method)


def test_what_is_invalidated_expired_or_gone_is_flask_s(service: Service, flask_is_asked: Callable[..., bool]) -> None:
    for happens in (
        lambda: service.invalidate(),
        lambda: service.invalidate("?user_id=1"),
        lambda: service.later(hours=1),
        lambda: service.later(hours=5),
    ):
        service.get()
        assert not flask_is_asked()
        happens()
        assert flask_is_asked()


def test_another_answer_to_the_same_question_is_sent_in_full(service: Service) -> None:
    service.probe.headers = {"X-Total-Count": "1"}
    etag = service.get().headers["ETag"]
    service.invalidate()
    service.probe.answer, service.probe.headers = "a longer answer", {"X-Total-Count": "2"}
    service.get("/probe/list/1?limit=10")  # the same key by another text
    for _ in range(2):
        answer = service.get(If_None_Match=etag)
        assert (answer.status_code, answer.json, answer.headers["X-Total-Count"]) == (200, "a longer answer", "2")


def test_today_is_another_day_tomorrow(service: Service, flask_is_asked: Callable[..., bool]) -> None:
    service.clock.set("2026-11-23T23:59:58")
    service.get("/probe/today/1")
    assert not flask_is_asked("/probe/today/1")
    service.clock.set("2026-11-24T00:00:00")
    assert flask_is_asked("/probe/today/1")
    assert not flask_is_asked("/probe/today/1")
    assert service.probe.calls == 2


@pytest.mark.parametrize("given", ["an-id.of_theirs", "not/well formed", "x" * 129, ""])
def test_a_request_keeps_its_id_and_its_lines(service: Service, given: str) -> None:
    service.get()
    logged = []
    for _ in range(2):
        with capture_logs() as lines:
            answer = service.get(X_Request_ID=given)
        assert (answer.headers["X-Request-ID"] == given) is (given == "an-id.of_theirs")
        assert len(answer.headers.getlist("X-Request-ID")) == 1
        logged.append([{name for name in line if name != "duration_ms"} | {line["event"]} for line in lines])
    assert logged[0] == logged[1]
    assert [line["event"] for line in lines] == ["cache_hit", "request"]
    assert lines[0]["key"].startswith("probe_list_<user_id>?audience=1&")
    assert {name: lines[1][name] for name in ("method", "route", "status")} == {
        "method": "GET",
        "route": "/probe/list/<user_id>",
        "status": 200,
    }


def test_lines_are_written_with_the_id(service: Service, capsys: pytest.CaptureFixture[str]) -> None:
    for _ in range(3):
        capsys.readouterr()
        service.get(X_Request_ID="an-id")
        lines = capsys.readouterr().err.splitlines()
        assert len(lines) == 2
        assert all('"request_id":"an-id"' in line for line in lines)


def test_a_hook_that_it_does_not_know_has_its_say(service: Service, flask_is_asked: Callable[..., bool]) -> None:
    service.app.before_request(lambda: None)
    assert [flask_is_asked() for _ in range(3)] == [True, True, True]


def test_so_has_a_decorator_around_the_route(service: Service) -> None:
    def guarded(view: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(view)
        def call(**path: str) -> Any:
            return view(**path) if request.headers.get("Authorization") else Response(status=401)

        return call

    endpoint = "probe_list_<user_id>"
    service.app.view_functions[endpoint] = guarded(service.app.view_functions[endpoint])
    for _ in range(3):
        assert service.get(Authorization="Bearer key").status_code == 200
        assert service.get().status_code == 401


@pytest.mark.parametrize(
    "register",
    [
        lambda app: app.after_request(lambda response: response),
        lambda app: app.before_request_funcs.setdefault("a blueprint", []).append(lambda: None),
        lambda app: app.url_value_preprocessor(lambda endpoint, values: None),
    ],
)
def test_so_have_hooks_of_other_kinds(
    service: Service, flask_is_asked: Callable[..., bool], register: Callable[[Flask], object]
) -> None:
    register(service.app)
    assert [flask_is_asked() for _ in range(3)] == [True, True, True]


def test_unless_is_asked_each_time(service: Service, flask_is_asked: Callable[..., bool]) -> None:
    service.add("/probe/unless/<user_id>", takes.OfUser, unless=lambda: False)
    assert [flask_is_asked("/probe/unless/1") for _ in range(3)] == [True, True, True]


def test_it_knows_every_insight_and_every_hook_of_the_service(service: Service) -> None:
    """Where this fails: teach `DONE_HERE` and `Front` what the new hook or decorator does for a hit."""
    app = service.app
    views = [app.view_functions[rule.endpoint] for rule in app.url_map.iter_rules() if "/insights/" in rule.rule]
    assert len(views) > 40
    assert all(getattr(view, "asks_by_path_and_query", None) is view for view in views)
    with app.test_request_context("/insights/total/listens/1"):
        assert front_of(service)._may_answer(request.environ)


def test_its_memory_is_bounded(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST", 10)
    known = front_of(service)._known
    for user in range(1, 40):
        service.get(f"/probe/list/{user}")
        assert len(known) <= 10
    known.clear()
    service.get("/probe/everyone?users=" + ",".join(map(str, range(1, 200))))
    service.probe.answer = [str(number) for number in range(100_000)]
    service.get("/probe/list/100", Accept_Encoding="gzip")
    assert not known
    service.get("/probe/list/100")
    (answer,) = known.values()
    assert answer.body is None  # the payload itself is the cache's
