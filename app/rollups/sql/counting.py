"""Counting live listens by all that a listen counts for, as SQL."""

from collections.abc import Sequence
from datetime import datetime

from app.models.rollups import Kind
from app.rollups.spans import Edge, Span
from app.rollups.sql.changes import listener_id, within

# Everything is joined as hashes: the planner takes the listens of a span for fewer than they are. There are a dozen of
# them at a time, and they may spill: with less memory they take no longer.
TUNING = "SET LOCAL enable_nestloop = off; SET LOCAL enable_mergejoin = off; SET LOCAL work_mem = '32MB'"


def listens_in(span: Span) -> str:
    """The listens of a span, as `counted` takes them."""
    return f'"History" h WHERE {within("h.played_at", span)}'


def listens_at(edges: Sequence[Edge]) -> str:
    """The listens at edges, as `counted` takes them, with their `sign`."""
    parts = (f"SELECT user_id, track_id, {edge.sign:d} AS sign FROM {listens_in(edge.span)}" for edge in edges)
    return f"({' UNION ALL '.join(parts)}) h"


def counted(listens: str, owner: str = "", *, signed: bool = False, until: Sequence[datetime] = ()) -> str:
    """The CTEs `plays`, by track, `credits`, by track and artist, `primary_artists`, and `counted`.

    The last has the columns `kind`, `id`, `plays` and `listen_time_ms`. `listens` says which rows of "History", as `h`,
    in what follows FROM. With an `owner`, one of their columns, all is by owner, too; else it is by listener, too.
    Where they are `signed`, each counts its `sign`. With instants, `until` each of them is counted by itself, in one
    pass: the columns are `plays_1`, `listen_time_ms_1`, `plays_2` and so on.

    What a genre counts is what its artists count, as primary ones, less what was counted twice: the listens of a track
    whose primary artists share the genre. Few tracks have more than one.
    """
    own, of_h = (f"{owner}, ", f"h.{owner}, ") if owner else ("", "")
    plays, time = ("sum(h.sign)", "sum(h.sign * p.duration_ms)") if signed else ("count(*)", "sum(p.duration_ms)")
    # What the names of the columns end in, and which listens they count.
    counts = {f"_{number}": f"FILTER (WHERE h.played_at < timestamp '{end}')" for number, end in enumerate(until, 1)}

    def each(columns: str) -> str:
        named = (counts or {"": ""}).items()
        return ", ".join(
            columns.format(n=name, plays=f"{plays} {which}", time=f"{time} {which}") for name, which in named
        )

    both, times = each("plays{n}, listen_time_ms{n}"), each("plays{n}, plays{n} * duration_ms AS listen_time_ms{n}")
    sums = each(
        "CAST(sum(plays{n}) AS integer) AS plays{n}, CAST(sum(listen_time_ms{n}) AS bigint) AS listen_time_ms{n}"
    )
    by_track = f"""
        SELECT {of_h}h.track_id, {each("CAST({plays} AS integer) AS plays{n}")} FROM {listens} GROUP BY {of_h}h.track_id
    """
    by_listener = f"""
        UNION ALL
        SELECT {Kind.LISTENER:d}, {listener_id("h.user_id")},
            {each("CAST({plays} AS integer), CAST(coalesce({time}, 0) AS bigint)")}
        FROM (SELECT h.* FROM {listens}) h JOIN plays p USING (track_id)
        GROUP BY h.user_id
    """
    return f"""
    plays AS MATERIALIZED (
        SELECT p.*, CAST(t.duration_ms AS bigint) AS duration_ms
        FROM ({by_track}) p JOIN "Tracks" t ON t.id = p.track_id
    ), credits AS MATERIALIZED (
        SELECT c.artist_id, c.is_primary, {own}track_id, {times} FROM plays JOIN "ArtistTracks" c USING (track_id)
    ), primary_artists AS MATERIALIZED (
        SELECT {own}artist_id, {sums} FROM credits WHERE is_primary GROUP BY {own}artist_id
    ), counted AS MATERIALIZED (
        SELECT {own}{Kind.TRACK:d} AS kind, track_id AS id, {times} FROM plays
        UNION ALL
        SELECT {own}{Kind.ARTIST:d}, artist_id, {sums} FROM credits GROUP BY {own}artist_id
        UNION ALL
        SELECT {own}{Kind.PRIMARY_ARTIST:d}, artist_id, {both} FROM primary_artists
        UNION ALL
        SELECT {own}{Kind.GENRE:d}, genre, {sums} FROM (
            SELECT {own}g.genre, {both} FROM primary_artists a JOIN "ArtistGenres" g ON g.id = a.artist_id
            UNION ALL
            SELECT {own}g.genre,
                {each("(1 - count(*)) * min(c.plays{n}), (1 - count(*)) * min(c.listen_time_ms{n})")}
            FROM (
                SELECT {own}track_id FROM credits WHERE is_primary GROUP BY {own}track_id HAVING count(*) > 1
            ) s JOIN credits c USING ({own}track_id) JOIN "ArtistGenres" g ON g.id = c.artist_id
            WHERE c.is_primary GROUP BY {own}track_id, g.genre HAVING count(*) > 1
        ) x GROUP BY {own}genre
        {"" if owner else by_listener}
    )
    """
