"""How much one caller may ask for and guess, on each backend, and while the shared one is away."""

import shutil
import ssl
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from limits.storage import storage_from_string

from app.web.limits import storage
from tests.cache.conftest import Service
from tests.conftest import SECRET
from tests.support.faulty_servers import BlackHole, Proxy, Valkey, free_port, make_certificate, wait_until
from tests.web.test_access import KEYS, bearer, pairs
from tests.web.test_errors import check_problem

MakeService = Callable[..., Service]

LIMITS = ("RateLimit-Limit", "RateLimit-Remaining", "RateLimit-Reset")


def limits_of(answer: Any) -> tuple[str | None, ...]:
    return tuple(answer.headers.get(name) for name in LIMITS)


@pytest.fixture
def limited(make_cached: MakeService) -> MakeService:
    """Makes a service with limits, on the backend that the test is run on."""
    return lambda limit="3 per minute", **settings: make_cached(
        RATELIMIT_ENABLED="true", RATELIMIT_DEFAULT=limit, **settings
    )


def test_limits_are_off_unless_they_are_set(make_cached: MakeService) -> None:
    service = make_cached(RATELIMIT_DEFAULT="1 per minute")
    for _ in range(5):
        answer = service.get()
        assert (answer.status_code, limits_of(answer)) == (200, (None, None, None))


def test_one_request_too_many_is_a_429_that_tells_when_to_come_back(limited: MakeService) -> None:
    service = limited()
    for left in ("2", "1", "0"):  # a miss, and two hits
        answer = service.get()
        assert (answer.status_code, *limits_of(answer)[:2]) == (200, "3", left)
        assert 50 <= int(answer.headers["RateLimit-Reset"]) <= 60
        assert "Retry-After" not in answer.headers
        for name in LIMITS:
            assert len(answer.headers.getlist(name)) == 1
    for path in ("/probe/list/1", "/probe/list/2", "/insights/nothing", "/cache/size", "/nowhere", "/docs"):
        answer = service.get(path)
        assert check_problem(answer, 429)["detail"] == "Too many requests: 3 per minute are allowed"
        assert limits_of(answer)[:2] == ("3", "0")
        assert 50 <= int(answer.headers["Retry-After"]) <= 60


def test_hits_are_counted_once(limited: MakeService) -> None:
    service = limited("50 per minute")
    left = [int(service.get().headers["RateLimit-Remaining"]) for _ in range(50)]
    assert left == list(reversed(range(50)))
    assert service.get().status_code == 429
    etag = limited("50 per hour").get().headers["ETag"]
    check_problem(service.get(If_None_Match=etag), 429)


def test_a_304_is_counted_too(limited: MakeService) -> None:
    service = limited()
    etag = service.get().headers["ETag"]
    answers = [service.get(If_None_Match=etag) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [304, 304, 429]
    assert [answer.headers["RateLimit-Remaining"] for answer in answers] == ["1", "0", "0"]


def test_the_next_window_begins_with_all_of_it(limited: MakeService) -> None:
    service = limited("2 per second")
    wait_until(lambda: service.get().status_code == 429)
    wait_until(lambda: service.get().status_code == 200, 3)


def test_several_limits_hold_together(limited: MakeService) -> None:
    service = limited("100 per minute; 2 per hour")
    assert [service.get().status_code for _ in range(4)] == [200, 200, 429, 429]
    assert 3580 < int(service.get().headers["Retry-After"]) <= 3600


def test_probes_are_not_counted(limited: MakeService) -> None:
    service = limited("1 per minute")
    for path, status in (("/health", 200), ("/ready", 503)) * 5:  # there is no database
        answer = service.get(path)
        assert (answer.status_code, limits_of(answer)) == (status, (None, None, None))
    assert [service.get().status_code for _ in range(2)] == [200, 429]
    assert service.get("/health").status_code == 200


def test_each_key_has_its_own_count_from_wherever_it_comes(limited: MakeService) -> None:
    service = limited(API_KEYS=pairs())
    for name in ("old-app", "airflow"):
        answers = [
            service.client.get("/probe/list/1", headers=bearer(KEYS[name]), environ_base={"REMOTE_ADDR": f"10.0.0.{n}"})
            for n in range(4)
        ]
        assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
    for _ in range(9):
        check_problem(service.get(), 401)  # not counted, for there is nobody to count it of
    assert service.get(**bearer(KEYS["new-app"])).headers["RateLimit-Remaining"] == "2"


def ask_from(service: Service, address: str, forwarded: str | None = None) -> int:
    headers = {} if forwarded is None else {"X-Forwarded-For": forwarded}
    return service.client.get("/probe/list/1", headers=headers, environ_base={"REMOTE_ADDR": address}).status_code


def test_without_keys_each_address_has_its_own_count(limited: MakeService) -> None:
    service = limited("2 per minute")
    for address in ("10.0.0.1", "10.0.0.2"):
        # What a caller says of its address itself is not believed.
        assert [ask_from(service, address, f"10.9.9.{number}") for number in range(3)] == [200, 200, 429]


def test_the_address_is_what_the_trusted_proxies_say(limited: MakeService) -> None:
    service = limited("2 per minute", TRUSTED_PROXIES="2")
    for address in ("1.1.1.1", "2.2.2.2"):
        told = [f"{made_up}, {address}, 10.0.0.8" for made_up in ("8.8.8.8", "9.9.9.9", "7.7.7.7")]
        assert [ask_from(service, "10.0.0.9", forwarded) for forwarded in told] == [200, 200, 429]


def test_a_fleet_counts_together(shared: MakeService) -> None:
    services = [shared(RATELIMIT_ENABLED="true", RATELIMIT_DEFAULT="10 per minute") for _ in range(3)]
    wait_until(lambda: all(service.get("/cache/size").status_code in {200, 429} for service in services))
    with ThreadPoolExecutor(6) as callers:
        paths = [f"/probe/list/{number % 4 + 1}" for number in range(60)]
        answers = list(callers.map(lambda asked: services[asked[0] % 3].get(asked[1]).status_code, enumerate(paths)))
    assert answers.count(200) == 10 - 3
    assert answers.count(429) == 60 - 7


def test_no_count_stays_for_good(shared: MakeService, valkey: Valkey) -> None:
    service = shared(RATELIMIT_ENABLED="true", RATELIMIT_DEFAULT="10 per minute;50 per hour")
    service.get()
    with valkey.client as client:
        counted = list(client.scan_iter(f"{service.app.config['CACHE_KEY_PREFIX']}limits*"))
        assert len(counted) == 2
        for _ in range(3):
            minute, hour = sorted(client.ttl(key) for key in counted)
            assert 40 < minute <= 60
            assert 3580 < hour <= 3600
            service.get()


def test_a_request_takes_three_commands(make_service: MakeService, own_valkey: Callable[..., Valkey]) -> None:
    valkey = own_valkey()
    service = make_service(CACHE_TYPE="RedisCache", CACHE_REDIS_URL=valkey.url, RATELIMIT_ENABLED="true")
    service.get("/docs")  # which is not cached
    with valkey.client as client:
        client.config_resetstat()
        for _ in range(5):
            service.get("/docs")
        calls = {name: counts["calls"] for name, counts in client.info("commandstats").items()}
    counted = {name: calls.get(f"cmdstat_{name}") for name in ("evalsha", "ttl", "get")}
    assert counted == dict.fromkeys(counted, 5)


# --- While Redis is away ----------------------------------------------------------------------------------------------

# Seconds that it may cost a request.
MOST = 0.5


def limited_on(make_service: MakeService, port: int, limit: str = "50 per hour") -> Service:
    url = f"redis://127.0.0.1:{port}/0"
    return make_service(CACHE_TYPE="RedisCache", CACHE_REDIS_URL=url, RATELIMIT_ENABLED="true", RATELIMIT_DEFAULT=limit)


def ask_for_docs(service: Service, most: float = MOST) -> int:
    """The status of an answer for which the cache is not asked, in at most `most` seconds."""
    started = time.monotonic()
    status = service.get("/docs").status_code
    assert time.monotonic() - started < most
    return int(status)


def assert_the_process_counts(service: Service) -> None:
    assert [ask_for_docs(service) for _ in range(51)] == [200] * 50 + [429]


def test_where_nobody_listens_the_process_counts(make_service: MakeService) -> None:
    assert_the_process_counts(limited_on(make_service, free_port()))


def test_in_a_black_hole_the_process_counts(make_service: MakeService) -> None:
    with BlackHole() as port:
        assert_the_process_counts(limited_on(make_service, port))


@pytest.mark.parametrize(
    ("happens", "ends"), [(Valkey.kill, Valkey.start), (Valkey.stop_answering, Valkey.answer_again)]
)
def test_nobody_is_refused_for_an_outage_and_the_fleet_counts_after_it(
    make_service: MakeService,
    own_valkey: Callable[..., Valkey],
    happens: Callable[[Valkey], None],
    ends: Callable[[Valkey], None],
) -> None:
    valkey = own_valkey()
    service = limited_on(make_service, valkey.port, "1000 per hour")
    assert ask_for_docs(service) == 200
    happens(valkey)
    with ThreadPoolExecutor(8) as callers:
        assert set(callers.map(lambda _: ask_for_docs(service, 8 * MOST), range(100))) == {200}
    ends(valkey)

    def counted_in_valkey() -> int:
        ask_for_docs(service)
        with valkey.client as client:
            return int(client.get(next(client.scan_iter("*limits*"), "")) or 0)

    before = counted_in_valkey()
    wait_until(lambda: counted_in_valkey() > before)


def test_a_full_server_refuses_nobody(make_service: MakeService, own_valkey: Callable[..., Valkey]) -> None:
    valkey = own_valkey()
    service = limited_on(make_service, valkey.port)
    with valkey.client as client:
        client.config_set("maxmemory-policy", "noeviction")
        client.config_set("maxmemory", 1)
        assert_the_process_counts(service)


# --- Each way to reach a Redis ----------------------------------------------------------------------------------------


def assert_it_counts(kind: str, url: str, sentinels: Sequence[tuple[str, int]] = ()) -> None:
    uri, options = storage(
        {"CACHE_TYPE": kind, "CACHE_REDIS_URL": url, "CACHE_REDIS_SENTINELS": sentinels, "CACHE_KEY_PREFIX": "ours:"}
    )
    counts: Any = storage_from_string(uri, **options)
    assert [counts.incr("a key", 60), counts.incr("a key", 60), counts.get("a key")] == [1, 2, 2]
    assert 55 < counts.get_expiry("a key") - time.time() <= 61
    assert counts.check()


@pytest.mark.parametrize("kind", ["SimpleCache", "NullCache"])
def test_it_counts_in_the_process(kind: str) -> None:
    assert_it_counts(kind, "")


def test_it_counts_in_a_database_of_a_server(own_valkey: Callable[..., Valkey]) -> None:
    valkey = own_valkey()
    assert_it_counts("RedisCache", valkey.url.removesuffix("/0") + "/7")
    with valkey.client as client:
        assert client.info("keyspace").keys() == {"db7"}


def test_it_counts_over_a_socket(own_valkey: Callable[..., Valkey], tmp_path: Path) -> None:
    path = tmp_path / "valkey.sock"
    valkey = own_valkey("--unixsocket", str(path))
    assert_it_counts("RedisCache", f"unix://{path}")
    with valkey.client as client:
        assert client.keys() == ["ours:limits:a key"]


@pytest.mark.skipif(shutil.which("openssl") is None, reason="there is no openssl to make a certificate with")
def test_it_counts_over_tls(own_valkey: Callable[..., Valkey], tmp_path: Path) -> None:
    certificate, key = make_certificate(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    with Proxy(("127.0.0.1", own_valkey().port), context) as proxy:
        assert_it_counts("RedisCache", f"rediss://127.0.0.1:{proxy.port}/0?ssl_ca_certs={certificate}")


@pytest.mark.parametrize(("password", "has_sentinel_one"), [("", False), ("a secret", True), ("a secret", False)])
def test_it_counts_where_sentinels_watch(
    own_valkey: Callable[..., Valkey], password: str, has_sentinel_one: bool
) -> None:
    master = own_valkey(*(["--requirepass", password] if password else []))
    lines = [f"sentinel monitor songs 127.0.0.1 {master.port} 1"]
    if password:
        lines.append(f'sentinel auth-pass songs "{password}"')
    if has_sentinel_one:
        lines.append(f'requirepass "{password}"')
    sentinel = own_valkey(sentinel_of="\n".join(lines) + "\n")
    credentials = f":{password.replace(' ', '%20')}@" if password else ""
    # The first Sentinel is away.
    sentinels = [("127.0.0.1", free_port()), ("127.0.0.1", sentinel.port)]
    assert_it_counts("RedisSentinelCache", f"redis://{credentials}songs/3", sentinels)


def test_it_counts_in_a_cluster(own_valkey: Callable[..., Valkey]) -> None:
    cluster = own_valkey("--cluster-enabled", "yes", "--cluster-port", str(free_port()))
    with cluster.client as client:
        client.execute_command("CLUSTER", "ADDSLOTSRANGE", "0", "16383")
        wait_until(lambda: "cluster_state:ok" in str(client.execute_command("CLUSTER", "INFO")))
    assert_it_counts("RedisClusterCache", f"redis://127.0.0.1:{cluster.port}/0")


# --- The invalidation secret ------------------------------------------------------------------------------------------


def guess(service: Service, secret: str | None = "wrong", address: str = "10.0.0.1", **headers: str) -> Any:
    given = headers if secret is None else headers | {"X-Invalidation-Secret": secret}
    return service.client.post("/cache/invalidate", headers=given, environ_base={"REMOTE_ADDR": address})


def test_a_secret_may_be_guessed_ten_times_a_minute(service: Service) -> None:
    for _ in range(30):
        assert guess(service, SECRET).status_code == 200
        assert guess(service, None).status_code == guess(service, "").status_code == 403
    for _ in range(10):
        assert check_problem(guess(service), 403)["error"] == "Invalid secret key"
    for secret in ("wrong", SECRET, "wrong"):  # nor is it told now which one is right
        answer = guess(service, secret)
        check_problem(answer, 429)
        assert limits_of(answer)[:2] == ("10", "0")
        assert 50 <= int(answer.headers["Retry-After"]) <= 60
    assert guess(service, None).status_code == 403
    assert guess(service, SECRET, "10.0.0.2").status_code == 200
    assert guess(service, "wrong", "10.0.0.2").status_code == 403


def test_each_key_guesses_for_itself(make_cached: MakeService) -> None:
    service = make_cached(API_KEYS=pairs())
    for number in range(12):
        expected = 403 if number < 10 else 429
        assert guess(service, address=f"10.0.0.{number}", **bearer(KEYS["airflow"])).status_code == expected
    assert guess(service, SECRET, **bearer(KEYS["airflow"])).status_code == 429
    assert guess(service, SECRET, **bearer(KEYS["old-app"])).status_code == 200


def test_no_secret_is_a_403_however_often(make_service: MakeService) -> None:
    service = make_service(CACHE_INVALIDATION_SECRET="")
    assert {guess(service).status_code for _ in range(30)} == {403}


def test_a_fleet_counts_guesses_together(shared: MakeService) -> None:
    services = [shared() for _ in range(4)]
    answers = [guess(services[number % 4]).status_code for number in range(40)]
    assert answers == [403] * 10 + [429] * 30


def test_guesses_side_by_side_are_few(service: Service) -> None:
    with ThreadPoolExecutor(8) as callers:
        answers = list(callers.map(lambda _: guess(service).status_code, range(60)))
    # A guess is counted once it was wrong: those that are under way together are answered together.
    assert 10 <= answers.count(403) < 10 + 8
    assert set(answers) == {403, 429}


def test_guesses_are_counted_in_the_process_while_redis_is_away(
    make_service: MakeService, own_valkey: Callable[..., Valkey]
) -> None:
    valkey = own_valkey()
    service = make_service(CACHE_TYPE="RedisCache", CACHE_REDIS_URL=valkey.url)
    assert [guess(service).status_code for _ in range(6)] == [403] * 6
    valkey.kill()
    assert [guess(service).status_code for _ in range(12)] == [403] * 10 + [429] * 2


def test_a_minute_later_there_are_ten_more(make_cached: MakeService, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.web.limits.GUESSES", "10 per 2 seconds")
    service = make_cached()
    assert [guess(service).status_code for _ in range(11)] == [403] * 10 + [429]
    wait_until(lambda: guess(service, SECRET).status_code == 200, 4)
