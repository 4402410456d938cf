"""One page of a relation, and figures of the whole of it, in one statement."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import CTE, ColumnElement, Integer, Result, Row, Select, bindparam, select, true

from app.listens.relations import number_of, side_by_side


class Paged(NamedTuple):
    """The rows on a page, in order, and one row of figures: `rows`, the number of all rows, and those asked for."""

    page: list[Row[Any]]
    whole: Row[Any]


def beside(figures: Mapping[str, Select[Any]], page: CTE, order: Sequence[ColumnElement[Any]]) -> Select[Any]:
    """Figures, queries of one row and one column, with each row of a page, which has the column `id`, in order.

    They are there for a page beyond the end, too: the page is joined to them, not they to the page. `read` reads it.
    """
    whole = side_by_side(figures).cte("whole")
    return select(whole, page).join_from(whole, page, true(), isouter=True).order_by(*order)


def read(result: Result[Any]) -> Paged:
    """What a query of `beside` found."""
    found = result.all()
    return Paged([row for row in found if row.id is not None], found[0])


def paged(
    relation: CTE,
    order: Callable[[CTE], Sequence[ColumnElement[Any]]],
    extend: Callable[[CTE], CTE] | None = None,
    figures: Mapping[str, Select[Any]] | None = None,
) -> Select[Any]:
    """`limit` rows of a relation after the first `offset`, parameters both, and figures of the whole.

    The relation has the column `id`, and `order` gives its total order. `extend` gives `plays` and `listen_time_ms` by
    `id` for the rows on the page. `rows` may be one of the figures.
    """
    limit, offset = bindparam("limit", type_=Integer), bindparam("offset", type_=Integer)
    page = select(relation).order_by(*order(relation)).limit(limit).offset(offset).cte("page")
    query = beside({"rows": number_of(relation), **(figures or {})}, page, order(page))
    if extend is not None:
        more = extend(page)
        query = query.add_columns(more.c.plays, more.c.listen_time_ms).join(more, more.c.id == page.c.id, isouter=True)
    return query
