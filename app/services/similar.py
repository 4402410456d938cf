"""Who listens alike: listeners by the cosine of their vectors of listens by primary artist, over all time."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ARRAY, Integer, Select, any_, bindparam, func, select
from sqlalchemy.orm import Session
from werkzeug.exceptions import ServiceUnavailable

from app.domain.audience import EVERYONE, Audience
from app.domain.ranking import Page, competition_ranks
from app.listens.by_user import by_primary_artist, by_track
from app.listens.expressions import between
from app.listens.statements import execute
from app.models.history import History, User
from app.rollups.spans import EVER
from app.services.comparison import cosine, sum_of_products
from app.services.listing import Listing
from app.taste import model
from app.taste.model import DIGITS, MOST, Near

# With more listeners than these, who listens alike is not computed while somebody waits.
LIVE = 2000


class NoModelError(ServiceUnavailable):
    """There are too many listeners to compare them now, and no model that has compared them."""

    def __init__(self) -> None:
        super().__init__(
            f"Of more than {LIVE:,} listeners this is computed ahead, and was not in the last 48 hours: run "
            "`flask taste build`"
        )


@dataclass(frozen=True)
class Neighbour:
    """A listener, and how alike; those as alike have one rank, and are in the order of their ids."""

    rank: int
    user_id: int
    username: str
    similarity: float
    distinct_shared_primary_artists: int


@dataclass(frozen=True)
class Nearest:
    """The most similar listeners, most alike first, then by id; `computed_at` is None where they are those of now."""

    listeners: list[Near]
    computed_at: datetime | None = None


def similar(session: Session, audience: Audience, others: Audience, page: Page) -> Listing[Neighbour]:
    """Listeners who listen alike, most alike first, then by id: the 100 most alike, or all of some users.

    The similarity is that of two users compared over all time, rounded to 9 decimals; only those above 0 are there. It
    may be that of the instant in `X-Computed-At`; among some users it is that of now.
    """
    among_all = others.user_ids is None
    found = nearest(session, audience) if among_all else Nearest(_compared(session, audience, others))
    ranks = competition_ranks([one.similarity for one in found.listeners])
    ranked = list(zip(ranks, found.listeners, strict=True))[page.offset : page.offset + page.limit]
    rows = [Neighbour(rank, one.user_id, one.username, one.similarity, one.shared) for rank, one in ranked]
    return Listing(rows, len(found.listeners), found.computed_at)


def nearest(session: Session, audience: Audience) -> Nearest:
    """The 100 most similar of all listeners: of the model, and without one of now. Raises NoModelError."""
    assert audience.user_id is not None
    if (found := model.read(session, audience.user_id)) is not None:
        return Nearest(found.nearest, found.computed_at)
    if model.has_more_listeners_than(session, LIVE):
        raise NoModelError
    return Nearest(_compared(session, audience, EVERYONE)[:MOST])


def _compared(session: Session, audience: Audience, others: Audience) -> list[Near]:
    """All listeners, or those among some users, with a similarity above 0, most alike first, then by id."""
    users = None if others.user_ids is None else [*others.user_ids, audience.user_id]
    query = EVERYONES if others.user_ids is None else SOME
    rows = execute(session, query, {"user_id": audience.user_id, "users": users})
    near = [
        Near(row.user_id, row.username, round(cosine(row.product, row.square, row.own_square), DIGITS), row.shared)
        for row in rows
    ]
    return sorted((one for one in near if one.similarity > 0), key=lambda one: (-one.similarity, one.user_id))


def _query(*, of_everyone: bool) -> Select[Any]:
    """Each listener with an artist in common with `user_id`: what the similarity is made of."""
    user_id = bindparam("user_id", type_=Integer)
    conditions = [between(History.played_at, *EVER)]
    if not of_everyone:
        conditions.append(History.user_id == any_(bindparam("users", type_=ARRAY(Integer))))
    vectors = by_primary_artist(by_track(*conditions))
    own = select(vectors).where(vectors.c.user_id == user_id).cte("own")
    squares = (
        select(vectors.c.user_id, sum_of_products(vectors.c.plays, vectors.c.plays).label("square"))
        .group_by(vectors.c.user_id)
        .cte("squares")
    )
    product = sum_of_products(vectors.c.plays, own.c.plays).label("product")
    products = (
        select(vectors.c.user_id, product, func.count().label("shared"))
        .join_from(vectors, own, own.c.id == vectors.c.id)
        .where(vectors.c.user_id != user_id)
        .group_by(vectors.c.user_id)
        .cte("products")
    )
    own_square = select(sum_of_products(own.c.plays, own.c.plays)).scalar_subquery().label("own_square")
    return (
        select(products, squares.c.square, User.username, own_square)
        .join_from(products, squares, squares.c.user_id == products.c.user_id)
        .join(User, User.id == products.c.user_id)
    )


EVERYONES, SOME = _query(of_everyone=True), _query(of_everyone=False)
