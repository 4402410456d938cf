"""Invalidation in one step, by generations.

The keys of answers hold the generations that the answers belong to: that of all answers, and that of each user whose
answer it is. A new generation leaves the old keys behind, whatever their number, to expire unread. A generation is a
random token in the backend; one that is missing (ended, evicted, the backend emptied) is replaced by a new one, so that
old answers never come back.
"""

from collections.abc import Iterable
from secrets import token_hex

from app.cache.backends import Backend
from app.cache.keys import PREFIX, Question, owner_of

ALL = "generation:all"

# Seconds. An end, so that the generations of users who no longer ask do not pile up; answers that are kept for longer
# are lost with theirs.
LIFETIME = 90 * 24 * 3600

# The tokens that this process has seen last, by their keys: a guess, which saves a round trip where it is right.
_last_seen: dict[str, bytes] = {}
LAST_SEEN = 10_000


def key_of(user_id: int) -> str:
    """Where the generation of a user's answers is kept."""
    return f"generation:user:{user_id}"


def look_up(store: Backend, question: Question) -> tuple[str, bytes | None]:
    """The key of the question's answer in the generations of now, and what is kept there.

    Where the generations are those that this process has seen last, both come in one round trip.
    """
    keys = [ALL, *map(key_of, question.users)]
    guessed = [_last_seen.get(key, b"") for key in keys]
    key = question.key(guessed)
    *found, stored = store.get_many(*keys, key)
    if found != guessed:
        tokens = [token or _begin(store, key) for key, token in zip(keys, found, strict=True)]
        if len(_last_seen) > LAST_SEEN:
            _last_seen.clear()
        _last_seen.update(zip(keys, tokens, strict=True))
        key = question.key(tokens)
        stored = store.get_many(key)[0]
    return key, stored


def count_live(store: Backend) -> int:
    """How many answers are kept in the generations of now. Raises CacheUnavailableError."""
    owners = [owner for key in set(store.keys(PREFIX)) if (owner := owner_of(key))]
    if not owners:
        return 0
    users = list({user for _, own in owners for user in own})
    live = {
        user: token
        for some in (users[start : start + 1000] for start in range(0, len(users), 1000))
        for user, token in zip(some, _tokens(store, map(key_of, some)), strict=True)
    }
    (of_all,) = _tokens(store, [ALL])
    return sum(token == of_all and all(live[user] == own[user] for user in own) for token, own in owners)


def _tokens(store: Backend, keys: Iterable[str]) -> list[str | None]:
    return [None if token is None else token.decode("latin-1") for token in store.get_many(*keys)]


def end(store: Backend, user_id: int | None = None) -> None:
    """End the generation of a user's answers, or of all answers. Raises CacheUnavailableError."""
    store.delete(ALL if user_id is None else key_of(user_id))


def _begin(store: Backend, key: str) -> bytes:
    # Of several callers that find none, the first begins the generation for all of them.
    token = token_hex(8).encode()
    if store.add(key, token, timeout=LIFETIME):
        return token
    begun: bytes | None = store.get_many(key)[0]
    return begun or token
