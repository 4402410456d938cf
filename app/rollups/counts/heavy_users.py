"""Users with many listens: those before an instant are counted ahead, each user's by themselves.

What is counted stays as it is. What a user listens to later is read live, and added. A change of what is counted, in
the listens or in the catalogue, has the user forgotten and counted again.
"""

from datetime import datetime

from sqlalchemy import Connection, text

from app.domain.timezones import DAY, naive
from app.models.rollups import Kind
from app.rollups.spans import EVER
from app.rollups.sql.changes import catalogue_changes, slot_of
from app.rollups.sql.counting import counted, listens_in

# Listens from which a user is counted ahead. With fewer, live listens are as quick, and the space is better spent.
MANY = 10_000
# How old a count may get: a month's listens are quickly read.
OLDEST = 30 * DAY
# Users who are counted in one transaction.
BATCH = 20


def due_users(connection: Connection, now: datetime) -> list[int]:
    """The users to be counted next, those with the most listens first; none while all listens are not ranked yet."""
    values = {"many": MANY, "oldest": _until(now) - OLDEST, "batch": BATCH} | EVER._asdict()
    return list(connection.scalars(text(DUE), values))


DUE = f"""
    SELECT CAST(r.id AS integer) FROM insights.windows w
    JOIN insights.rankings r ON r.window_id = w.id AND r.kind = {Kind.LISTENER:d} AND r.plays >= :many
    LEFT JOIN insights.heavy_users u ON u.user_id = CAST(r.id AS integer)
    WHERE w.starts = :starts AND w.ends = :ends AND (u.user_id IS NULL OR u.ends < :oldest)
    ORDER BY r.plays DESC LIMIT :batch
"""


def count_users(connection: Connection, users: list[int], now: datetime) -> None:
    """Count users again, in the open transaction, in whose snapshot the logs are empty."""
    values = {"users": users, "ends": _until(now)}
    for statement in (FORGET, COUNT_SLOTS, COUNT_RANKINGS):
        connection.execute(text(statement), values)


def _until(now: datetime) -> datetime:
    """The end of what is counted: a midnight that is at least a day ago, as some listens come hours late."""
    return naive(now).replace(hour=0, minute=0, second=0, microsecond=0) - DAY


# Whether no change of a listen waits that is about what is counted of the user `u`.
IS_UNCHANGED = "NOT EXISTS (SELECT FROM insights.listen_changes c WHERE c.user_id = u.user_id AND c.played_at < u.ends)"

FORGET = "DELETE FROM insights.heavy_users WHERE user_id = ANY(:users)"

LISTENS = f"{listens_in(EVER)} AND h.user_id = ANY(:users) AND h.played_at < :ends"

COUNT_SLOTS = f"""
    INSERT INTO insights.heavy_users (user_id, ends, slots, plays, listen_time_ms)
    SELECT u.id, :ends, array_agg(s.slot) FILTER (WHERE s.slot IS NOT NULL), array_agg(s.plays),
        array_agg(s.listen_time_ms)
    FROM unnest(CAST(:users AS integer[])) AS u (id) LEFT JOIN (
        SELECT l.user_id, l.slot, CAST(count(*) AS integer) AS plays,
            CAST(sum(CAST(t.duration_ms AS bigint)) AS bigint) AS listen_time_ms
        FROM (SELECT h.user_id, h.track_id, {slot_of("h.played_at")} AS slot FROM {LISTENS}) l
        JOIN "Tracks" t ON t.id = l.track_id GROUP BY l.user_id, l.slot
    ) s ON s.user_id = u.id GROUP BY u.id
"""

COUNT_RANKINGS = f"""
    INSERT INTO insights.user_rankings (user_id, kind, ids, plays, listen_time_ms)
    WITH {counted(LISTENS, "user_id")}
    SELECT user_id, kind, array_agg(id), array_agg(CAST(plays AS integer)), array_agg(CAST(listen_time_ms AS bigint))
    FROM counted GROUP BY user_id, kind
"""


def forget_changed_users(connection: Connection, *, catalogue: bool) -> None:
    """Forget the users of whom something counted has changed, by the logs, in the transaction that is open."""
    connection.execute(text(FORGETS))
    connection.execute(text(FORGET_LISTENERS))
    if catalogue:
        connection.execute(text(FORGET_LISTENERS_OF_CHANGED_TRACKS))


# Else a trigger of the logs forgets all heavy users when the changes leave: so would a fold that knows nothing of them.
FORGETS = "SET LOCAL songswap_insights.forgets_heavy_users = 'on'"

FORGET_LISTENERS = """
    DELETE FROM insights.heavy_users u
    USING (SELECT user_id, min(played_at) AS first FROM insights.listen_changes GROUP BY user_id) c
    WHERE u.user_id = c.user_id
        AND (c.first < u.ends OR NOT EXISTS (SELECT FROM "Users" WHERE id = u.user_id))
"""

# Track by track: few have changed, most of the time, and hardly anybody has listened to those.
FORGET_LISTENERS_OF_CHANGED_TRACKS = f"""
    WITH {", ".join(catalogue_changes(with_tracks=True))}, listeners AS MATERIALIZED (
        SELECT h.user_id, min(h.first) AS first FROM changed_tracks c CROSS JOIN LATERAL (
            SELECT user_id, min(played_at) AS first FROM "History" WHERE track_id = c.track_id
            GROUP BY user_id OFFSET 0
        ) h GROUP BY h.user_id
    )
    DELETE FROM insights.heavy_users u USING listeners l WHERE u.user_id = l.user_id AND l.first < u.ends
"""
