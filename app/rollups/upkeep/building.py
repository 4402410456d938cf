"""Building the rollups from the live tables, part by part, while the platform keeps writing.

Each part (the first listens, the slots, the prefix sums of some months at a time, the rankings of one window after
another, then some heavy users at a time) is built in one snapshot, in which the logs hold nothing: what they held has
been folded in. So the part is that snapshot's, and every later change is in the logs. A build that is broken off has
lost the part that it was at, or two, and goes on from there. Questions that a missing part would answer are answered
from the live tables.
"""

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from datetime import datetime
from functools import partial
from typing import NamedTuple, TypeVar

from sqlalchemy import Connection, text

from app.domain.slots import start_of_slot
from app.rollups.counts.heavy_users import count_users, due_users
from app.rollups.counts.prefix_sums import count_prefixes, due_slots
from app.rollups.counts.windows import build_window, drop_windows, missing_windows
from app.rollups.installation.install import announce_all
from app.rollups.spans import EVER, Span, kept
from app.rollups.upkeep.folding import LOGS, build_firsts, build_slots, fold
from app.rollups.upkeep.transactions import beside, meanwhile, snapshot

TABLES = (
    "insights.rankings, insights.sizes, insights.windows, insights.slots, insights.firsts, insights.heavy_users,"
    " insights.user_rankings, insights.prefixes, insights.prefix_sums, insights.id_blocks"
)

# Months whose prefix sums are counted in one transaction.
MONTHS_AT_ONCE = 6

Item = TypeVar("Item")
# What builds a part, in the transaction that is open, in whose snapshot the logs are empty.
Build = Callable[[Connection], None]


class Part(NamedTuple):
    """A part of the rollups."""

    name: str
    build: Build


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


def build(
    connection: Connection, now: Callable[[], datetime], tell: Callable[[str], None], *, in_pairs: bool = False
) -> None:
    """Build the parts that are missing at the instant that `now` gives, on a connection in autocommit.

    `tell` is told each part before it is built. `in_pairs`, parts that do not depend on each other are built two at a
    time, the second one on a connection of its own.
    """
    built = connection.execute(text("SELECT slots_built, firsts_built FROM insights.state")).one()
    # First listens first: without them, a change of the catalogue forgets all sums. And not at the same time as the
    # slots: both note in one row that they are there.
    others = [] if built.firsts_built else [Part("first listens", build_firsts)]
    others += [] if built.slots_built else [Part("slots", build_slots)]
    for sums in _due_sums(connection, now()):
        _build(connection, [*others[:1], sums], tell, in_pairs=in_pairs)
        del others[:1]
    _build(connection, others, tell)
    while missing := missing_windows(connection, now()):
        # No two windows at a time: their key would take twice the space where it is filled at two ends.
        name = f"window {describe(missing[0])}, {len(missing)} to go"
        window = Part(name, partial(build_window, span=missing[0], now=now()))
        _build(connection, [window, *_due_users(connection, now())], tell, in_pairs=in_pairs)
    with snapshot(connection):
        drop_windows(connection, kept(now()))
    while count_due_users(connection, now(), tell):
        pass
    connection.exec_driver_sql(f"ANALYZE {TABLES}")


def count_due_prefixes(connection: Connection, now: datetime, tell: Callable[[str], None]) -> None:
    """Count the prefix sums that are due, each once: while old listens are written, they are forgotten again."""
    for sums in _due_sums(connection, now):
        _build(connection, [sums], tell)


def _due_sums(connection: Connection, now: datetime) -> list[Part]:
    """The prefix sums that are due, by the last ones before them: none of these parts can be built before another."""
    return [
        Part(
            f"listens before {len(slots)} months, from {start_of_slot(slots[0]):%Y-%m} on",
            partial(count_prefixes, due=slots, now=now),
        )
        for slots in _batches(due_slots(connection, now), MONTHS_AT_ONCE)
    ]


def count_due_users(connection: Connection, now: datetime, tell: Callable[[str], None]) -> bool:
    """Count the users who are due, or as many of them as one transaction takes; whether there were any."""
    due = _due_users(connection, now)
    _build(connection, due, tell)
    return bool(due)


def _due_users(connection: Connection, now: datetime) -> list[Part]:
    """The users who are due, as many as one transaction takes: one part, or none."""
    users = due_users(connection, now)
    return [Part(f"{len(users)} heavy users", partial(count_users, users=users, now=now))] if users else []


def _build(
    connection: Connection, parts: Sequence[Part], tell: Callable[[str], None], *, in_pairs: bool = False
) -> None:
    for batch in _batches(parts, 2 if in_pairs else 1):
        tell(" and ".join(part.name for part in batch))
        if len(batch) > 1:
            _build_pair(connection, *(part.build for part in batch))
        else:
            with snapshot(connection):
                fold(connection)
                batch[0].build(connection)


def _build_pair(connection: Connection, one: Build, other: Build) -> None:
    """Build two parts in one snapshot: at a time where nothing waits there to be folded in, else one after the other.

    Another transaction than the one that folds would see nothing of that. Hardly anything waits, right after a fold.
    """
    with snapshot(connection):
        fold(connection)
    with ExitStack() as committed_later, snapshot(connection):
        if fold(connection):
            one(connection)
            other(connection)
        else:
            with meanwhile(committed_later.enter_context(beside(connection)), other):
                one(connection)


def _batches(items: Sequence[Item], size: int) -> list[Sequence[Item]]:
    return [items[first : first + size] for first in range(0, len(items), size)]


# The indexes that hold the order of lists. Not that of equals, who are sorted when they are asked for: ids would more
# than double the indexes.
ORDERS = {
    "rankings_by_plays": "rankings (window_id, kind, plays DESC)",
    "rankings_by_listen_time": "rankings (window_id, kind, listen_time_ms DESC)",
    "firsts_by_played_at": "firsts (kind, played_at DESC)",
}


def build_at_once(connection: Connection, now: Callable[[], datetime], tell: Callable[[str], None]) -> None:
    """`build`, for the tables' owner, in pairs: where no window is built yet, the indexes are made last.

    That takes half the time, and half the space, of indexes that are filled row by row.
    """
    if not connection.scalar(text("SELECT EXISTS (SELECT FROM insights.windows)")):
        for name in ORDERS:
            connection.exec_driver_sql(f"DROP INDEX CONCURRENTLY IF EXISTS insights.{name}")
    build(connection, now, tell, in_pairs=True)
    for name, definition in ORDERS.items():
        tell(f"index {name}")
        connection.exec_driver_sql(f"CREATE INDEX IF NOT EXISTS {name} ON insights.{definition}")


def describe(span: Span) -> str:
    """A span, for people."""
    return "all time" if span == EVER else f"{span.starts:%Y-%m-%d} to {span.ends:%Y-%m-%d}"
