"""The files in which gunicorn's processes count for `/metrics`, with all the space that they may need.

prometheus_client maps sparse files into memory. A page that finds no space on the file system when it is written to
kills the process (SIGBUS). So each file gets its space before there are workers, and a worker goes on in the files of
one that has ended. Where there is no space, each process counts for itself.

To be imported before a metric is made. `gunicorn.conf.py` says for how many processes (METRICS_PROCESSES).
"""

import fcntl
import os
import shutil
import tempfile
from contextlib import suppress
from pathlib import Path

from prometheus_client import values

# Bytes of a process's files, by prometheus_client's names for them: room for each route with each method and status.
FILES = {"counter": 1 << 16, "gauge_livesum": 1 << 16, "histogram": 1 << 22}
PREFIX = "songswap-insights-metrics-"

# The number in the names of this process's files: 0 is gunicorn's own, workers are numbered from 1.
number = 0


def _place() -> str:
    try:
        return tempfile.gettempdir()
    except FileNotFoundError:  # the root file system is read-only
        return "/dev/shm"  # nosec B108


def _remove_left(place: str) -> None:
    """Remove the folders of servers that were killed: a folder in use is locked until the last process has ended."""
    for left in Path(place).glob(f"{PREFIX}*"):
        with suppress(OSError):
            lock = os.open(left, os.O_RDONLY)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(left)
            finally:
                os.close(lock)


def _reserve(processes: int) -> Path | None:
    """A new folder with the files of a number of processes; None where there is no space for them."""
    place = _place()
    _remove_left(place)
    try:
        folder = Path(tempfile.mkdtemp(prefix=PREFIX, dir=place))
    except OSError:
        return None
    try:
        fcntl.flock(os.open(folder, os.O_RDONLY), fcntl.LOCK_EX)
        for name, size in FILES.items():
            for process in range(processes):
                (folder / f"{name}_{process}.db").write_bytes(bytes(size))
    except OSError:
        remove(folder)
        return None
    return folder


def remove(folder: Path | None) -> None:
    """Remove the folder when the server has ended."""
    if folder:
        shutil.rmtree(folder, ignore_errors=True)


def end(process: int) -> None:
    """Take back what an ended worker held: connections. What it counted stays."""
    if folder:
        (folder / f"gauge_livesum_{process}.db").write_bytes(bytes(FILES["gauge_livesum"]))


folder = _reserve(int(os.environ["METRICS_PROCESSES"])) if "METRICS_PROCESSES" in os.environ else None
if folder:
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(folder)
    values.ValueClass = values.MultiProcessValue(lambda: number)  # type: ignore[no-untyped-call]
