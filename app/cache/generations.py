"""Invalidation in one step, by generations.

The keys of answers hold the generations that the answers belong to: that of all answers, and that of each user whose
answer it is. A new generation leaves the old keys behind, whatever their number, to expire unread. A generation is a
random token in the backend; one that is missing (ended, evicted, the backend emptied) is replaced by a new one, so that
old answers never come back.
"""

from collections.abc import Sequence
from secrets import token_hex

from app.cache.backends import backend

ALL = "generation:all"

# Seconds. Longer than any answer is kept; and an end, so that those of users who no longer ask do not pile up.
LIFETIME = 90 * 24 * 3600


def key_of(user_id: int) -> str:
    """Where the generation of a user's answers is kept."""
    return f"generation:user:{user_id}"


def keys_of(user_ids: Sequence[int]) -> list[str]:
    """Where the generation of all answers and those of the users' answers are kept."""
    return [ALL, *map(key_of, user_ids)]


def current(user_ids: Sequence[int]) -> list[str]:
    """The generation of all answers, then those of the users' answers."""
    keys = keys_of(user_ids)
    return begun(keys, backend().get_many(*keys))


def begun(keys: Sequence[str], found: Sequence[bytes | None]) -> list[str]:
    """The generations found under the keys, those that are missing begun anew."""
    return [(token or _begin(key)).decode("latin-1") for key, token in zip(keys, found, strict=True)]


def _begin(key: str) -> bytes:
    # Of several callers that find none, the first begins the generation for all of them.
    token = token_hex(8).encode()
    return token if backend().add(key, token, timeout=LIFETIME) else backend().get_many(key)[0] or token


def end(user_id: int | None = None) -> None:
    """End the generation of a user's answers, or of all answers. Raises CacheUnavailableError."""
    backend().delete(ALL if user_id is None else key_of(user_id))
