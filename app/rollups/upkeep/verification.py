"""Comparing the rollups with the live tables, in one snapshot."""

from collections.abc import Callable, Iterator
from typing import Any

from sqlalchemy import Connection, Row, text

from app.models.rollups import Kind
from app.rollups.spans import EVER, Span
from app.rollups.sql.changes import (
    LASTING,
    during,
    first_changes,
    listener_id,
    ranking_changes,
    slot_changes,
    slot_of,
)
from app.rollups.sql.counting import listens_in
from app.rollups.upkeep.building import describe
from app.rollups.upkeep.folding import ALL_TIME

# How many differences of one part are named.
NAMED = 5


def differences(connection: Connection, tell: Callable[[str], None]) -> Iterator[str]:
    """Each difference between the rollups with their changes and the live tables, in the transaction that is open.

    `tell` is told each part before it is compared. Nothing where all is right.
    """

    def compare(part: str, sql: str, say: Callable[[Row[Any]], str], **values: Any) -> Iterator[str]:
        tell(part)
        found = connection.execute(text(sql), values).all()
        for row in found[:NAMED]:
            yield f"{part}: {say(row)}"
        if len(found) > NAMED:
            yield f"{part}: {len(found) - NAMED} more"

    for window in connection.execute(text("SELECT id, starts, ends FROM insights.windows ORDER BY id")).all():
        name = f"window {describe(Span(window.starts, window.ends))}"
        yield from compare(name, COMPARE_WINDOW, _place, window_id=window.id)
        for row in connection.execute(text(COMPARE_SIZES), {"window_id": window.id}):
            yield f"{name}: the size of the ranking of kind {Kind(row.kind).name.lower()} is not that of its rows"
    state = connection.execute(text("SELECT slots_built, firsts_built FROM insights.state")).one()
    if state.slots_built:
        yield from compare("slots", COMPARE_SLOTS, lambda row: f"slot {row.slot} {_counts(row)}")
    if state.firsts_built:
        yield from compare(
            "first listens", COMPARE_FIRSTS, lambda row: f"{_name(row.kind)} {row.id!r} {row.kept}, not {row.live}"
        )


def _place(row: Row[Any]) -> str:
    return f"{_name(row.kind)} {row.id!r} {_counts(row)}"


def _name(kind: int) -> str:
    return Kind(kind).name.lower().replace("_", " ")


def _counts(row: Row[Any]) -> str:
    return f"has {row.kept_plays} listens and {row.kept_time} ms, not {row.live_plays} and {row.live_time}"


COMPARE_FIRSTS = f"""
    WITH live_tracks AS MATERIALIZED (
        SELECT track_id, min(played_at) AS played_at FROM {listens_in(EVER)} GROUP BY track_id
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


WINDOW = "SELECT id, starts, ends FROM insights.windows WHERE id = :window_id"

# A window's rankings, and what waits.
COMPARE_WINDOW = f"""
    WITH w AS ({WINDOW}),
    listens AS MATERIALIZED (
        SELECT h.user_id, h.track_id, CAST({LASTING} AS bigint) AS ms
        FROM "History" h JOIN "Tracks" t ON t.id = h.track_id, w WHERE {during("h.played_at")}
    ), live AS (
        SELECT {Kind.TRACK:d} AS kind, track_id AS id, count(*) AS plays, sum(ms) AS ms
        FROM listens GROUP BY track_id
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
            SELECT kind, id, plays, listen_time_ms
            FROM ({ranking_changes(WINDOW, list(Kind), catalogue=True)}) c
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
        SELECT {slot_of("l.played_at")} AS slot, count(*) AS plays,
            sum(CAST({LASTING} AS bigint)) AS ms
        FROM (SELECT played_at, track_id FROM {listens_in(EVER)}) l JOIN "Tracks" t ON t.id = l.track_id GROUP BY 1
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
