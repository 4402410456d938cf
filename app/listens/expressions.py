"""SQL expressions that the measures share."""

from datetime import datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Integer,
    SQLColumnExpression,
    and_,
    cast,
    func,
    literal_column,
    select,
    true,
)
from sqlalchemy.dialects.postgresql import INTERVAL, TIMESTAMP
from sqlalchemy.sql.elements import Grouping

# Units of time, to be multiplied by numbers. No interval is sent as a value: its text would mean another one where a
# session has another IntervalStyle.
MILLISECOND: ColumnElement[Any] = literal_column("interval '1 millisecond'", INTERVAL)
SECOND: ColumnElement[Any] = literal_column("interval '1 second'", INTERVAL)
MINUTE: ColumnElement[Any] = literal_column("interval '1 minute'", INTERVAL)


def total(column: SQLColumnExpression[int]) -> ColumnElement[int]:
    """The sum of a column as a bigint: PostgreSQL sums bigints to a numeric. 0 over no rows."""
    return cast(func.coalesce(func.sum(column), 0), BigInteger)


def lasting(duration_ms: SQLColumnExpression[int]) -> ColumnElement[int]:
    """A track's duration in ms, as it counts: a negative one, which a loader may have written, counts as 0."""
    return func.greatest(duration_ms, 0, type_=Integer)


def between(instant: Any, starts: Any, ends: Any) -> ColumnElement[bool]:
    """Whether an instant lies in a half-open span."""
    return and_(instant >= starts, instant < ends)


def byte_order(column: SQLColumnExpression[str]) -> ColumnElement[str]:
    """Text compared byte by byte, whatever the database's own collation."""
    return column.collate("C")


def looked_up(key: SQLColumnExpression[Any], value: Any, *, one_by_one: bool) -> tuple[Any, ColumnElement[bool]]:
    """What to join, and on what, to find the rows of `key`'s table that have a value.

    `one_by_one` goes through the index for each value, whatever the planner thinks of it: for a user with many tracks
    it would read a whole catalogue table instead, which is slower and grows with the catalogue.
    """
    table: Any = key.expression.table  # type: ignore[attr-defined]
    if not one_by_one:
        return table, key == value
    # OFFSET 0 keeps the planner from taking the subquery apart.
    return select(table).where(key == value).offset(0).lateral(), true()


def element(array: ColumnElement[Any], index: Any) -> ColumnElement[Any]:
    """The value at an index, from 1, of an array that is sent along."""
    # In parentheses: the index would be taken for a part of the type that psycopg2's parameters are cast to.
    chosen: ColumnElement[Any] = Grouping[Any](array)[index]
    return chosen


def local_time(instant: Any, starts: ColumnElement[Any], offsets: ColumnElement[Any]) -> ColumnElement[datetime]:
    """What a clock shows at an instant, a naive timestamp: its steps are arrays, of the starts and of the offsets.

    Offsets are in seconds. The first one has no start.
    """
    offset = element(offsets, func.width_bucket(instant, starts) + 1)
    return cast(instant + offset * SECOND, TIMESTAMP)
