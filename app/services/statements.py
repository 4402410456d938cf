"""Statements over listens, each made once: to make one takes longer than PostgreSQL takes to run most of them."""

from collections.abc import Callable
from functools import lru_cache
from typing import Any

from sqlalchemy import Result, Select
from sqlalchemy.orm import Session

from app.services.listens import Listens, Shape


def run(session: Session, listens: Listens, make: Callable[..., Select[Any]], *args: Any, **values: Any) -> Result[Any]:
    """Run the statement that `make(listens, *args)` makes, with values for the parameters that it has besides.

    For all listens of one shape it is made once, of open ones. So `make` is one and the same object each time, and what
    the statement hangs on is in the listens and in `args`, which are few and hashable.
    """
    shape = listens.shape
    statement = make(listens, *args) if shape is None else _made(shape, make, args)
    return session.execute(statement, listens.values | values)


@lru_cache(maxsize=1000)
def _made(shape: Shape, make: Callable[..., Select[Any]], args: tuple[Any, ...]) -> Select[Any]:
    return make(shape.listens(), *args)
