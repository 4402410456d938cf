"""Who listens alike: listeners by the cosine of their vectors of listens by primary artist, over all time."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import ARRAY, Integer, Select, any_, bindparam, func, select
from sqlalchemy.orm import Session

from app.domain.audience import Audience
from app.domain.ranking import Page, competition_ranks
from app.listens.by_user import by_primary_artist, by_track
from app.listens.expressions import between
from app.listens.statements import execute
from app.models.history import History, User
from app.rollups.spans import EVER
from app.services.comparison import cosine, sum_of_products
from app.services.listing import Listing

# How many are told of, unless some are asked for by name.
MOST = 100
# Digits after the point, of similarities and scores.
DIGITS = 9


@dataclass(frozen=True)
class Neighbour:
    """A listener, and how alike; those as alike have one rank, and are in the order of their ids."""

    rank: int
    user_id: int
    username: str
    similarity: float
    distinct_shared_primary_artists: int


def similar(session: Session, audience: Audience, others: Audience, page: Page) -> Listing[Neighbour]:
    """Listeners who listen alike, most alike first, then by id: the 100 most alike, or all of some users.

    The similarity is that of two users compared over all time, rounded to 9 decimals; only those above 0 are there.
    """
    found = neighbours(session, audience, others)
    if others.user_ids is None:
        found = found[:MOST]
    return Listing(found[page.offset : page.offset + page.limit], len(found))


def neighbours(session: Session, audience: Audience, others: Audience) -> list[Neighbour]:
    """All listeners, or those among some users, with a similarity above 0, most alike first, then by id."""
    everyone = others.user_ids is None
    users = None if everyone else [*(others.user_ids or ()), audience.user_id]
    rows = execute(session, EVERYONES if everyone else SOME, {"user_id": audience.user_id, "users": users}).all()
    alike = [(round(cosine(row.product, row.square, row.own_square), DIGITS), row) for row in rows]
    alike = sorted(((value, row) for value, row in alike if value > 0), key=lambda one: (-one[0], one[1].user_id))
    ranks = competition_ranks([value for value, _ in alike])
    return [
        Neighbour(rank, row.user_id, row.username, value, row.shared)
        for rank, (value, row) in zip(ranks, alike, strict=True)
    ]


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
