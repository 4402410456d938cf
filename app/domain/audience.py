"""Whose listens an insight is about."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from app.domain.subject import Subject

MAX_USER_ID = 2**31 - 1
MAX_GROUP_SIZE = 500


@dataclass(frozen=True)
class Audience:
    """One user, a group of users, or everyone.

    `user_ids` is ascending and without repetition; None means everyone. A user is a group of one: every measure
    answers for all three alike. With a `subject` only their listens of it count; None means all.
    """

    user_ids: tuple[int, ...] | None = None
    subject: Subject | None = None

    @classmethod
    def user(cls, user_id: int) -> "Audience":
        return cls((user_id,))

    @classmethod
    def group(cls, user_ids: Iterable[int]) -> "Audience":
        return cls(tuple(sorted(set(user_ids))))

    def about(self, subject: Subject | None) -> "Audience":
        """The same users, narrowed to a subject."""
        return replace(self, subject=subject)

    @property
    def user_id(self) -> int | None:
        """The one user's id; None for a group or everyone."""
        return self.user_ids[0] if self.user_ids is not None and len(self.user_ids) == 1 else None

    def __str__(self) -> str:
        whose = "everyone" if self.user_ids is None else ",".join(map(str, self.user_ids))
        return whose if self.subject is None else f"{whose} about {self.subject.kind} {self.subject.id}"


EVERYONE = Audience()
