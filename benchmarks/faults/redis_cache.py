"""Faults of Redis, and of PostgreSQL where the cache is another or none."""

from collections.abc import Callable, Mapping

from benchmarks.faults.servers import Proxy, Valkey, free_port
from benchmarks.faults.stage import PLAIN, ROLLED_UP, Service, Stage, redis, until
from benchmarks.faults.trials import RECOVERY, Outcome, Watched, expect_upkeep, fault, under_load

ALWAYS_200 = "every answer a right 200; hits again after it"

Befall = Callable[[Stage, Watched, Valkey, Proxy], None]


def _hits(service: Service) -> bool:
    """Whether both workers find the cache; eight answers leave hardly one of them out."""
    path = "/insights/total/listens/1"
    return {service.get(path)[2] for _ in range(8)} <= {"HIT", "MISS"} and service.get(path)[2] == "HIT"


def _try(stage: Stage, befall: Befall, database: str = PLAIN, longest: float = 2.0) -> Outcome:
    with (
        stage.valkey() as valkey,
        stage.way_to(valkey.port) as proxy,
        stage.service(database, redis(valkey, proxy.port)) as service,
    ):
        with under_load(stage, service, allowed="200", longest=longest) as watched:
            befall(stage, watched, valkey, proxy)
            back = until(lambda: _hits(service), RECOVERY * 2)
            watched.outcome.expect(back <= RECOVERY, f"hits again within 5 s, not {back:.1f} s")
        if database == ROLLED_UP:
            expect_upkeep(stage, service, watched.outcome)
    watched.outcome.recovery = back
    return watched.outcome


def _killed(stage: Stage, watched: Watched, valkey: Valkey, _proxy: Proxy) -> None:
    valkey.kill()
    stage.wait(3)
    valkey.start()
    watched.end()


@fault("Redis killed (SIGKILL), started again 3 s later with nothing in it", ALWAYS_200)
def redis_killed(stage: Stage) -> Outcome:
    return _try(stage, _killed)


@fault("Redis killed (SIGKILL), started again 3 s later with nothing in it", ALWAYS_200)
def redis_killed_with_rollups(stage: Stage) -> Outcome:
    return _try(stage, _killed, ROLLED_UP)


@fault("Redis restarted five times, connections cut each time", ALWAYS_200)
def redis_restarted(stage: Stage) -> Outcome:
    def befall(stage: Stage, watched: Watched, valkey: Valkey, _proxy: Proxy) -> None:
        for _ in range(5):
            valkey.kill()
            valkey.start()
            stage.wait(0.5)
        watched.end()

    return _try(stage, befall)


@fault("The network to Redis takes every byte and delivers none, for 5 s", ALWAYS_200)
def redis_black_holed(stage: Stage) -> Outcome:
    def befall(stage: Stage, watched: Watched, _valkey: Valkey, proxy: Proxy) -> None:
        proxy.swallow()
        stage.wait(5)
        proxy.cut()
        proxy.mend()
        watched.end()

    return _try(stage, befall)


@fault("Redis full (maxmemory reached, noeviction) for 4 s", ALWAYS_200)
def redis_full(stage: Stage) -> Outcome:
    def befall(stage: Stage, watched: Watched, valkey: Valkey, _proxy: Proxy) -> None:
        with valkey.client as client:
            client.config_set("maxmemory-policy", "noeviction")
            client.config_set("maxmemory", 1)
            stage.wait(4)
            client.config_set("maxmemory", 0)
        watched.end()

    return _try(stage, befall)


@fault("Redis turned into a read-only replica for 4 s", ALWAYS_200)
def redis_read_only(stage: Stage) -> Outcome:
    def befall(stage: Stage, watched: Watched, valkey: Valkey, _proxy: Proxy) -> None:
        with valkey.client as client:
            client.replicaof("127.0.0.1", free_port())
            stage.wait(4)
            client.replicaof("NO", "ONE")
        watched.end()

    return _try(stage, befall)


def _without_redis(stage: Stage, settings: Mapping[str, str]) -> Outcome:
    with stage.service(PLAIN, settings) as service, under_load(stage, service) as watched:
        stage.postgres.kill()
        stage.wait(3)
        stage.postgres.start()
        watched.end()
    return watched.outcome


@fault("PostgreSQL killed and started again, with a SimpleCache in one process", "503 or stale, then recovery")
def postgresql_killed_with_simple_cache(stage: Stage) -> Outcome:
    return _without_redis(stage, {"CACHE_TYPE": "SimpleCache", "CACHE_DEFAULT_TIMEOUT": "2"})


@fault("PostgreSQL killed and started again, with no cache (NullCache)", "503, then recovery")
def postgresql_killed_without_cache(stage: Stage) -> Outcome:
    return _without_redis(stage, {"CACHE_TYPE": "NullCache", "WEB_CONCURRENCY": "2"})
