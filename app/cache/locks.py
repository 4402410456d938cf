"""The lock of a key, for a cache that several processes share."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from redis.exceptions import LockError
from redis.lock import Lock

# Seconds after which the lock of a process that has died is free. One that lives renews its lock.
LOCK_TIME = 5.0


class FleetLock:
    """redis-py's lock, which one thread in all processes holds, and another thread that renews it meanwhile.

    `client` gives the client once it is connected; `run` runs a call that may find the server away.
    """

    def __init__(self, name: str, client: Callable[[], Any], run: Callable[[Callable[[], bool]], bool]) -> None:
        self._name = name
        self._client = client
        self._run = run

    def acquire(self) -> bool:
        """Take the lock if it is free; whether it was. Raises CacheUnavailableError."""
        return self._run(self._acquire)

    def _acquire(self) -> bool:
        # Not thread-local: the thread that renews the lock is not the one that took it.
        self._lock = Lock(self._client(), self._name, timeout=LOCK_TIME, thread_local=False)
        return bool(self._lock.acquire(blocking=False))

    @contextmanager
    def held(self) -> Iterator[None]:
        """Hold the lock that was taken; it is given back a moment after the end, at no cost to the caller."""
        done = threading.Event()
        threading.Thread(target=self._renew, args=(done,), daemon=True, name="cache-lock").start()
        try:
            yield
        finally:
            done.set()

    def _renew(self, done: threading.Event) -> None:
        while not done.wait(LOCK_TIME / 3):
            try:
                self._lock.reacquire()
            except LockError:  # it is lost: another caller may compute the same
                return
            except Exception:  # nosec B112
                continue  # perhaps the server is back before the lock falls free
        with suppress(Exception):  # it falls free by itself
            self._lock.release()
