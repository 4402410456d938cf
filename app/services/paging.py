"""One page of a relation, and figures of the whole of it, in one statement."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from sqlalchemy import CTE, ColumnElement, Row, Select, func, select, true
from sqlalchemy.orm import Session


class Paged(NamedTuple):
    """The rows on a page, in order, and one row of figures: `rows`, the number of all rows, and those asked for."""

    page: list[Row[Any]]
    whole: Row[Any]


def paged(
    session: Session,
    relation: CTE,
    order: Callable[[CTE], Sequence[ColumnElement[Any]]],
    limit: int,
    offset: int = 0,
    **figures: Select[Any],
) -> Paged:
    """`limit` rows of a relation after the first `offset`; the relation has the column `id`, `order` its total order.

    The figures are there for a page beyond the end, too: the page is joined to them, not they to the page.
    """
    page = select(relation).order_by(*order(relation)).limit(limit).offset(offset).cte("page")
    counted = {"rows": select(func.count()).select_from(relation), **figures}
    whole = select(*(figure.scalar_subquery().label(name) for name, figure in counted.items())).cte("whole")
    found = session.execute(
        select(whole, page).join_from(whole, page, true(), isouter=True).order_by(*order(page))
    ).all()
    return Paged([row for row in found if row.id is not None], found[0])
