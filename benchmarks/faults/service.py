"""Faults of the service's own processes, and of where its logs go."""

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from benchmarks.faults.load import Load
from benchmarks.faults.stage import PLAIN, Stage, redis
from benchmarks.faults.trials import Outcome, fault, under_load

THREADS = 8


@fault(
    "One of the two workers killed (SIGKILL), three times",
    f"no answer for what that worker had in hand, at most {THREADS} requests each time; all else a right 200",
)
def worker_killed(stage: Stage) -> Outcome:
    with stage.valkey() as valkey, stage.service(PLAIN, redis(valkey)) as service:
        with under_load(stage, service, allowed="200 lost") as watched:
            for _ in range(3):
                os.kill(service.workers()[0], signal.SIGKILL)
                stage.wait(2)
            watched.end()
        lost = watched.outcome.statuses["lost"]
        watched.outcome.expect(lost <= 3 * THREADS, f"at most {3 * THREADS} requests lost, not {lost}")
        watched.outcome.expect(len(service.workers()) == 2, "two workers in the end")
    return watched.outcome


@fault("SIGTERM under load, over connections that are kept", "an answer for every request in flight; exit code 0")
def stopped_under_load(stage: Stage) -> Outcome:
    outcome = Outcome()
    with stage.valkey() as valkey, stage.service(PLAIN, redis(valkey)) as service:
        with Load(service.url, stage.right, 16, new=0.5) as load:
            stage.wait(3)
            stopped = time.monotonic()
            service.process.send_signal(signal.SIGTERM)
            code = service.process.wait(40)
            seconds = time.monotonic() - stopped
        # A balancer sends no request after it.
        outcome.samples = [sample for sample in load.samples if sample.began <= stopped]
    outcome.remarks.append(f"stopped after {seconds:.1f} s")
    outcome.expect(code == 0, f"exit code 0, not {code}")
    outcome.expect(seconds < 25, f"stopped within graceful_timeout, not after {seconds:.1f} s")
    in_flight = sum(sample.began + sample.seconds >= stopped for sample in outcome.samples)
    outcome.remarks.append(f"{in_flight} requests in flight at the signal")
    outcome.expect(in_flight > 0, "there were requests in flight")
    outcome.expect(all(sample.is_good for sample in outcome.samples), f"all right 200s, not {outcome.statuses}")
    return outcome


def _with_full_log(stage: Stage, log: Path, *, is_file: bool) -> Outcome:
    with (
        log.open("ab") as stderr,
        stage.valkey() as valkey,
        stage.service(PLAIN, redis(valkey), stderr=stderr) as service,
        under_load(stage, service, allowed="200", longest=2) as watched,
    ):
        if is_file:
            with suppress(OSError), (log.parent / "filler").open("wb", buffering=0) as filler:
                while True:
                    filler.write(b"x" * 65536)
        stage.wait(3)
        watched.outcome.expect(service.get("/health")[0] == 200, "/health is well")
        if is_file:
            (log.parent / "filler").unlink()
        watched.end()
    return watched.outcome


@fault("Standard error is /dev/full from the start", "every answer a right 200; the lines are lost")
def log_to_dev_full(stage: Stage) -> Outcome:
    return _with_full_log(stage, Path("/dev/full"), is_file=False)


@contextmanager
def small_file_system(stage: Stage) -> Iterator[Path | None]:
    """A file system of a megabyte; None where this account may not mount one."""
    folder = stage.folder / "small"
    folder.mkdir(exist_ok=True)
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        yield None
        return
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=False)


@fault(
    "The file system of the log is full for 3 s (a tmpfs of 1 MB)",
    "every answer a right 200; the lines of that time are lost, and a later one tells how many",
)
def log_disk_full(stage: Stage) -> Outcome:
    with small_file_system(stage) as folder:
        if folder is None:
            outcome = Outcome()
            outcome.remarks.append("not tried: a file system can only be mounted by root")
            return outcome
        log = folder / "log"
        outcome = _with_full_log(stage, log, is_file=True)
        outcome.expect("log_lines_lost" in log.read_text(errors="replace"), "a line tells how many were lost")
        return outcome
