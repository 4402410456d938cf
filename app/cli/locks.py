"""Locks between processes, on files. The kernel drops them with the process that holds them, however it ends."""

import fcntl
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def exclusive(path: Path) -> Iterator[None]:
    """Hold the lock on `path` for the length of the block; waits while another process holds it."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


class Users:
    """The uses of one thing: each is a locked file in `directory`, named by the process that made it.

    Every method wants a lock on the whole, such as `exclusive` gives, to be held by the caller.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._mine: list[tuple[int, Path]] = []

    def join(self) -> None:
        """Count as a user from now on, until a `leave` for each `join`, or the end of the process."""
        self.directory.mkdir(exist_ok=True)
        descriptor, name = tempfile.mkstemp(prefix=f"{os.getpid()}-", dir=self.directory)
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        self._mine.append((descriptor, Path(name)))

    def leave(self) -> None:
        """Undo a `join`, if there is one to undo."""
        if self._mine:
            descriptor, path = self._mine.pop()
            path.unlink(missing_ok=True)
            os.close(descriptor)

    def leave_for_good(self) -> None:
        """Undo every `join`."""
        while self._mine:
            self.leave()

    def pids(self) -> set[int]:
        """The process ids of all users. What killed processes left behind is cleared away."""
        files = self.directory.iterdir() if self.directory.is_dir() else ()
        return {int(path.name.partition("-")[0]) for path in files if _is_held(path)}


def _is_held(path: Path) -> bool:
    descriptor = os.open(path, os.O_RDWR)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    else:
        path.unlink()
        return False
    finally:
        os.close(descriptor)
