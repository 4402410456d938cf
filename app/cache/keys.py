"""The keys of answers.

    answer:<generation of all>:<user>-<generation of the user>,…:<route>?<checked arguments>

The arguments stand in one order and with their defaults filled in, so that requests that ask the same have one key.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from datetime import datetime
from hashlib import blake2b
from typing import Any
from urllib.parse import quote

from app.audience import Audience
from app.cache import generations

PREFIX = "answer:"

# A longer text (a group of hundreds of users) is told apart by its digest: keys are sent with every look-up.
MAX_LENGTH = 300


@dataclass(frozen=True)
class Question:
    """What a request asks: equal texts ask the same.

    `users` are those whose own answer it is; `until` is the instant at which "now" makes it another question.
    """

    text: str
    users: tuple[int, ...]
    until: datetime | None

    @classmethod
    def of(cls, route: str, arguments: Mapping[str, Any]) -> "Question":
        """The question of a route with its checked arguments."""
        text = route + "?" + "&".join(f"{name}={_text(arguments[name])}" for name in sorted(arguments))
        users = {user_id for value in arguments.values() for user_id in _users_of(value)}
        ends = [until for value in arguments.values() if (until := getattr(value, "until", None))]
        return cls(text, tuple(sorted(users)), min(ends, default=None))

    def key(self, tokens: Sequence[str]) -> str:
        """The key of the answer in the given generations: that of all answers, then those of `users`."""
        parts = ",".join(f"{user_id}-{token}" for user_id, token in zip(self.users, tokens[1:], strict=True))
        text = self.text if len(self.text) <= MAX_LENGTH else blake2b(self.text.encode()).hexdigest()
        return f"{PREFIX}{tokens[0]}:{parts}:{text}"


def _text(value: Any) -> str:
    if is_dataclass(value) and not isinstance(value, Audience):
        return ",".join(_text(getattr(value, field.name)) for field in fields(value))
    # Nothing that a caller writes can look like the next argument.
    return quote(value, safe=":/,") if isinstance(value, str) else str(value)


def _users_of(value: Any) -> Iterable[int]:
    """The user that an audience is. A group's answers are dropped with everyone's alone."""
    if isinstance(value, Audience) and value.user_ids is not None and len(value.user_ids) == 1:
        return value.user_ids
    return ()


def count_live(keys: Iterable[str]) -> int:
    """How many of a backend's keys are answers in the generations of now."""
    answers = [key.removeprefix(PREFIX).split(":", 2)[:2] for key in keys if key.startswith(PREFIX)]
    if not answers:
        return 0
    users = sorted({int(part.split("-")[0]) for _, parts in answers for part in parts.split(",") if part})
    all_answers, *of_users = generations.current(users)
    live = {f"{user_id}-{token}" for user_id, token in zip(users, of_users, strict=True)} | {""}
    return sum(token == all_answers and live.issuperset(parts.split(",")) for token, parts in answers)
