"""How a request names its audience, and the subject that it narrows the audience's listens to."""

from typing import Any

from marshmallow import ValidationError, post_load, validates, validates_schema

from app.domain.audience import EVERYONE, MAX_GROUP_SIZE, MAX_USER_ID, Audience
from app.domain.subject import Subject, SubjectKind
from app.schemas.requests.fields import AnyText, UserId, UserIds
from app.schemas.requests.windows import Parameters

USER_ID = {"description": "A user's id.", "minimum": 1, "maximum": MAX_USER_ID, "example": 1}
# How many users a blend is of.
BLENDED = 2, 20
AT_MOST_ONE = f"At most one of {', '.join(SubjectKind)}; an unknown one gives the empty result."


def _group(users: tuple[int, ...] | None) -> Audience:
    """The group of some users; everyone where none are named."""
    return EVERYONE if users is None else Audience.group(users)


class OfUser(Parameters):
    """The listens of the user in the path."""

    user_id = UserId(required=True, metadata=USER_ID)

    @post_load
    def _audience(self, data: dict[str, Any], **kwargs: Any) -> dict[str, Any]:
        data["audience"] = Audience.user(data.pop("user_id"))
        return data


class OfEveryone(Parameters):
    """Everyone's listens, or those of a group."""

    users = UserIds(
        load_default=None,
        allow_none=False,
        metadata={
            "description": f"Up to {MAX_GROUP_SIZE} user ids, comma separated: the insight over that group alone."
        },
    )

    @post_load
    def _audience(self, data: dict[str, Any], **kwargs: Any) -> dict[str, Any]:
        return data | {"audience": _group(data.pop("users"))}


class Blended(Parameters):
    """The users of a small group, in the order in which they are given."""

    users = UserIds(
        required=True,
        error_messages={"required": f"users must be {BLENDED[0]} to {BLENDED[1]} user ids, comma separated"},
        metadata={"description": f"{BLENDED[0]} to {BLENDED[1]} user ids, comma separated.", "example": "1,2"},
    )

    @validates("users")
    def _check_number(self, users: tuple[int, ...], **_kwargs: Any) -> None:
        if not BLENDED[0] <= len(users) <= BLENDED[1]:
            raise ValidationError(f"users must be {BLENDED[0]} to {BLENDED[1]} user ids, not {len(users)}")


class SimilarTo(OfUser):
    """The user in the path, and those that are compared with."""

    users = UserIds(
        load_default=None,
        allow_none=False,
        metadata={
            "description": f"Up to {MAX_GROUP_SIZE} user ids, comma separated: all of these, not the 100 nearest."
        },
    )

    @post_load
    def _others(self, data: dict[str, Any], **kwargs: Any) -> dict[str, Any]:
        return data | {"others": _group(data.pop("users"))}


class AboutSubject(Parameters):
    """What the listens are narrowed to; without any of these nothing."""

    track_id = AnyText(
        load_default=None, allow_none=False, metadata={"description": f"Only listens of this track. {AT_MOST_ONE}"}
    )
    artist_id = AnyText(
        load_default=None,
        allow_none=False,
        metadata={"description": f"Only listens of tracks that credit this artist. {AT_MOST_ONE}"},
    )
    genre = AnyText(
        load_default=None,
        allow_none=False,
        metadata={"description": f"Only listens that count for this genre. {AT_MOST_ONE}"},
    )

    @validates_schema(skip_on_field_errors=False)
    def _check_subject(self, data: dict[str, Any], **kwargs: Any) -> None:
        given = [kind.value for kind in SubjectKind if data.get(kind) is not None]
        if len(given) > 1:
            raise ValidationError(f"{' and '.join(given)} cannot stand together: give one subject", given[-1])

    def load(self, data: Any, **kwargs: Any) -> Any:
        """The parameters, in which every audience is about the subject."""
        loaded = super().load(data, **kwargs)
        subjects = {kind: loaded.pop(kind) for kind in SubjectKind}
        subject = next((Subject(kind, id_) for kind, id_ in subjects.items() if id_ is not None), None)
        return {name: value.about(subject) if isinstance(value, Audience) else value for name, value in loaded.items()}


class OfUserAboutSubject(AboutSubject, OfUser):
    """The listens of the user in the path, all or those of a subject."""


class OfEveryoneAboutSubject(AboutSubject, OfEveryone):
    """Everyone's listens, or those of a group: all or those of a subject."""
