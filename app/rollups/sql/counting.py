"""Counting live listens by all that a listen counts for, as SQL."""

from collections.abc import Sequence

from app.models.rollups import Kind
from app.rollups.spans import Edge, Span
from app.rollups.sql.changes import LASTING, listener_id, within

# Everything is joined as hashes: the planner takes the listens of a span for fewer than they are. There are a dozen of
# them at a time, and they may spill: with less memory they take no longer.
TUNING = "SET LOCAL enable_nestloop = off; SET LOCAL enable_mergejoin = off; SET LOCAL work_mem = '32MB'"


def listens_in(span: Span) -> str:
    """The listens of a span, as what follows FROM."""
    return f'"History" h WHERE {within("h.played_at", span)}'


def counted(edges: Sequence[Edge]) -> str:
    """`kind`, `id`, `plays` and `listen_time_ms` of the listens at edges: each of them counts its edge's sign.

    What a genre counts is what its artists count, as primary ones, less what was counted twice: the listens of a track
    whose primary artists share the genre. Few tracks have more than one.
    """
    listens = " UNION ALL ".join(
        f"SELECT user_id, track_id, {edge.sign:d} AS sign FROM {listens_in(edge.span)}" for edge in edges
    )
    sums = "CAST(sum(plays) AS integer) AS plays, CAST(sum(listen_time_ms) AS bigint) AS listen_time_ms"
    return f"""
        WITH listens AS NOT MATERIALIZED ({listens}), plays AS MATERIALIZED (
            SELECT p.*, CAST({LASTING} AS bigint) AS duration_ms FROM (
                SELECT track_id, CAST(sum(sign) AS integer) AS plays FROM listens GROUP BY track_id
            ) p JOIN "Tracks" t ON t.id = p.track_id
        ), credits AS MATERIALIZED (
            SELECT c.artist_id, c.is_primary, track_id, plays, plays * duration_ms AS listen_time_ms
            FROM plays JOIN "ArtistTracks" c USING (track_id)
        ), primary_artists AS MATERIALIZED (
            SELECT artist_id, {sums} FROM credits WHERE is_primary GROUP BY artist_id
        )
        SELECT {Kind.TRACK:d} AS kind, track_id AS id, plays, plays * duration_ms AS listen_time_ms FROM plays
        UNION ALL
        SELECT {Kind.ARTIST:d}, artist_id, {sums} FROM credits GROUP BY artist_id
        UNION ALL
        SELECT {Kind.PRIMARY_ARTIST:d}, artist_id, plays, listen_time_ms FROM primary_artists
        UNION ALL
        SELECT {Kind.GENRE:d}, genre, {sums} FROM (
            SELECT g.genre, plays, listen_time_ms FROM primary_artists a JOIN "ArtistGenres" g ON g.id = a.artist_id
            UNION ALL
            SELECT g.genre, (1 - count(*)) * min(c.plays), (1 - count(*)) * min(c.listen_time_ms)
            FROM (
                SELECT track_id FROM credits WHERE is_primary GROUP BY track_id HAVING count(*) > 1
            ) s JOIN credits c USING (track_id) JOIN "ArtistGenres" g ON g.id = c.artist_id
            WHERE c.is_primary GROUP BY track_id, g.genre HAVING count(*) > 1
        ) x GROUP BY genre
        UNION ALL
        SELECT {Kind.LISTENER:d}, {listener_id("user_id")}, CAST(sum(sign) AS integer),
            CAST(sum(sign * p.duration_ms) AS bigint)
        FROM listens JOIN plays p USING (track_id) GROUP BY user_id
    """
