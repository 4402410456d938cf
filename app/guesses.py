"""How often one caller may be wrong about a secret: so that it cannot be found by trying."""

from contextlib import suppress

from werkzeug.exceptions import TooManyRequests

from app.cache.breaker import CacheUnavailableError
from app.counters import Counters, LocalCounters, Window

# Wrong guesses of one caller that are answered, and in how many seconds.
MOST, SECONDS = 10, 60


class TooManyGuessesError(TooManyRequests):
    """A caller who has been wrong too often, and is told no more for a while."""

    def __init__(self, window: Window) -> None:
        super().__init__(
            f"Too many wrong secrets: try again in {window.seconds_left} s", retry_after=window.seconds_left
        )
        self._window = window

    def get_headers(self, *args: object, **kwargs: object) -> list[tuple[str, str]]:
        """Those of the standard, and the `RateLimit` headers."""
        return [*super().get_headers(), *self._window.headers(MOST).items()]


class Guesses:
    """Wrong guesses, counted in the fleet where it shares a cache, and in this process whether it does or not."""

    def __init__(self, shared: Counters | None) -> None:
        self._own = LocalCounters()
        self._shared = shared

    def check(self, caller: str) -> None:
        """Raise TooManyGuessesError where the caller may not guess now: neither right nor wrong."""
        for window in self._windows(caller):
            if window.hits >= MOST:
                raise TooManyGuessesError(window)

    def note(self, caller: str) -> None:
        """Count a wrong guess. Raises TooManyGuessesError where it is one too many."""
        window = self._own.hit(_key(caller), SECONDS)
        with suppress(CacheUnavailableError):
            if self._shared is not None:
                window = self._shared.hit(_key(caller), SECONDS)
        if window.hits > MOST:
            raise TooManyGuessesError(window)

    def _windows(self, caller: str) -> list[Window]:
        windows = [self._own.window(_key(caller))]
        with suppress(CacheUnavailableError):
            if self._shared is not None:
                windows.append(self._shared.window(_key(caller)))
        return windows


def _key(caller: str) -> str:
    return f"guesses:{caller}"
