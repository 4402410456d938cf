"""Comparing the rollups with the live tables, in one snapshot."""

from collections.abc import Callable, Iterator

from sqlalchemy import Connection, text

from app.models.rollups import Kind
from app.rollups.building import describe
from app.rollups.changes import SLOT, during, first_changes, listener_id, ranking_changes, slot_changes
from app.rollups.counting import counted
from app.rollups.folding import ALL_TIME, CATALOGUE_LOGS
from app.rollups.heavy_users import BATCH, IS_UNCHANGED
from app.rollups.spans import Span

# How many differences of one part are named.
NAMED = 5


def differences(connection: Connection, tell: Callable[[str], None]) -> Iterator[str]:
    """Each difference between the rollups with their changes and the live tables, in the transaction that is open.

    `tell` is told each part before it is compared. Nothing where all is right.
    """
    for window in connection.execute(text("SELECT id, starts, ends FROM insights.windows ORDER BY id")).all():
        name = f"window {describe(Span(window.starts, window.ends))}"
        tell(name)
        found = connection.execute(text(COMPARE_WINDOW), {"window_id": window.id}).all()
        for row in found[:NAMED]:
            yield (
                f"{name}: {Kind(row.kind).name.lower().replace('_', ' ')} {row.id!r} has {row.kept_plays} listens and "
                f"{row.kept_time} ms, not {row.live_plays} and {row.live_time}"
            )
        if len(found) > NAMED:
            yield f"{name}: {len(found) - NAMED} more"
        for row in connection.execute(text(COMPARE_SIZES), {"window_id": window.id}):
            yield f"{name}: the size of the ranking of kind {Kind(row.kind).name.lower()} is not that of its rows"
    if connection.scalar(text("SELECT slots_built FROM insights.state")):
        tell("slots")
        found = connection.execute(text(COMPARE_SLOTS)).all()
        for row in found[:NAMED]:
            yield (
                f"slot {row.slot}: {row.kept_plays} listens and {row.kept_time} ms, not {row.live_plays} and "
                f"{row.live_time}"
            )
        if len(found) > NAMED:
            yield f"slots: {len(found) - NAMED} more"
    if connection.scalar(text("SELECT firsts_built FROM insights.state")):
        tell("first listens")
        found = connection.execute(text(COMPARE_FIRSTS)).all()
        for row in found[:NAMED]:
            yield f"first listen of {Kind(row.kind).name.lower()} {row.id!r}: {row.kept}, not {row.live}"
        if len(found) > NAMED:
            yield f"first listens: {len(found) - NAMED} more"
    heavy = connection.scalars(text(HEAVY_USERS)).all()
    for first in range(0, len(heavy), BATCH):
        users = heavy[first : first + BATCH]
        tell(f"{len(users)} heavy users")
        found = connection.execute(text(COMPARE_HEAVY_USERS), {"users": users}).all()
        for row in found[:NAMED]:
            what = "slot" if row.kind == SLOTS else Kind(row.kind).name.lower().replace("_", " ")
            yield (
                f"heavy user {row.user_id}: {what} {row.id!r} has {row.kept_plays} listens and {row.kept_time} ms, not "
                f"{row.live_plays} and {row.live_time}"
            )
        if len(found) > NAMED:
            yield f"heavy users: {len(found) - NAMED} more"


COMPARE_FIRSTS = f"""
    WITH live_tracks AS MATERIALIZED (
        SELECT track_id, min(played_at) AS played_at FROM "History" GROUP BY track_id
    ), live AS (
        SELECT {Kind.TRACK:d} AS kind, track_id AS id, played_at FROM live_tracks
        UNION ALL
        SELECT {Kind.PRIMARY_ARTIST:d}, c.artist_id, min(t.played_at)
        FROM live_tracks t JOIN "ArtistTracks" c USING (track_id) WHERE c.is_primary GROUP BY c.artist_id
    ), tracks AS ({first_changes(Kind.TRACK)}), artists AS ({first_changes(Kind.PRIMARY_ARTIST)}),
    changes AS (
        SELECT {Kind.TRACK:d} AS kind, id, played_at FROM tracks
        UNION ALL SELECT {Kind.PRIMARY_ARTIST:d}, id, played_at FROM artists
    ), kept AS (
        SELECT kind, id, played_at FROM insights.firsts
        WHERE NOT EXISTS (SELECT FROM changes c WHERE c.kind = firsts.kind AND c.id = firsts.id)
        UNION ALL SELECT kind, id, played_at FROM changes WHERE played_at IS NOT NULL
    )
    SELECT kind, id, kept.played_at AS kept, live.played_at AS live FROM live FULL JOIN kept USING (kind, id)
    WHERE live.played_at IS DISTINCT FROM kept.played_at
    ORDER BY kind, id
"""

ONE_WINDOW = "SELECT id, starts, ends FROM insights.windows WHERE id = :window_id"

COMPARE_WINDOW = f"""
    WITH w AS ({ONE_WINDOW}),
    listens AS MATERIALIZED (
        SELECT h.user_id, h.track_id, CAST(t.duration_ms AS bigint) AS ms
        FROM "History" h JOIN "Tracks" t ON t.id = h.track_id, w WHERE {during("h.played_at")}
    ), live AS (
        SELECT {Kind.TRACK:d} AS kind, track_id AS id, count(*) AS plays, sum(ms) AS ms FROM listens GROUP BY track_id
        UNION ALL
        SELECT {Kind.ARTIST:d}, c.artist_id, count(*), sum(ms)
        FROM listens JOIN "ArtistTracks" c USING (track_id) GROUP BY c.artist_id
        UNION ALL
        SELECT {Kind.PRIMARY_ARTIST:d}, c.artist_id, count(*), sum(ms)
        FROM listens JOIN "ArtistTracks" c USING (track_id) WHERE c.is_primary GROUP BY c.artist_id
        UNION ALL
        SELECT {Kind.GENRE:d}, g.genre, count(*), sum(ms) FROM listens JOIN (
            SELECT DISTINCT c.track_id, g.genre FROM "ArtistTracks" c JOIN "ArtistGenres" g ON g.id = c.artist_id
            WHERE c.is_primary
        ) g USING (track_id) GROUP BY g.genre
        UNION ALL
        SELECT {Kind.LISTENER:d}, {listener_id("user_id")}, count(*), sum(ms) FROM listens GROUP BY user_id
    ), kept AS (
        SELECT kind, id, sum(plays) AS plays, sum(listen_time_ms) AS ms FROM (
            SELECT kind, id, plays, listen_time_ms FROM insights.rankings WHERE window_id = :window_id
            UNION ALL
            SELECT kind, id, plays, listen_time_ms FROM ({ranking_changes(ONE_WINDOW, list(Kind), catalogue=True)}) c
        ) k GROUP BY kind, id HAVING sum(plays) <> 0 OR sum(listen_time_ms) <> 0
    )
    SELECT kind, id, coalesce(kept.plays, 0) AS kept_plays, coalesce(kept.ms, 0) AS kept_time,
        coalesce(live.plays, 0) AS live_plays, coalesce(live.ms, 0) AS live_time
    FROM live FULL JOIN kept USING (kind, id)
    WHERE (live.plays, live.ms) IS DISTINCT FROM (kept.plays, kept.ms)
    ORDER BY kind, id
"""

COMPARE_SIZES = f"""
    SELECT k.kind FROM (VALUES {", ".join(f"({kind:d})" for kind in Kind)}) AS k (kind)
    LEFT JOIN insights.sizes s ON s.window_id = :window_id AND s.kind = k.kind
    LEFT JOIN insights.rankings r ON r.window_id = :window_id AND r.kind = k.kind
    GROUP BY k.kind, s.rows, s.plays, s.listen_time_ms
    HAVING (s.rows, s.plays, s.listen_time_ms)
        IS DISTINCT FROM (count(r.id), coalesce(sum(r.plays), 0), coalesce(sum(r.listen_time_ms), 0))
    ORDER BY k.kind
"""

COMPARE_SLOTS = f"""
    WITH live AS (
        SELECT {SLOT.format(instant="h.played_at")} AS slot, count(*) AS plays,
            sum(CAST(t.duration_ms AS bigint)) AS ms
        FROM "History" h JOIN "Tracks" t ON t.id = h.track_id GROUP BY 1
    ), kept AS (
        SELECT slot, sum(plays) AS plays, sum(listen_time_ms) AS ms FROM (
            SELECT slot, plays, listen_time_ms FROM insights.slots
            UNION ALL SELECT slot, plays, listen_time_ms FROM ({slot_changes(ALL_TIME, catalogue=True)}) c
        ) k GROUP BY slot HAVING sum(plays) <> 0 OR sum(listen_time_ms) <> 0
    )
    SELECT slot, coalesce(kept.plays, 0) AS kept_plays, coalesce(kept.ms, 0) AS kept_time,
        coalesce(live.plays, 0) AS live_plays, coalesce(live.ms, 0) AS live_time
    FROM live FULL JOIN kept USING (slot)
    WHERE (live.plays, live.ms) IS DISTINCT FROM (kept.plays, kept.ms)
    ORDER BY slot
"""

# Those that questions are answered for out of what is counted: no change waits that may be about it.
HEAVY_USERS = f"""
    SELECT user_id FROM insights.heavy_users u
    WHERE {IS_UNCHANGED} AND {" AND ".join(f"NOT EXISTS (SELECT FROM insights.{log})" for log in CATALOGUE_LOGS)}
    ORDER BY user_id
"""

# Beside the kinds of rankings.
SLOTS = 0

COUNTED_LISTENS = (
    '"History" h JOIN insights.heavy_users u ON u.user_id = h.user_id'
    " WHERE h.user_id = ANY(:users) AND h.played_at < u.ends"
)

COMPARE_HEAVY_USERS = f"""
    WITH {counted(COUNTED_LISTENS, "user_id")}, live AS (
        SELECT user_id, kind, id, plays, listen_time_ms AS ms FROM counted
        UNION ALL
        SELECT h.user_id, {SLOTS:d}, CAST({SLOT.format(instant="h.played_at")} AS text), count(*),
            sum(CAST(t.duration_ms AS bigint))
        FROM (SELECT h.user_id, h.played_at, h.track_id FROM {COUNTED_LISTENS}) h JOIN "Tracks" t ON t.id = h.track_id
        GROUP BY 1, 2, 3
    ), kept AS (
        SELECT user_id, kind, unnest(ids) AS id, unnest(plays) AS plays, unnest(listen_time_ms) AS ms
        FROM insights.user_rankings WHERE user_id = ANY(:users)
        UNION ALL
        SELECT user_id, {SLOTS:d}, CAST(unnest(slots) AS text), unnest(plays), unnest(listen_time_ms)
        FROM insights.heavy_users WHERE user_id = ANY(:users)
    )
    SELECT user_id, kind, id, coalesce(kept.plays, 0) AS kept_plays, coalesce(kept.ms, 0) AS kept_time,
        coalesce(live.plays, 0) AS live_plays, coalesce(live.ms, 0) AS live_time
    FROM live FULL JOIN kept USING (user_id, kind, id)
    WHERE (live.plays, live.ms) IS DISTINCT FROM (kept.plays, kept.ms)
    ORDER BY user_id, kind, id
"""
