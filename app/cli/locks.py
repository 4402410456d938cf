"""Locks between processes, on files. The kernel drops them with the process that holds them, however it ends."""

import fcntl
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def exclusive(path: Path) -> Iterator[None]:
    """Hold the lock on `path` for the length of the block; waits for whoever holds it."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


class Users:
    """The processes that use one thing: each holds a lock on a file of its own in `directory`, named by its process id.

    Every method wants a lock on the whole, such as `exclusive` gives, to be held by the caller.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._mine: tuple[int, Path] | None = None

    def join(self) -> None:
        """Count as a user from now on, until `leave` or the end of the process."""
        if self._mine is None:
            self.directory.mkdir(exist_ok=True)
            descriptor, name = tempfile.mkstemp(prefix=f"{os.getpid()}-", dir=self.directory)
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            self._mine = descriptor, Path(name)

    def leave(self) -> None:
        if self._mine is not None:
            descriptor, path = self._mine
            path.unlink(missing_ok=True)
            os.close(descriptor)
            self._mine = None

    def others(self) -> list[int]:
        """The process ids of all users but this one. What killed processes left behind is cleared away."""
        files = self.directory.iterdir() if self.directory.is_dir() else ()
        mine = self._mine[1] if self._mine is not None else None
        return [int(path.name.partition("-")[0]) for path in files if path != mine and _is_held(path)]


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
