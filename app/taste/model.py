"""The model as a session sees it: whether there is one, how old it is, and the neighbours that it has."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Integer, Select, bindparam, exists, func, select, text
from sqlalchemy.orm import Session

from app.listens.statements import execute
from app.models.history import History, User
from app.models.taste import TABLES, models, neighbours
from app.rollups.sql import load

# How many neighbours a model keeps of each listener, and a list tells of.
MOST = 100
# Digits after the point, of similarities and scores.
DIGITS = 9
# A model that is older is not asked any more.
MAX_AGE = timedelta(hours=48)

READABLE = text(load("readable", tables=", ".join(f"'{table}'" for table in TABLES)))


@dataclass(frozen=True)
class Near:
    """A listener, how alike, and how many primary artists both listened to."""

    user_id: int
    username: str
    similarity: float
    shared: int


@dataclass(frozen=True)
class Model:
    """When a model was computed, and what it says of one user: the nearest first, then by id."""

    computed_at: datetime
    nearest: list[Near]


@dataclass(frozen=True)
class Status:
    """When a model was computed, how old it is, and how many listeners it has."""

    computed_at: datetime
    age: timedelta
    listeners: int


def read(session: Session, user_id: int) -> Model | None:
    """The model's neighbours of a user, without users who are deleted; None without a model of the last 48 hours."""
    if not is_readable(session):
        return None
    computed_at = session.scalar(select(models.c.computed_at).where(models.c.computed_at > _utc_now() - MAX_AGE))
    if computed_at is None:
        return None
    rows = execute(session, NEAREST, {"user_id": user_id})
    return Model(computed_at.replace(tzinfo=UTC), [Near(**row) for row in rows.mappings()])


def is_readable(session: Session) -> bool:
    """Whether the model's tables are there and granted."""
    return bool(session.scalar(READABLE))


def status(session: Session) -> Status | None:
    """What there is of a model, however old it is; None without one."""
    if not is_readable(session):
        return None
    age = (_utc_now() - models.c.computed_at).label("age")
    row = session.execute(select(models.c.computed_at, age, models.c.listeners)).one_or_none()
    return None if row is None else Status(row.computed_at.replace(tzinfo=UTC), row.age, row.listeners)


def has_more_listeners_than(session: Session, number: int) -> bool:
    """Whether more users than this have a listen; looks at no more than it has to."""
    listeners = select(User.id).where(exists().where(History.user_id == User.id)).limit(number + 1).subquery()
    return (session.scalar(select(func.count()).select_from(listeners)) or 0) > number


def _utc_now() -> Any:
    """The database's clock, which says when a model was computed."""
    return func.timezone("UTC", func.now())


def _nearest() -> Select[Any]:
    arrays = neighbours.c.ids.label("id"), neighbours.c.similarities.label("similarity"), neighbours.c.shared
    # A deleted user has no neighbours, and is nobody's: from the commit on, whatever the model says.
    near = (
        select(*(func.unnest(values).label(values.name) for values in arrays))
        .join_from(neighbours, User, User.id == neighbours.c.user_id)
        .where(neighbours.c.user_id == bindparam("user_id", type_=Integer))
        .subquery()
    )
    return (
        select(User.id.label("user_id"), User.username, near.c.similarity, near.c.shared)
        .join_from(near, User, User.id == near.c.id)
        .order_by(near.c.similarity.desc(), User.id)
    )


NEAREST = _nearest()
