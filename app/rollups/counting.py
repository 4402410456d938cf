"""Counting live listens by all that a listen counts for, as SQL."""

from collections.abc import Sequence

from app.models.rollups import Kind
from app.rollups.changes import listener_id
from app.rollups.spans import Edge, Span

# Everything is joined as hashes: the planner takes the listens of a span for fewer than they are.
TUNING = "SET LOCAL enable_nestloop = off; SET LOCAL enable_mergejoin = off"


def listens_in(span: Span) -> str:
    """The listens of a span, as `counted` takes them."""
    return f'"History" h WHERE {_within(span)}'


def listens_at(edges: Sequence[Edge]) -> str:
    """The listens at edges, as `counted` takes them, with their `sign`."""
    parts = (
        f'SELECT user_id, track_id, {edge.sign:d} AS sign FROM "History" h WHERE {_within(edge.span)}' for edge in edges
    )
    return f"({' UNION ALL '.join(parts)}) h"


def _within(span: Span) -> str:
    starts, ends = (bound and f"timestamp '{bound.isoformat(' ')}'" for bound in span)
    bounds = [f"h.played_at >= {starts}"] if starts else []
    return " AND ".join(bounds + ([f"h.played_at < {ends}"] if ends else [])) or "true"


def counted(listens: str, owner: str = "", *, signed: bool = False) -> str:
    """The CTEs `plays`, by track, `credits`, by track and artist, `primary_artists`, and `counted`.

    The last has the columns `kind`, `id`, `plays` and `listen_time_ms`. `listens` says which rows of "History", as `h`,
    in what follows FROM. With an `owner`, one of their columns, all is by owner, too; else it is by listener, too.
    Where they are `signed`, each counts its `sign`.

    What a genre counts is what its artists count, as primary ones, less what was counted twice: the listens of a track
    whose primary artists share the genre. Few tracks have more than one.
    """
    own, of_h = (f"{owner}, ", f"h.{owner}, ") if owner else ("", "")
    sign, plays = ("h.sign", "sum(h.sign)") if signed else ("1", "count(*)")
    by_listener = f"""
        UNION ALL
        SELECT {Kind.LISTENER:d}, {listener_id("l.user_id")}, sum(l.sign), sum(l.sign * p.duration_ms)
        FROM (SELECT h.user_id, h.track_id, {sign} AS sign FROM {listens}) l JOIN plays p USING (track_id)
        GROUP BY l.user_id
    """
    return f"""
    plays AS MATERIALIZED (
        SELECT {own}p.track_id, p.plays, CAST(t.duration_ms AS bigint) AS duration_ms,
            p.plays * CAST(t.duration_ms AS bigint) AS listen_time_ms
        FROM (SELECT {of_h}h.track_id, {plays} AS plays FROM {listens} GROUP BY {of_h}h.track_id) p
        JOIN "Tracks" t ON t.id = p.track_id
    ), credits AS MATERIALIZED (
        SELECT c.artist_id, c.is_primary, p.* FROM plays p JOIN "ArtistTracks" c USING (track_id)
    ), primary_artists AS MATERIALIZED (
        SELECT {own}artist_id, sum(plays) AS plays, sum(listen_time_ms) AS listen_time_ms
        FROM credits WHERE is_primary GROUP BY {own}artist_id
    ), counted AS MATERIALIZED (
        SELECT {own}{Kind.TRACK:d} AS kind, track_id AS id, plays, listen_time_ms FROM plays
        UNION ALL
        SELECT {own}{Kind.ARTIST:d}, artist_id, sum(plays), sum(listen_time_ms) FROM credits GROUP BY {own}artist_id
        UNION ALL
        SELECT {own}{Kind.PRIMARY_ARTIST:d}, artist_id, plays, listen_time_ms FROM primary_artists
        UNION ALL
        SELECT {own}{Kind.GENRE:d}, genre, sum(plays), sum(listen_time_ms) FROM (
            SELECT {own}g.genre, a.plays, a.listen_time_ms
            FROM primary_artists a JOIN "ArtistGenres" g ON g.id = a.artist_id
            UNION ALL
            SELECT {own}g.genre, (1 - count(*)) * min(c.plays), (1 - count(*)) * min(c.listen_time_ms)
            FROM (
                SELECT {own}track_id FROM credits WHERE is_primary GROUP BY {own}track_id HAVING count(*) > 1
            ) s JOIN credits c USING ({own}track_id) JOIN "ArtistGenres" g ON g.id = c.artist_id
            WHERE c.is_primary GROUP BY {own}track_id, g.genre HAVING count(*) > 1
        ) x GROUP BY {own}genre
        {"" if owner else by_listener}
    )
    """
