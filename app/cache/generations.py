"""Invalidation in one step, by generations.

The keys of answers hold the generations that the answers belong to: that of all answers, and that of each user whose
answer it is. A new generation leaves the old keys behind, whatever their number, to expire unread. A generation is a
random token in the backend; one that is missing (ended, evicted, the backend emptied) is replaced by a new one, so that
old answers never come back.
"""

from collections.abc import Sequence
from secrets import token_hex

from app.extensions import cache

ALL = "generation:all"

# Longer than any answer is kept, and an end, so that generations of users who no longer ask do not pile up.
LIFETIME = 90 * 24 * 3600


def key_of(user_id: int | None) -> str:
    """Where the generation of a user's answers is kept, or of all answers."""
    return ALL if user_id is None else f"generation:user:{user_id}"


def current(user_ids: Sequence[int]) -> list[str]:
    """The generation of all answers, then those of the given users' answers."""
    keys = [ALL, *map(key_of, user_ids)]
    found: list[bytes | None] = cache.get_many(*keys)
    return [(token or _begin(key)).decode() for key, token in zip(keys, found, strict=True)]


def _begin(key: str) -> bytes:
    # Of several callers that find none, the first begins the generation for all of them.
    token = token_hex(8).encode()
    return token if cache.add(key, token, timeout=LIFETIME) else cache.get(key) or token


def end(user_id: int | None = None) -> None:
    """End the generation of a user's answers, or of all answers."""
    cache.delete(key_of(user_id))
