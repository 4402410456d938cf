"""Running statements; those over listens are each made once, as that takes longer than PostgreSQL takes to run most."""

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, TypeVarTuple

from sqlalchemy import Result, Select
from sqlalchemy.orm import Session
from sqlalchemy.sql.selectable import TypedReturnsRows

from app.services.listens import Listens, Shape

Ts = TypeVarTuple("Ts")


def run(
    session: Session,
    make: Callable[..., Select[Any]],
    *listens: Listens,
    args: tuple[Any, ...] = (),
    by_time: bool = False,
    **values: Any,
) -> Result[Any]:
    """Run the statement that `make(*listens, *args)` makes, with values for the parameters that it has besides.

    For all listens of the same shapes it is made once, of open ones. So `make` is one and the same object each time,
    and what the statement depends on is in the listens and in `args`, which are few and hashable. Several listens have
    different names. `by_time` is a statement over listens by hour or by day.
    """
    shapes = tuple(shape for one in listens if (shape := one.shape_by_time if by_time else one.shape) is not None)
    statement = _made(make, shapes, args) if len(shapes) == len(listens) else make(*listens, *args)
    for one in listens:
        values |= one.values_by_time if by_time else one.values
    return execute(session, statement, values)


def execute(session: Session, statement: TypedReturnsRows[*Ts], values: Mapping[str, Any] | None = None) -> Result[*Ts]:
    """Run a statement on the session's connection. The session itself would look for entities in its rows first."""
    return session.connection().execute(statement, values)


@lru_cache(maxsize=1000)
def _made(make: Callable[..., Select[Any]], shapes: tuple[Shape, ...], args: tuple[Any, ...]) -> Select[Any]:
    return make(*(shape.listens() for shape in shapes), *args)
