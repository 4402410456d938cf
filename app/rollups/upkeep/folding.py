"""Folding: the changes that the logs hold are added to the rollups and leave the logs, in one transaction.

What leaves the logs is what the transaction's snapshot shows; what other transactions commit meanwhile stays.
"""

from sqlalchemy import Connection, text

from app.models.rollups import Kind
from app.rollups.spans import EVER
from app.rollups.sql import load
from app.rollups.sql.changes import first_changes, ranking_changes, slot_changes

WINDOWS = "SELECT id, starts, ends FROM insights.windows"
ALL_TIME = f"SELECT 0 AS id, timestamp '{EVER.starts}' AS starts, timestamp '{EVER.ends}' AS ends"


def fold(connection: Connection) -> int:
    """Add what the logs hold to the rollups, in the transaction that is open; the number of changes."""
    waiting = connection.execute(text(load("waiting"))).one()
    if not waiting.listens and not waiting.catalogue:
        return 0
    catalogue: bool = waiting.catalogue
    changes = ranking_changes(WINDOWS, list(Kind), catalogue=catalogue)
    connection.execute(text(load("fold_rankings", changes=changes)))
    connection.execute(text(load("remove_gone")))
    if connection.scalar(text("SELECT slots_built FROM insights.state")):
        connection.execute(text(load("fold_slots", changes=slot_changes(ALL_TIME, catalogue=catalogue))))
        connection.execute(text("DELETE FROM insights.slots WHERE plays = 0"))
    if connection.scalar(text("SELECT firsts_built FROM insights.state")):
        # Artists first: what theirs are is told from the tracks' as they were.
        for kind in (Kind.PRIMARY_ARTIST, Kind.TRACK):
            connection.execute(text(load("fold_firsts", changes=first_changes(kind), kind=f"{kind:d}")))
    connection.execute(text(load("touch_days")))
    return connection.scalar(text(load("remove_changes"))) or 0


def build_slots(connection: Connection) -> None:
    """Count all slots, in the transaction that is open, in whose snapshot the logs are empty."""
    connection.execute(text(load("count_slots")))
    connection.execute(text("UPDATE insights.state SET slots_built = true"))


def build_firsts(connection: Connection) -> None:
    """Find all first listens, in the transaction that is open, in whose snapshot the logs are empty."""
    connection.execute(text(load("find_firsts")))
    connection.execute(text("UPDATE insights.state SET firsts_built = true"))
