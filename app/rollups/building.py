"""Building the rollups from the live tables, part by part, while the platform keeps writing.

Each part (the slots, the first listens, the prefix sums of some months at a time, the rankings of one window after
another, then some heavy users at a time) is built in a transaction of its own, which first folds what the logs hold: so
the part is that snapshot's, and every later change is in the logs. A build that is broken off has lost one part at
most, and goes on from there. Questions that a missing part would answer are answered from the live tables.
"""

from collections.abc import Callable
from datetime import datetime

from sqlalchemy import Connection, text

from app.rollups.folding import LOGS, build_firsts, build_slots, fold, snapshot
from app.rollups.heavy_users import count_users, due_users
from app.rollups.installation import announce_all
from app.rollups.prefix_sums import count_prefixes, due_slots
from app.rollups.spans import Span, kept
from app.rollups.windows import build_window, drop_windows, missing_windows
from app.slots import start_of_slot

TABLES = (
    "insights.rankings, insights.sizes, insights.windows, insights.slots, insights.firsts, insights.heavy_users,"
    " insights.user_rankings, insights.prefixes, insights.prefix_sums, insights.id_blocks"
)

# Months whose prefix sums are counted in one transaction.
MONTHS_AT_ONCE = 12


def start_anew(connection: Connection) -> None:
    """Forget all rollups and changes, and trust what is built from now on, on a connection in autocommit."""
    with snapshot(connection):
        announce_all(connection)  # and with it who is still to be announced
        drop_windows(connection, ())
        for table in ("slots", "firsts", "heavy_users", "prefixes", "id_blocks"):
            connection.execute(text(f"DELETE FROM insights.{table}"))
        for log in (*LOGS, "truncations", "unannounced"):
            connection.execute(text(f"DELETE FROM insights.{log}"))
        connection.execute(
            text("UPDATE insights.state SET trusted = true, reason = NULL, slots_built = false, firsts_built = false")
        )
    connection.exec_driver_sql(f"VACUUM {TABLES}")


def build(connection: Connection, now: Callable[[], datetime], tell: Callable[[str], None]) -> None:
    """Build the parts that are missing at the instant that `now` gives, on a connection in autocommit.

    `tell` is told each part before it is built.
    """
    if not connection.scalar(text("SELECT slots_built FROM insights.state")):
        tell("slots")
        with snapshot(connection):
            fold(connection)
            build_slots(connection)
    if not connection.scalar(text("SELECT firsts_built FROM insights.state")):
        tell("first listens")
        with snapshot(connection):
            fold(connection)
            build_firsts(connection)
    count_due_prefixes(connection, now(), tell)
    while missing := missing_windows(connection, now()):
        tell(f"window {describe(missing[0])}, {len(missing)} to go")
        with snapshot(connection):
            fold(connection)
            build_window(connection, missing[0], now())
    with snapshot(connection):
        drop_windows(connection, kept(now()))
    while count_due_users(connection, now(), tell):
        pass
    connection.exec_driver_sql(f"ANALYZE {TABLES}")


def count_due_prefixes(connection: Connection, now: datetime, tell: Callable[[str], None]) -> None:
    """Count the prefix sums that are due, each once: while old listens are written, they are forgotten again."""
    due = due_slots(connection, now)
    for first in range(0, len(due), MONTHS_AT_ONCE):
        slots = due[first : first + MONTHS_AT_ONCE]
        tell(f"listens before {len(slots)} months, from {start_of_slot(slots[0]):%Y-%m} on")
        with snapshot(connection):
            fold(connection)
            count_prefixes(connection, slots, now)


def count_due_users(connection: Connection, now: datetime, tell: Callable[[str], None]) -> bool:
    """Count the users who are due, or as many of them as one transaction takes; whether there were any."""
    due = due_users(connection, now)
    if not due:
        return False
    tell(f"{len(due)} heavy users")
    with snapshot(connection):
        fold(connection)
        count_users(connection, due, now)
    return True


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
    if span.starts is None or span.ends is None:
        return "all time"
    return f"{span.starts:%Y-%m-%d} to {span.ends:%Y-%m-%d}"
