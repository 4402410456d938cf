"""Comparing the rollups with the live tables, in one snapshot."""

from collections.abc import Callable, Iterator
from typing import Any

from sqlalchemy import Connection, Row, text

from app.domain.slots import start_of_slot
from app.models.rollups import Kind
from app.rollups.counts.heavy_users import BATCH, IS_UNCHANGED
from app.rollups.counts.prefix_sums import difference, plays_before
from app.rollups.spans import EVER, Span
from app.rollups.sql.changes import (
    RANKED_BEFORE,
    during,
    first_changes,
    listener_id,
    ranking_changes,
    slot_changes,
    slot_of,
    within,
)
from app.rollups.sql.counting import counted, listens_in
from app.rollups.upkeep.building import describe
from app.rollups.upkeep.folding import ALL_TIME, CATALOGUE_LOGS

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
    starts = EVER.starts
    for slot in connection.scalars(text("SELECT slot FROM insights.prefixes ORDER BY slot")).all():
        span = Span(starts, start_of_slot(slot))
        yield from compare(f"prefix sums at {span.ends:%Y-%m-%d}", _compare_sums(span), _place, **span._asdict())
        starts = span.ends
    heavy = connection.scalars(text(HEAVY_USERS)).all()
    for first in range(0, len(heavy), BATCH):
        users = heavy[first : first + BATCH]
        yield from compare(
            f"{len(users)} heavy users",
            COMPARE_HEAVY_USERS,
            lambda row: f"user {row.user_id}: {_place(row)}",
            users=users,
        )


def _place(row: Row[Any]) -> str:
    return f"{_name(row.kind)} {row.id!r} {_counts(row)}"


def _name(kind: int) -> str:
    return "slot" if kind == SLOTS else Kind(kind).name.lower().replace("_", " ")


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


def _compare(window: str, stored: str, plays_before: str) -> str:
    """Compare what is `stored` of the one span that `window` selects, and what waits, with the live tables."""
    return f"""
        WITH w AS ({window}),
        listens AS MATERIALIZED (
            SELECT h.user_id, h.track_id, CAST(t.duration_ms AS bigint) AS ms
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
                SELECT kind, id, plays, listen_time_ms FROM ({stored}) s
                UNION ALL
                SELECT kind, id, plays, listen_time_ms
                FROM ({ranking_changes(window, list(Kind), catalogue=True, plays_before=plays_before)}) c
            ) k GROUP BY kind, id HAVING sum(plays) <> 0 OR sum(listen_time_ms) <> 0
        )
        SELECT kind, id, coalesce(kept.plays, 0) AS kept_plays, coalesce(kept.ms, 0) AS kept_time,
            coalesce(live.plays, 0) AS live_plays, coalesce(live.ms, 0) AS live_time
        FROM live FULL JOIN kept USING (kind, id)
        WHERE (live.plays, live.ms) IS DISTINCT FROM (kept.plays, kept.ms)
        ORDER BY kind, id
    """


COMPARE_WINDOW = _compare(
    "SELECT id, starts, ends FROM insights.windows WHERE id = :window_id",
    "SELECT kind, id, plays, listen_time_ms FROM insights.rankings WHERE window_id = :window_id",
    RANKED_BEFORE,
)


def _compare_sums(span: Span) -> str:
    window = "SELECT 0 AS id, CAST(:starts AS timestamp) AS starts, CAST(:ends AS timestamp) AS ends"
    return _compare(window, difference(span), plays_before(span))


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
            sum(CAST(t.duration_ms AS bigint)) AS ms
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

# Those that questions are answered for out of what is counted: no change waits that may be about it.
HEAVY_USERS = f"""
    SELECT user_id FROM insights.heavy_users u
    WHERE {IS_UNCHANGED} AND {" AND ".join(f"NOT EXISTS (SELECT FROM insights.{log})" for log in CATALOGUE_LOGS)}
    ORDER BY user_id
"""

# Besides the kinds of rankings.
SLOTS = 0

COUNTED_LISTENS = (
    '"History" h JOIN insights.heavy_users u ON u.user_id = h.user_id'
    f" WHERE h.user_id = ANY(:users) AND h.played_at < u.ends AND {within('h.played_at', EVER)}"
)

COMPARE_HEAVY_USERS = f"""
    WITH {counted(COUNTED_LISTENS, "user_id")}, live AS (
        SELECT user_id, kind, id, plays, listen_time_ms AS ms FROM counted
        UNION ALL
        SELECT h.user_id, {SLOTS:d}, CAST({slot_of("h.played_at")} AS text), count(*),
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
