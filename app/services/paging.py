"""One page of a relation, and figures of the whole of it, in one statement."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import CTE, ColumnElement, Row, Select, select, true
from sqlalchemy.orm import Session

from app.services.relations import number_of, side_by_side
from app.services.statements import execute


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
    extend: Callable[[CTE], CTE] | None = None,
    figures: Mapping[str, Select[Any]] | None = None,
) -> Paged:
    """`limit` rows of a relation after the first `offset`; the relation has the column `id`, `order` its total order.

    `extend` gives `plays` and `listen_time_ms` by `id` for the rows on the page. The figures, of which `rows` may be
    one, are there for a page beyond the end, too: the page is joined to them, not they to the page.
    """
    page = select(relation).order_by(*order(relation)).limit(limit).offset(offset).cte("page")
    counted = {"rows": number_of(relation), **(figures or {})}
    whole = side_by_side(counted).cte("whole")
    query = select(whole, page).join_from(whole, page, true(), isouter=True).order_by(*order(page))
    if extend is not None:
        more = extend(page)
        query = query.add_columns(more.c.plays, more.c.listen_time_ms).join(more, more.c.id == page.c.id, isouter=True)
    found = execute(session, query).all()
    return Paged([row for row in found if row.id is not None], found[0])
