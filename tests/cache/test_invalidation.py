"""Invalidation in one step: visible at once to all, of one user or of everything, and nobody else's keys."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from marshmallow import fields

from app.cache import backends, generations
from app.cache.keys import EVERYONE
from app.schemas.requests.windows import Parameters
from tests.cache.conftest import Service
from tests.cache.test_stale import AWAY
from tests.conftest import SECRET
from tests.support.faulty_servers import Valkey, wait_until

DAY = 24 * 3600
OF_1 = ["/probe/list/1", "/probe/list/1?limit=5", "/probe/today/1", "/probe/compare/1/2", "/probe/compare/2/1"]
OF_OTHERS = ["/probe/list/2", "/probe/list/11", "/probe/compare/2/3", "/probe/everyone", "/probe/everyone?users=1,2"]


def states(service: Service, paths: list[str]) -> set[str]:
    return {service.state(path) for path in paths}


def test_all_of_it(service: Service) -> None:
    assert states(service, OF_1 + OF_OTHERS) == {"MISS"}
    answer = service.client.post("/cache/invalidate", headers={"X-Invalidation-Secret": SECRET})
    assert (answer.status_code, answer.json) == (200, {"status": "success", "message": "Cache has been cleared"})
    assert states(service, OF_1 + OF_OTHERS) == {"MISS"}
    assert states(service, OF_1 + OF_OTHERS) == {"HIT"}


def test_one_user_s(service: Service) -> None:
    states(service, OF_1 + OF_OTHERS)
    answer = service.client.post("/cache/invalidate?user_id=1", headers={"X-Invalidation-Secret": SECRET})
    assert (answer.status_code, answer.json["message"]) == (200, "Cache of user 1 has been cleared")
    assert states(service, OF_OTHERS) == {"HIT"}
    assert states(service, OF_1) == {"MISS"}


def test_what_anybody_s_listens_change_ends_with_everyone_s_generation(service: Service) -> None:
    states(service, OF_1 + OF_OTHERS)
    with service.app.app_context():
        generations.end(backends.backend(), EVERYONE)
    assert states(service, ["/probe/everyone", "/probe/everyone?users=1,2"]) == {"MISS"}
    assert states(service, [*OF_1, "/probe/list/2", "/probe/compare/2/3"]) == {"HIT"}


class OnlyAnId(Parameters):
    """A user's id, which does not become an audience."""

    user_id = fields.Integer()


def test_an_answer_is_a_user_s_by_the_name_of_an_argument_too(service: Service) -> None:
    service.add("/probe/plain/<user_id>", OnlyAnId)
    assert [service.state("/probe/plain/1"), service.state("/probe/plain/1")] == ["MISS", "HIT"]
    service.invalidate("?user_id=1")
    assert service.state("/probe/plain/1") == "MISS"


def test_nothing_older_is_served_as_stale(service: Service) -> None:
    service.state()
    service.clock.forward(hours=1)
    service.invalidate("?user_id=1")
    service.probe.error = AWAY
    assert service.get().status_code == 503


def test_a_computation_that_began_before_is_not_served_to_who_asks_after(service: Service) -> None:
    service.probe.may_end, service.probe.answer = threading.Event(), "old"
    with ThreadPoolExecutor(2) as pool:
        before = pool.submit(service.get)
        assert service.probe.running.wait(20)
        service.invalidate()
        service.probe.answer = "new"
        after = pool.submit(service.get)
        wait_until(lambda: service.probe.calls == 2)
        service.probe.may_end.set()
        assert (before.result().json, after.result().json) == ("old", "new")
    assert (service.get().json, service.state()) == ("new", "HIT")


def test_every_process_sees_it_at_once(shared: Callable[..., Service]) -> None:
    one, other = shared(), shared()
    for _ in range(3):
        assert [one.state(), other.state(), other.state()] == ["MISS", "HIT", "HIT"]
        assert other.invalidate("?user_id=1") == 200
        assert [other.state(), one.state(), one.state()] == ["MISS", "HIT", "HIT"]
        assert one.invalidate() == 200


def test_generations_that_are_lost_are_new_ones(shared: Callable[..., Service], valkey: Valkey) -> None:
    service, prefix = shared(), ""
    service.state()
    prefix = service.app.config["CACHE_KEY_PREFIX"]
    with valkey.client as client:
        for key in ("generation:all", "generation:user:1"):
            assert service.state() == "HIT"
            token = client.get(prefix + key)
            assert len(token) == 16
            client.delete(prefix + key)
            assert service.state() == "MISS"
            assert client.get(prefix + key) not in {None, token}
            assert 90 * DAY - 60 < client.ttl(prefix + key) <= 90 * DAY


def test_callers_who_find_no_generation_begin_the_same(shared: Callable[..., Service]) -> None:
    services = [shared() for _ in range(4)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda service: service.state(), services * 2))
    assert [service.state() for service in services] == ["HIT"] * 4


def test_users_who_come_and_go_leave_room_for_answers(make_service: Callable[..., Service]) -> None:
    service = make_service(CACHE_THRESHOLD="50")
    for user in range(1, 400):
        assert [service.state(f"/probe/list/{user}") for _ in range(2)] == ["MISS", "HIT"]
    assert 50 <= service.size() <= 51


@pytest.mark.parametrize("query", ["", "?user_id=1"])
def test_while_the_shared_cache_is_away_it_is_a_503(
    make_service: Callable[..., Service], own_valkey: Callable[..., Valkey], query: str
) -> None:
    valkey = own_valkey()
    service = make_service(CACHE_TYPE="RedisCache", CACHE_REDIS_URL=valkey.url)
    assert [service.state(), service.state()] == ["MISS", "HIT"]
    valkey.kill()
    assert [service.invalidate(query), service.invalidate(query)] == [503, 503]
    valkey.start()
    assert service.invalidate(query) == 200


@pytest.mark.parametrize("given", [None, "", "wrong", SECRET.upper(), SECRET + " ", "ä"])
def test_who_lacks_the_secret_is_refused(service: Service, given: str | None) -> None:
    service.state()
    headers = {} if given is None else {"X-Invalidation-Secret": given}
    answer = service.client.post("/cache/invalidate", headers=headers)
    assert answer.status_code == 403
    assert answer.json is not None
    assert answer.json["error"] == "Invalid secret key"
    assert service.state() == "HIT"


@pytest.mark.parametrize("given", ["", "None", SECRET])
def test_without_a_secret_everyone_is_refused(make_cached: Callable[..., Service], given: str) -> None:
    service = make_cached(CACHE_INVALIDATION_SECRET="")
    answer = service.client.post("/cache/invalidate", headers={"X-Invalidation-Secret": given})
    assert answer.status_code == 403


@pytest.mark.parametrize(
    "query", ["?user_id=0", "?user_id=x", "?user_id=2147483648", "?user=1", "?user_id=1&user_id=2"]
)
def test_a_wrong_user_drops_nothing(service: Service, query: str) -> None:
    service.state()
    assert service.invalidate(query) == 400
    assert service.state() == "HIT"
