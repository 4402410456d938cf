"""The present instant. `CLOCK` in the application's configuration stands for it, so that tests can fix it."""

from datetime import UTC, datetime


def now() -> datetime:
    """The present instant, in UTC."""
    return datetime.now(UTC)
