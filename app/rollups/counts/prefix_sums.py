"""Prefix sums: all listens before the beginnings of months, by track, artist, genre and listener.

What was listened to from the beginning of one month to that of another is the difference of two of them. The sums stand
in arrays, next to arrays of the ids: half a million of them are read in the time that as many rows take to be found.
They stay as they are: a change of what is counted, in the listens or in the catalogue, has those that it is about
forgotten and counted again.
"""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection, text

from app.domain.slots import number_of_slot, start_of_slot
from app.domain.timezones import DAY, naive
from app.models.rollups import Kind
from app.rollups.spans import EVER, Span
from app.rollups.sql.changes import catalogue_changes, listener_id, slot_of
from app.rollups.sql.counting import TUNING, counted, listens_in

# How many recent months have prefix sums.
MONTHS = 60


def _block(id_: str) -> str:
    """One of 256 blocks, by an id's bytes: a new one is appended to a short array."""
    return f"CAST(get_byte(sha256(convert_to({id_}, 'UTF8')), 0) AS smallint)"


def due_slots(connection: Connection, now: datetime) -> list[int]:
    """The slots to be counted, in order: those after the first listen's."""
    first = connection.scalar(text(FIRST_SLOT))
    if first is None:
        return []
    built = set(connection.scalars(text("SELECT slot FROM insights.prefixes")))
    return [slot for slot in _kept(now) if slot > first and slot not in built]


FIRST_SLOT = f"SELECT {slot_of('played_at')} FROM {listens_in(EVER)} ORDER BY played_at LIMIT 1"


def _kept(now: datetime) -> list[int]:
    # Some listens come hours late: what they change had better not be counted yet.
    last = naive(now) - DAY
    months = range(last.year * 12 + last.month - MONTHS, last.year * 12 + last.month)
    return [number_of_slot(datetime(month // 12, month % 12 + 1, 1)) for month in months]  # noqa: DTZ001


def count_prefixes(connection: Connection, due: Sequence[int], now: datetime) -> None:
    """Count the listens before some slots, which are in order; with one that is counted before them, from there on.

    In the transaction that is open, in whose snapshot the logs are empty.
    """
    stale = "DELETE FROM insights.prefixes WHERE slot <> ALL(:kept)"
    connection.execute(text(stale), {"kept": _kept(now)})
    connection.exec_driver_sql(TUNING)
    for statement in (FORGET_UNUSED_IDS, _blank(GONE_LISTENERS), REGISTER, SET_DURATIONS):
        connection.execute(text(statement))
    if due:
        previous = connection.scalar(
            text("SELECT max(slot) FROM insights.prefixes WHERE slot < :first"), {"first": due[0]}
        )
        connection.execute(text("INSERT INTO insights.prefixes (slot) SELECT unnest(:due)"), {"due": list(due)})
        connection.execute(text(_count(previous, due)))


def forget_changed(connection: Connection, *, catalogue: bool) -> None:
    """Forget the sums that the logs' changes are about, in the transaction that is open: before `firsts` are folded."""
    connection.execute(text(FORGETS))
    connection.execute(text(FORGET_LATER_THAN_LISTENS))
    connection.execute(text(_blank(DELETED_LISTENERS)))
    if catalogue:
        connection.execute(text(FORGET_LATER_THAN_CHANGED_TRACKS))


# Else a trigger of the logs forgets all sums when the changes leave: so would a fold that knows nothing of them.
FORGETS = "SET LOCAL songswap_insights.forgets_prefix_sums = 'on'"

# A listen that went and came back, or the other way round, changes nothing.
FORGET_LATER_THAN_LISTENS = f"""
    DELETE FROM insights.prefixes WHERE slot > (
        SELECT min({slot_of("played_at")}) FROM (
            SELECT played_at FROM insights.listen_changes
            WHERE {slot_of("played_at")} < (SELECT max(slot) FROM insights.prefixes)
            GROUP BY user_id, played_at, track_id HAVING sum(change) <> 0
        ) net_changes
    )
"""


def _blank(gone: str) -> str:
    """Blank the ids of listeners: nothing is to be left of a person; the places of the others stay as they are."""
    return f"""
        WITH gone AS MATERIALIZED ({gone})
        UPDATE insights.id_blocks b SET ids = ARRAY(
            SELECT CASE WHEN g.id IS NULL THEN u.id ELSE '' END
            FROM unnest(b.ids) WITH ORDINALITY AS u (id, place) LEFT JOIN gone g ON g.id = u.id ORDER BY u.place
        )
        WHERE b.kind = {Kind.LISTENER:d} AND b.block IN (SELECT {_block("id")} FROM gone)
    """


# Who is deleted, with the listens that there were.
DELETED_LISTENERS = f"""
    SELECT DISTINCT {listener_id("user_id")} AS id FROM insights.listen_changes c
    WHERE NOT EXISTS (SELECT FROM "Users" u WHERE u.id = c.user_id)
"""
# And who had none any more, or was deleted while a process knew nothing of the sums.
GONE_LISTENERS = f"""
    SELECT id FROM insights.id_blocks b, unnest(b.ids) AS id WHERE b.kind = {Kind.LISTENER:d} AND id <> ''
    EXCEPT SELECT {listener_id("id")} FROM "Users"
"""

# A track is in no sum before its first listen.
FORGET_LATER_THAN_CHANGED_TRACKS = f"""
    WITH {", ".join(catalogue_changes(with_tracks=True))}
    DELETE FROM insights.prefixes WHERE NOT (SELECT firsts_built FROM insights.state) OR slot > (
        SELECT min({slot_of("f.played_at")}) FROM changed_tracks c
        JOIN insights.firsts f ON f.kind = {Kind.TRACK:d} AND f.id = c.track_id
    )
"""

FORGET_UNUSED_IDS = "DELETE FROM insights.id_blocks WHERE NOT EXISTS (SELECT FROM insights.prefixes)"

# Only of tracks that no sum has a listen of: what another one's duration was counted for is forgotten.
SET_DURATIONS = f"""
    UPDATE insights.id_blocks b SET durations_ms = n.durations_ms FROM (
        SELECT b.block, array_agg(coalesce(t.duration_ms, 0) ORDER BY u.place) AS durations_ms
        FROM insights.id_blocks b CROSS JOIN LATERAL unnest(b.ids) WITH ORDINALITY AS u (id, place)
        LEFT JOIN "Tracks" t ON t.id = u.id WHERE b.kind = {Kind.TRACK:d} GROUP BY b.block
    ) n
    WHERE b.kind = {Kind.TRACK:d} AND b.block = n.block AND b.durations_ms IS DISTINCT FROM n.durations_ms
"""

# All that a listen may ever count for, and is in no block yet.
REGISTER = f"""
    WITH asked_for AS (
        SELECT {Kind.TRACK:d} AS kind, id FROM "Tracks"
        UNION ALL SELECT kind, id FROM "Artists", (VALUES ({Kind.ARTIST:d}), ({Kind.PRIMARY_ARTIST:d})) AS k (kind)
        UNION ALL SELECT DISTINCT {Kind.GENRE:d}, genre FROM "ArtistGenres"
        UNION ALL SELECT {Kind.LISTENER:d}, {listener_id("id")} FROM "Users"
    ), known AS (
        SELECT kind, unnest(ids) AS id FROM insights.id_blocks
    ), new AS (
        SELECT kind, id FROM asked_for a WHERE NOT EXISTS (SELECT FROM known k WHERE k.kind = a.kind AND k.id = a.id)
    )
    INSERT INTO insights.id_blocks AS b (kind, block, ids)
    SELECT kind, {_block("id")}, array_agg(id ORDER BY id) FROM new GROUP BY 1, 2
    ON CONFLICT (kind, block) DO UPDATE SET ids = b.ids || excluded.ids
"""


def _count(previous: int | None, slots: Sequence[int]) -> str:
    """Count the listens before slots: those before a `previous` one, which is counted, and those since, in one pass."""
    until = [start_of_slot(slot) for slot in slots]
    span = Span(EVER.starts if previous is None else start_of_slot(previous), until[-1])
    sums, rows = [], []
    for number, slot in enumerate(slots, start=1):
        sums.append(f"""
            array_agg(CAST(coalesce(u.plays, 0) + coalesce(c.plays_{number}, 0) AS integer) ORDER BY u.place)
                AS plays_{number},
            CASE WHEN b.kind <> {Kind.TRACK:d} THEN array_agg(
                CAST(coalesce(u.listen_time_ms, 0) + coalesce(c.listen_time_ms_{number}, 0) AS bigint) ORDER BY u.place
            ) END AS listen_time_ms_{number}
        """)
        rows.append(f"({slot}, plays_{number}, listen_time_ms_{number})")
    return f"""
        WITH {counted(listens_in(span), until=until)}, sums AS (
            SELECT b.kind, b.block, {", ".join(sums)}
            FROM insights.id_blocks b
            LEFT JOIN insights.prefix_sums s
                ON s.slot = {"NULL" if previous is None else previous} AND s.kind = b.kind AND s.block = b.block
            CROSS JOIN LATERAL ROWS FROM (unnest(b.ids), unnest(s.plays), unnest(s.listen_time_ms))
                WITH ORDINALITY AS u (id, plays, listen_time_ms, place)
            LEFT JOIN counted c ON c.kind = b.kind AND c.id = u.id
            GROUP BY b.kind, b.block
        )
        INSERT INTO insights.prefix_sums (slot, kind, block, plays, listen_time_ms)
        SELECT r.slot, s.kind, s.block, r.plays, r.listen_time_ms
        FROM sums s CROSS JOIN LATERAL (VALUES {", ".join(rows)}) r (slot, plays, listen_time_ms)
    """


def difference(span: Span, kind: Kind | None = None) -> str:
    """`kind`, `id`, `plays` and `listen_time_ms` of the listens between two instants that have sums, as SQL.

    Of one kind, or of all.
    """
    starts, ends = map(number_of_slot, span)
    return f"""
        SELECT id, plays, CASE WHEN kind = {Kind.TRACK:d} THEN plays * CAST(duration_ms AS bigint)
            ELSE later_time - coalesce(earlier_time, 0) END AS listen_time_ms, kind
        FROM (
            SELECT kind, id, duration_ms, later_plays - coalesce(earlier_plays, 0) AS plays, later_time, earlier_time
            FROM (
                SELECT b.kind, unnest(b.ids) AS id, unnest(b.durations_ms) AS duration_ms,
                    unnest(l.plays) AS later_plays, unnest(l.listen_time_ms) AS later_time,
                    unnest(e.plays) AS earlier_plays, unnest(e.listen_time_ms) AS earlier_time
                FROM insights.prefix_sums l JOIN insights.id_blocks b ON b.kind = l.kind AND b.block = l.block
                LEFT JOIN insights.prefix_sums e ON e.slot = {starts} AND e.kind = l.kind AND e.block = l.block
                WHERE l.slot = {ends} {"" if kind is None else f"AND l.kind = {kind:d}"}
            ) sums
        ) differences
        WHERE plays <> 0
    """


def plays_before(span: Span) -> str:
    """What `ranking_changes` has to know of the listens between two instants that have sums."""
    return (
        f"SELECT w.id AS window_id, d.id AS track_id, d.plays FROM windows w, ({difference(span, Kind.TRACK)}) d"
        " WHERE d.id IN (SELECT track_id FROM changed_tracks)"
    )
