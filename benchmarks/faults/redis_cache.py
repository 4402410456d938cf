"""Faults of Redis: every answer is computed, and right."""

from functools import partial

from benchmarks.faults.stage import Scene
from benchmarks.faults.trials import fault
from tests.support.faulty_servers import free_port

redis_fault = partial(fault, expected="every answer a right 200; hits again after it", statuses="200", longest=2.0)


@redis_fault("Redis killed (SIGKILL), started again 3 s later with nothing in it")
def redis_killed(scene: Scene) -> None:
    scene.valkey.kill()
    scene.wait(3)
    scene.valkey.start()


@redis_fault("The network to Redis takes every byte and delivers none, for 5 s")
def redis_black_holed(scene: Scene) -> None:
    scene.cache_network.swallow()
    scene.wait(5)
    scene.cache_network.cut()
    scene.cache_network.mend()


@redis_fault("Redis full (maxmemory reached, noeviction) for 4 s")
def redis_full(scene: Scene) -> None:
    with scene.valkey.client as client:
        client.config_set("maxmemory-policy", "noeviction")
        client.config_set("maxmemory", 1)
        scene.wait(4)
        client.config_set("maxmemory", 0)


@redis_fault("Redis turned into a read-only replica for 4 s")
def redis_read_only(scene: Scene) -> None:
    with scene.valkey.client as client:
        client.replicaof("127.0.0.1", free_port())
        scene.wait(4)
        client.replicaof("NO", "ONE")
