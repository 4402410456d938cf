"""Building the rollups from the live tables, part by part, while the platform keeps writing.

Each part (the first listens, the slots, the rankings of one window after another) is built in one snapshot, in which
the logs hold nothing: what they held has been folded in. So the part is that snapshot's, and every later change is in
the logs. A build that is broken off has lost the part that it was at, and goes on from there. Questions that a missing
part would answer are answered from the live tables.
"""

from collections.abc import Callable
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import Connection, text

from app.rollups.spans import EVER, Span, kept
from app.rollups.sql import load
from app.rollups.upkeep.folding import build_firsts, build_slots, fold
from app.rollups.upkeep.transactions import writing
from app.rollups.upkeep.windows import build_window, drop_windows, missing_windows

TABLES = "insights.rankings, insights.sizes, insights.windows, insights.slots, insights.firsts"


class Turn(NamedTuple):
    """What was done in one transaction: how many changes were folded in, and whether a part was built."""

    folded: int
    built: bool


def start_anew(connection: Connection) -> None:
    """Forget all rollups and changes, and trust what is built from now on, on a connection in autocommit."""
    with writing(connection):
        forget(connection)
    connection.exec_driver_sql(f"VACUUM {TABLES}")


def forget(connection: Connection) -> None:
    """Forget all rollups and changes, and trust what is built from now on, in the transaction that is open."""
    connection.execute(text(load("forget")))


def build(
    connection: Connection, now: Callable[[], datetime], tell: Callable[[str], None], *, wait: bool = True
) -> int:
    """Fold in what waits, and build the parts that are missing at the instant that `now` gives; the number of changes.

    On a connection in autocommit. `tell` is told each part before it is built. Waits for other writers, or raises
    OperationalError (LockNotAvailable).
    """
    turns = [_take_turn(connection, now(), tell, wait=wait)]
    while turns[-1].built:
        turns.append(_take_turn(connection, now(), tell, wait=wait))
    if len(turns) > 1:
        connection.exec_driver_sql(f"ANALYZE {TABLES}")
    return sum(turn.folded for turn in turns)


def _take_turn(connection: Connection, now: datetime, tell: Callable[[str], None], *, wait: bool) -> Turn:
    """Fold in what waits, and build the first part that is missing."""
    with writing(connection, wait=wait):
        folded = fold(connection)
        state = connection.execute(text("SELECT slots_built, firsts_built FROM insights.state")).one()
        if not state.firsts_built:
            tell("first listens")
            build_firsts(connection)
        elif not state.slots_built:
            tell("slots")
            build_slots(connection)
        elif missing := missing_windows(connection, now):
            tell(f"window {describe(missing[0])}, {len(missing)} to go")
            build_window(connection, missing[0], now)
        else:
            drop_windows(connection, kept(now))
            return Turn(folded, built=False)
    return Turn(folded, built=True)


# The indexes that hold the order of lists. Not that of equals, who are sorted when they are asked for: ids would more
# than double the indexes.
ORDERS = {
    "rankings_by_plays": "rankings (window_id, kind, plays DESC)",
    "rankings_by_listen_time": "rankings (window_id, kind, listen_time_ms DESC)",
    "firsts_by_played_at": "firsts (kind, played_at DESC)",
}


def build_at_once(connection: Connection, now: Callable[[], datetime], tell: Callable[[str], None]) -> None:
    """`build`, for the tables' owner: where no window is built yet, the indexes are made last.

    That takes half the time, and half the space, of indexes that are filled row by row.
    """
    if not connection.scalar(text("SELECT EXISTS (SELECT FROM insights.windows)")):
        for name in ORDERS:
            connection.exec_driver_sql(f"DROP INDEX CONCURRENTLY IF EXISTS insights.{name}")
    build(connection, now, tell)
    for name, definition in ORDERS.items():
        tell(f"index {name}")
        connection.exec_driver_sql(f"CREATE INDEX IF NOT EXISTS {name} ON insights.{definition}")


def describe(span: Span) -> str:
    """A span, for people."""
    return "all time" if span == EVER else f"{span.starts:%Y-%m-%d} to {span.ends:%Y-%m-%d}"
