"""What the cache does for a route, the same on each backend that keeps answers."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from werkzeug.exceptions import NotFound

from app.domain.audience import MAX_USER_ID
from app.schemas.requests import audiences
from tests.cache.conftest import Service

HOUR = 3600


def test_an_answer_is_computed_once(service: Service) -> None:
    assert [service.state() for _ in range(4)] == ["MISS", "HIT", "HIT", "HIT"]
    assert service.probe.calls == 1
    assert {service.get().json for _ in range(3)} == {"an answer"}


@pytest.mark.parametrize("answer", [0, [], None, "", {}, False])
def test_an_empty_answer_is_a_hit_like_any_other(service: Service, answer: object) -> None:
    service.probe.answer = answer
    assert [service.state() for _ in range(3)] == ["MISS", "HIT", "HIT"]
    assert service.get().json == answer


@pytest.mark.parametrize(
    "same", ["?limit=10", "?limit=", "?by=count&limit=10", "?limit=10&by=count", "?range=all_time"]
)
def test_requests_that_ask_the_same_have_one_key(service: Service, same: str) -> None:
    assert service.state() == "MISS"
    assert service.state("/probe/list/1" + same) == "HIT"


def test_a_path_is_the_same_however_its_number_is_written(service: Service) -> None:
    assert service.state("/probe/list/7") == "MISS"
    assert service.state("/probe/list/007") == "HIT"


def test_a_group_is_a_set(service: Service) -> None:
    assert service.state("/probe/everyone?users=2,1,1") == "MISS"
    assert service.state("/probe/everyone?users=1,2") == "HIT"
    assert service.state("/probe/everyone?users=1,2,3") == "MISS"
    assert service.state("/probe/everyone") == "MISS"


OTHERS = """
    /probe/list/2
    /probe/list/1?limit=11
    /probe/list/1?offset=10
    /probe/list/1?by=listen_time
    /probe/list/1?range=today
    /probe/list/1?range=today&compare=previous
    /probe/list/1?tz=Europe/Paris
    /probe/list/1?from=2026-01-01
    /probe/list/1?to=2026-01-01
    /probe/everyone?users=1
    /probe/today/1
"""


@pytest.mark.parametrize("other", OTHERS.split())
def test_requests_that_ask_something_else_have_keys_of_their_own(service: Service, other: str) -> None:
    service.state()
    assert service.state(other) == "MISS"


def test_a_group_of_hundreds_is_told_from_another(service: Service) -> None:
    many = ",".join(str(MAX_USER_ID - number) for number in range(500))
    assert service.state(f"/probe/everyone?users={many}") == "MISS"
    assert service.state(f"/probe/everyone?users={many}") == "HIT"
    assert service.state(f"/probe/everyone?users={many.rpartition(',')[0]}") == "MISS"


@pytest.mark.parametrize("status", [201, 204, 302, 404, 500, 503])
def test_only_successes_are_kept(service: Service, status: int) -> None:
    service.probe.status = status
    assert [service.get().status_code for _ in range(2)] == [status, status]
    assert service.probe.calls == 2
    service.probe.status = 200
    assert service.state() == "MISS"


def test_an_error_is_not_kept(service: Service) -> None:
    service.probe.error = NotFound("There is nothing of this id")
    assert service.get().status_code == 404
    service.probe.error = RuntimeError("a fault")
    assert service.get().status_code == 500
    service.probe.error = None
    assert [service.state(), service.state()] == ["MISS", "HIT"]
    assert service.probe.calls == 3


def test_the_list_headers_are_kept(service: Service) -> None:
    headers = {"X-Total-Count": "3", "Link": '</a>; rel="first"', "X-Window-From": "2026-01-01T00:00:00Z"}
    service.probe.headers = headers
    for _ in range(3):
        assert headers.items() <= dict(service.get().headers).items()


def test_text_keeps_its_type(service: Service) -> None:
    service.probe.headers = {"Content-Type": "text/csv; charset=iso-8859-1"}
    assert {service.get().content_type for _ in range(3)} == {"text/csv; charset=iso-8859-1"}


def test_a_route_may_have_its_own_timeout(make_cached: Callable[..., Service]) -> None:
    service = make_cached(CACHE_STALE_TIMEOUT="0")
    service.add("/probe/brief/<user_id>", audiences.OfUser, timeout=60)
    states = []
    for _ in range(3):
        states.append(service.state("/probe/brief/1"))
        service.clock.forward(seconds=30)
    assert states == ["MISS", "HIT", "MISS"]


def test_routes_may_share_nothing_but_a_view(service: Service) -> None:
    service.add("/probe/one/<user_id>", audiences.OfUser, key_prefix="a ")
    service.add("/probe/two/<user_id>", audiences.OfUser, key_prefix="a ")
    assert [service.state("/probe/one/1"), service.state("/probe/two/1")] == ["MISS", "MISS"]


def test_unless_without_a_parameter_is_asked_before_the_cache(service: Service) -> None:
    is_kept_out = True
    service.add("/probe/unless/<user_id>", audiences.OfUser, unless=lambda: is_kept_out)
    assert [service.state("/probe/unless/1") for _ in range(2)] == ["BYPASS", "BYPASS"]
    is_kept_out = False
    assert [service.state("/probe/unless/1") for _ in range(2)] == ["MISS", "HIT"]
    is_kept_out = True
    assert service.state("/probe/unless/1") == "BYPASS"
    assert service.probe.calls == 4


def test_unless_with_a_parameter_is_given_the_response(service: Service) -> None:
    service.add("/probe/unless/<user_id>", audiences.OfUser, unless=lambda response: response.get_json() == [])
    service.probe.answer = []
    assert [service.state("/probe/unless/1") for _ in range(2)] == ["BYPASS", "BYPASS"]
    service.probe.answer = [1]
    assert [service.state("/probe/unless/1") for _ in range(2)] == ["MISS", "HIT"]
    assert service.get("/probe/unless/1").headers["ETag"]


def test_entries_written_together_do_not_expire_together(service: Service) -> None:
    for user in range(60):
        service.state(f"/probe/list/{user + 1}")
    service.clock.forward(seconds=0.95 * HOUR)
    assert {service.state(f"/probe/list/{user + 1}") for user in range(60)} == {"HIT", "MISS"}


def test_no_entry_has_less_than_nine_tenths_of_its_time_or_more_than_all(service: Service) -> None:
    for user in range(40):
        service.state(f"/probe/list/{user + 1}")
    start = service.clock.now
    service.clock.now = start + timedelta(seconds=0.9 * HOUR - 1)
    assert {service.state(f"/probe/list/{user + 1}") for user in range(40)} == {"HIT"}
    service.clock.now = start + timedelta(seconds=HOUR)
    assert "HIT" not in {service.state(f"/probe/list/{user + 1}") for user in range(40)}


def test_size_and_stats(service: Service, kind: str) -> None:
    assert service.size() == 0
    for path in ("/probe/list/1", "/probe/list/1", "/probe/list/2", "/probe/everyone", "/probe/compare/1/2"):
        service.state(path)
    assert service.size() == 4
    expected = {"backend": kind, "size": 4, "hits": 1, "misses": 4, "stale": 0, "errors": 0, "hit_ratio": 0.2}
    assert service.stats() == expected
    assert service.invalidate("?user_id=2") == 200
    assert service.size() == 2
    assert service.invalidate() == 200
    assert (service.size(), service.stats()["misses"]) == (0, 4)


def test_an_answer_about_an_instant_is_counted_too(service: Service) -> None:
    service.get("/probe/list/1?from=2026-11-01T12:30:00Z")
    assert service.size() == 1


def test_counting_writes_nothing(service: Service) -> None:
    service.state()
    service.invalidate()
    before = service.size(), service.size()
    assert before == (0, 0)
    assert service.state() == "MISS"
    assert service.size() == 1


def test_without_a_cache_every_answer_is_computed(make_service: Callable[..., Service]) -> None:
    service = make_service(CACHE_TYPE="NullCache")
    assert [service.state() for _ in range(3)] == ["BYPASS"] * 3
    assert service.probe.calls == 3
    assert service.get().headers["ETag"]
    assert service.invalidate() == service.invalidate("?user_id=1") == 200
    assert service.size() == 0
    assert service.stats() == {
        "backend": "NullCache",
        "size": 0,
        "hits": 0,
        "misses": 0,
        "stale": 0,
        "errors": 0,
        "hit_ratio": 0.0,
    }
