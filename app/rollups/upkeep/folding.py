"""Folding: the changes that the logs hold are added to the rollups and leave the logs, in one transaction.

What leaves the logs is what the transaction's snapshot shows; what other transactions commit meanwhile stays.
"""

from sqlalchemy import Connection, text

from app.models.rollups import Kind
from app.rollups.spans import EVER
from app.rollups.sql.changes import LASTING, first_changes, ranking_changes, slot_changes, slot_of
from app.rollups.sql.counting import listens_in

WINDOWS = "SELECT id, starts, ends FROM insights.windows"
ALL_TIME = f"SELECT 0 AS id, timestamp '{EVER.starts}' AS starts, timestamp '{EVER.ends}' AS ends"
CATALOGUE_LOGS = ("credit_changes", "genre_changes", "duration_changes")
LOGS = ("listen_changes", *CATALOGUE_LOGS)


def fold(connection: Connection) -> int:
    """Add what the logs hold to the rollups, in the transaction that is open; the number of changes."""
    held = {log: bool(connection.scalar(text(f"SELECT EXISTS (SELECT FROM insights.{log})"))) for log in LOGS}
    if not any(held.values()):
        return 0
    catalogue = any(held[log] for log in CATALOGUE_LOGS)
    connection.execute(text(_add_to_rankings(catalogue=catalogue)))
    connection.execute(text(REMOVE_GONE))
    if connection.scalar(text("SELECT slots_built FROM insights.state")):
        connection.execute(text(_add_to_slots(catalogue=catalogue)))
        connection.execute(text("DELETE FROM insights.slots WHERE plays = 0"))
    if connection.scalar(text("SELECT firsts_built FROM insights.state")):
        # Artists first: what theirs are is told from the tracks' as they were.
        for kind in (Kind.PRIMARY_ARTIST, Kind.TRACK):
            connection.execute(text(_set_firsts(kind)))
    return sum(connection.execute(text(f"DELETE FROM insights.{log}")).rowcount for log in LOGS if held[log])


def _add_to_rankings(*, catalogue: bool) -> str:
    return f"""
        WITH changes AS MATERIALIZED ({ranking_changes(WINDOWS, list(Kind), catalogue=catalogue)}),
        changed AS (
            INSERT INTO insights.rankings AS r (window_id, kind, id, plays, listen_time_ms)
            SELECT window_id, kind, id, plays, listen_time_ms FROM changes ORDER BY window_id, kind, id
            ON CONFLICT (window_id, kind, id) DO UPDATE
            SET plays = r.plays + excluded.plays, listen_time_ms = r.listen_time_ms + excluded.listen_time_ms
            RETURNING window_id, kind, id, r.xmax = 0 AS is_new
        )
        UPDATE insights.sizes s
        SET rows = s.rows + c.rows, plays = s.plays + c.plays, listen_time_ms = s.listen_time_ms + c.listen_time_ms
        FROM (
            SELECT window_id, kind, sum(plays) AS plays, sum(listen_time_ms) AS listen_time_ms,
                count(*) FILTER (WHERE is_new) AS rows
            FROM changes JOIN changed USING (window_id, kind, id) GROUP BY window_id, kind
        ) c
        WHERE s.window_id = c.window_id AND s.kind = c.kind
    """


REMOVE_GONE = """
    WITH gone AS (DELETE FROM insights.rankings WHERE plays = 0 RETURNING window_id, kind)
    UPDATE insights.sizes s SET rows = s.rows - g.rows
    FROM (SELECT window_id, kind, count(*) AS rows FROM gone GROUP BY window_id, kind) g
    WHERE s.window_id = g.window_id AND s.kind = g.kind
"""


def _add_to_slots(*, catalogue: bool) -> str:
    return f"""
        INSERT INTO insights.slots AS s (slot, plays, listen_time_ms)
        SELECT slot, plays, listen_time_ms FROM ({slot_changes(ALL_TIME, catalogue=catalogue)}) c
        ON CONFLICT (slot) DO UPDATE
        SET plays = s.plays + excluded.plays, listen_time_ms = s.listen_time_ms + excluded.listen_time_ms
    """


def _set_firsts(kind: Kind) -> str:
    return f"""
        WITH changes AS MATERIALIZED ({first_changes(kind)}),
        gone AS (
            DELETE FROM insights.firsts f USING changes c
            WHERE f.kind = {kind:d} AND f.id = c.id AND c.played_at IS NULL
        )
        INSERT INTO insights.firsts AS f (kind, id, played_at)
        SELECT {kind:d}, id, played_at FROM changes WHERE played_at IS NOT NULL
        ON CONFLICT (kind, id) DO UPDATE SET played_at = excluded.played_at
        WHERE f.played_at <> excluded.played_at
    """


COUNT_SLOTS = f"""
    INSERT INTO insights.slots (slot, plays, listen_time_ms)
    SELECT {slot_of("l.played_at")}, count(*), sum(CAST({LASTING} AS bigint))
    FROM (SELECT played_at, track_id FROM {listens_in(EVER)}) l JOIN "Tracks" t ON t.id = l.track_id GROUP BY 1
"""


def build_slots(connection: Connection) -> None:
    """Count all slots, in the transaction that is open, in whose snapshot the logs are empty."""
    connection.execute(text(COUNT_SLOTS))
    connection.execute(text("UPDATE insights.state SET slots_built = true"))


def build_firsts(connection: Connection) -> None:
    """Find all first listens, in the transaction that is open, in whose snapshot the logs are empty."""
    connection.execute(text(FIND_FIRSTS))
    connection.execute(text(FIND_FIRSTS_OF_ARTISTS))
    connection.execute(text("UPDATE insights.state SET firsts_built = true"))


FIND_FIRSTS = f"""
    INSERT INTO insights.firsts (kind, id, played_at)
    SELECT {Kind.TRACK:d}, track_id, min(played_at) FROM {listens_in(EVER)} GROUP BY track_id
"""
FIND_FIRSTS_OF_ARTISTS = f"""
    INSERT INTO insights.firsts (kind, id, played_at)
    SELECT {Kind.PRIMARY_ARTIST:d}, c.artist_id, min(f.played_at)
    FROM insights.firsts f JOIN "ArtistTracks" c ON c.track_id = f.id AND c.is_primary
    WHERE f.kind = {Kind.TRACK:d} GROUP BY c.artist_id
"""
