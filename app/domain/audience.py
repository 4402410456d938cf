"""Whose listens an insight is about."""

from collections.abc import Iterable
from dataclasses import dataclass

MAX_USER_ID = 2**31 - 1
MAX_GROUP_SIZE = 500


@dataclass(frozen=True)
class Audience:
    """One user, a group of users, or everyone.

    `user_ids` is ascending and without repetition; None means everyone. A user is a group of one: every measure
    answers for all three alike.
    """

    user_ids: tuple[int, ...] | None = None

    @classmethod
    def user(cls, user_id: int) -> "Audience":
        return cls((user_id,))

    @classmethod
    def group(cls, user_ids: Iterable[int]) -> "Audience":
        return cls(tuple(sorted(set(user_ids))))

    @property
    def user_id(self) -> int | None:
        """The one user's id; None for a group or everyone."""
        return self.user_ids[0] if self.user_ids is not None and len(self.user_ids) == 1 else None

    def __str__(self) -> str:
        return "everyone" if self.user_ids is None else ",".join(map(str, self.user_ids))


EVERYONE = Audience()
