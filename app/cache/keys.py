"""The keys of answers.

    answer:<generation of all>:<user>-<generation of the user>,…:<route>?<checked arguments>

The arguments stand in one order and with their defaults filled in, so that requests that ask the same have one key.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, is_dataclass
from datetime import datetime
from hashlib import blake2b
from typing import Any
from urllib.parse import quote

from app.domain.audience import Audience

PREFIX = "answer:"

# A longer text (a group of hundreds of users) is told apart by its digest: keys are sent with every look-up.
MAX_LENGTH = 300

# In the place of a user's id: the answer shows what anybody's listens change. No user has this id.
EVERYONE = 0

# Arguments that are a user's id: an answer about them is dropped with that user's.
USER_IDS = ("user_id", "other_user_id")


@dataclass(frozen=True)
class Question:
    """What a request asks: equal texts ask the same.

    `users` are those whose own answer it is, with EVERYONE among them where anybody's listens may change it; `until` is
    the instant (in seconds since 1970) at which "now" makes it another question.
    """

    text: str
    users: tuple[int, ...]
    until: float | None

    @classmethod
    def of(cls, route: str, arguments: Mapping[str, Any], *, of_everyone: bool = False) -> "Question":
        """The question of a route with its checked arguments."""
        text = route + "?" + "&".join(f"{name}={_text(arguments[name])}" for name in sorted(arguments))
        users = {user_id for name, value in arguments.items() for user_id in _users_of(name, value)}
        users |= {EVERYONE} if of_everyone else set()
        ends: list[datetime] = [until for value in arguments.values() if (until := getattr(value, "until", None))]
        return cls(text, tuple(sorted(users)), min(ends).timestamp() if ends else None)

    def key(self, tokens: Sequence[bytes]) -> str:
        """The key of the answer in the given generations: that of all answers, then those of `users`."""
        token, *own = [token.decode("latin-1") for token in tokens]
        parts = ",".join([f"{user}-{token}" for user, token in zip(self.users, own, strict=True)])
        text = self.text if len(self.text) <= MAX_LENGTH else blake2b(self.text.encode()).hexdigest()
        return f"{PREFIX}{token}:{parts}:{text}"


def _text(value: Any) -> str:
    if isinstance(value, Audience):
        whose = str(value.about(None))
        return whose if value.subject is None else f"{whose},{_text(value.subject)}"
    if is_dataclass(value):
        return ",".join(map(_text, vars(value).values()))
    # Nothing that a caller writes can look like the next argument.
    return quote(value, safe=":/") if isinstance(value, str) else str(value)


def _users_of(name: str, value: Any) -> Iterable[int]:
    """The user that an argument is. A group's answers are dropped with everyone's."""
    if name in USER_IDS and isinstance(value, int):
        return (value,)
    if isinstance(value, Audience):
        return (EVERYONE if value.user_id is None else value.user_id,)
    return ()


def owner_of(key: str) -> tuple[str, dict[int, str]] | None:
    """The generations in an answer's key: that of all, and those of users. None for a key that is not of this form."""
    try:
        token, parts, _ = key.removeprefix(PREFIX).split(":", 2)
        return token, {int(user): own for user, own in (part.split("-") for part in parts.split(",") if part)}
    except ValueError:
        return None
