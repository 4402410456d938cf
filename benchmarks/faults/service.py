"""Faults of the service's own processes, and of where its logs go."""

import psutil  # type: ignore[import-untyped]

from benchmarks.faults.stage import Scene
from benchmarks.faults.trials import fault
from tests.support.faulty_servers import wait_until

THREADS = 8


@fault(
    "One of the two workers killed (SIGKILL), three times",
    f"no answer for what that worker had in hand, at most {THREADS} requests each time; all else a right 200",
    statuses="200",
    lost=3 * THREADS,
)
def worker_killed(scene: Scene) -> None:
    (service,) = scene.services
    for _ in range(3):
        service.children()[0].kill()
        scene.wait(2)
    wait_until(lambda: len(service.children()) == 2, what="two workers in the end")


@fault(
    "SIGTERM to one of two services behind nginx (docker/nginx.conf)",
    "every answer a right 200; exit code 0 within 25 s",
    statuses="200",
    behind_nginx=True,
)
def stopped_behind_nginx(scene: Scene) -> None:
    scene.services[0].terminate()
    assert scene.services[0].wait(25) == 0, "exit code 0"


@fault(
    "The log cannot grow for 3 s (RLIMIT_FSIZE of the service), as on a disk that is full",
    "every answer a right 200; the lines of that time are lost",
    statuses="200",
    longest=2.0,
)
def log_disk_full(scene: Scene) -> None:
    (service,) = scene.services
    for most in (0, psutil.RLIM_INFINITY):
        for process in (service, *service.children()):
            process.rlimit(psutil.RLIMIT_FSIZE, (most, psutil.RLIM_INFINITY))
        scene.wait(3)
