"""Faults of the service's own processes, of its clients, and of where its logs go."""

import os
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from itertools import cycle
from pathlib import Path

from benchmarks.faults.load import PATIENCE, Load, statuses
from benchmarks.faults.stage import PLAIN, Service, Stage, redis
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


def _stopped(stage: Stage, *, kept: bool) -> Outcome:
    outcome = Outcome()
    with stage.valkey() as valkey, stage.service(PLAIN, redis(valkey)) as service:
        with Load(service.url, stage.right, 16, kept, new=0.5) as load:
            stage.wait(3)
            stopped = time.monotonic()
            service.process.send_signal(signal.SIGTERM)
            code = service.process.wait(40)
            outcome.recovery = None
            seconds = time.monotonic() - stopped
        outcome.samples = [sample for sample in load.samples if not sample.refused]
    outcome.remarks.append(f"stopped after {seconds:.1f} s")
    outcome.expect(code == 0, f"exit code 0, not {code}")
    outcome.expect(seconds < 25, f"stopped within graceful_timeout, not after {seconds:.1f} s")
    answered = sum(s.began <= stopped <= s.began + s.seconds for s in outcome.samples)
    outcome.remarks.append(f"{answered} requests in flight at the signal")
    outcome.expect(answered > 0, "there were requests in flight")
    outcome.expect(set(statuses(outcome.samples)) == {"200"}, f"all answered with 200, not {statuses(outcome.samples)}")
    for sample in [sample for sample in outcome.samples if not sample.is_good][:3]:
        outcome.expect(False, f"no request lost, not {sample.note} {sample.began - stopped:+.3f} s from the signal")
    return outcome


@fault("SIGTERM under load, over connections that are kept", "an answer for every request that was begun; exit code 0")
def stopped_under_load(stage: Stage) -> Outcome:
    return _stopped(stage, kept=True)


@fault("SIGTERM under load, a new connection for each request", "an answer for every request that was begun")
def stopped_under_load_of_new_connections(stage: Stage) -> Outcome:
    return _stopped(stage, kept=False)


@contextmanager
def slow_clients(service: Service, number: int) -> Iterator[list[socket.socket]]:
    """Clients that send the head of a request a few bytes at a time, and connect again where they are sent away."""
    over = threading.Event()
    sockets: list[socket.socket] = []

    def connect() -> socket.socket:
        slow = socket.create_connection(("127.0.0.1", service.port), timeout=PATIENCE)
        slow.sendall(b"GET /insights/total/listens/1 HTTP/1.1\r\nHost: localhost\r\n")
        return slow

    def trickle() -> None:
        while not over.wait(0.5):
            for index, slow in enumerate(sockets):
                try:
                    slow.sendall(b"X-A: b\r\n")
                except OSError:
                    slow.close()
                    with suppress(OSError):
                        sockets[index] = connect()

    sockets += [connect() for _ in range(number)]
    thread = threading.Thread(target=trickle, daemon=True)
    thread.start()
    yield sockets
    over.set()
    thread.join(PATIENCE)
    for slow in sockets:
        slow.close()


@fault(
    "400 clients that send their headers 8 bytes each half second, for 12 s, beside the load",
    "nothing to be seen but what the clients cost the machine: every answer a right 200 within 2 s",
)
def slow_headers(stage: Stage) -> Outcome:
    with (
        stage.valkey() as valkey,
        stage.service(PLAIN, redis(valkey)) as service,
        under_load(stage, service, allowed="200", longest=2) as watched,
    ):
        with slow_clients(service, 400):
            stage.wait(12)
        watched.end()
    return watched.outcome


@fault(
    "200 clients that announce a body, every other one in chunks, and send a byte of it each half second, for 6 s",
    "every answer a right 200 within 4 s",
)
def slow_bodies(stage: Stage) -> Outcome:
    with (
        stage.valkey() as valkey,
        stage.service(PLAIN, redis(valkey)) as service,
        under_load(stage, service, allowed="200", longest=4) as watched,
    ):
        with ExitStack() as stack:
            slow = [socket.create_connection(("127.0.0.1", service.port)) for _ in range(200)]
            for each, framing in zip(
                slow, cycle((b"Content-Length: 60000", b"Transfer-Encoding: chunked")), strict=False
            ):
                stack.callback(each.close)
                each.sendall(b"POST /cache/invalidate HTTP/1.1\r\nHost: localhost\r\n" + framing + b"\r\n\r\n")
            for _ in range(round(12 * stage.hurry)):
                time.sleep(0.5)
                for each in slow:
                    with suppress(OSError):
                        each.sendall(b"1")
        watched.end()
    return watched.outcome


@fault(
    "100 clients that ask for a hundred tracks and do not read the answer, for 6 s",
    "every answer a right 200 within 4 s",
)
def slow_readers(stage: Stage) -> Outcome:
    with (
        stage.valkey() as valkey,
        stage.service(PLAIN, redis(valkey)) as service,
        under_load(stage, service, allowed="200", longest=4) as watched,
    ):
        with ExitStack() as stack:
            for _ in range(100):
                slow = socket.socket()
                stack.callback(slow.close)
                slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
                slow.connect(("127.0.0.1", service.port))
                slow.sendall(b"GET /insights/top/tracks/1?limit=100 HTTP/1.1\r\nHost: localhost\r\n\r\n")
            stage.wait(6)
        watched.end()
    return watched.outcome


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
