"""The keys of answers.

    answer:<generation of all>:<user>-<generation of the user>,…:<route>?<checked arguments>

The arguments stand in one order and with their defaults filled in, so that requests that ask the same question have one
key.
"""

from collections.abc import Iterable, Mapping
from dataclasses import fields, is_dataclass
from hashlib import sha256
from typing import Any

from app.audience import Audience
from app.cache import generations

PREFIX = "answer:"

# A longer question (a group of hundreds of users) is told apart by its digest: keys are sent with every look-up.
MAX_LENGTH = 300


def question(route: str, arguments: Mapping[str, Any]) -> str:
    """`route?name=value&…`: equal for two requests exactly when they ask the same."""
    return route + "?" + "&".join(f"{name}={_text(arguments[name])}" for name in sorted(arguments))


def _text(value: Any) -> str:
    if is_dataclass(value) and not isinstance(value, Audience):
        return ",".join(_text(getattr(value, field.name)) for field in fields(value))
    return str(value)


def answer_key(text: str, arguments: Mapping[str, Any]) -> str:
    """The key of the answer to a question, in the generations of now."""
    users = sorted({user_id for value in arguments.values() for user_id in _users_of(value)})
    all_answers, *of_users = generations.current(users)
    parts = ",".join(f"{user_id}-{token}" for user_id, token in zip(users, of_users, strict=True))
    if len(text) > MAX_LENGTH:
        text = sha256(text.encode()).hexdigest()
    return f"{PREFIX}{all_answers}:{parts}:{text}"


def _users_of(value: Any) -> Iterable[int]:
    """The user whose own answer it is: groups are dropped with everyone's answers alone."""
    if isinstance(value, Audience) and value.user_ids is not None and len(value.user_ids) == 1:
        return value.user_ids
    return ()


def count_live(keys: Iterable[str]) -> int:
    """How many of the backend's keys are answers of the generations of now."""
    answers = [key.removeprefix(PREFIX).split(":", 2) for key in keys if key.startswith(PREFIX)]
    users = sorted({int(part.split("-")[0]) for _, parts, _ in answers for part in parts.split(",") if part})
    all_answers, *of_users = generations.current(users)
    live = {f"{user_id}-{token}" for user_id, token in zip(users, of_users, strict=True)} | {""}
    return sum(token == all_answers and live.issuperset(parts.split(",")) for token, parts, _ in answers)
