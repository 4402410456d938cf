"""Counting live listens by all that a listen counts for, as SQL."""

from app.models.rollups import Kind


def counted(listens: str, owner: str = "") -> str:
    """The CTEs `plays`, by track, `credits`, by track and artist, and `counted`.

    This has the columns `kind`, `id`, `plays` and `listen_time_ms`. `listens` says which rows of "History", as `h`, in
    what follows FROM. With an `owner`, one of their columns, all is by owner, too.
    """
    own, of_h = (f"{owner}, ", f"h.{owner}, ") if owner else ("", "")
    return f"""
    plays AS MATERIALIZED (
        SELECT {own}p.track_id, p.plays, p.plays * CAST(t.duration_ms AS bigint) AS listen_time_ms
        FROM (SELECT {of_h}h.track_id, count(*) AS plays FROM {listens} GROUP BY {of_h}h.track_id) p
        JOIN "Tracks" t ON t.id = p.track_id
    ), credits AS MATERIALIZED (
        SELECT c.artist_id, c.is_primary, p.* FROM plays p JOIN "ArtistTracks" c USING (track_id)
    ), counted AS (
        SELECT {own}{Kind.TRACK:d} AS kind, track_id AS id, plays, listen_time_ms FROM plays
        UNION ALL
        SELECT {own}{Kind.ARTIST:d}, artist_id, sum(plays), sum(listen_time_ms) FROM credits GROUP BY {own}artist_id
        UNION ALL
        SELECT {own}{Kind.PRIMARY_ARTIST:d}, artist_id, sum(plays), sum(listen_time_ms) FROM credits WHERE is_primary
        GROUP BY {own}artist_id
        UNION ALL
        SELECT {own}{Kind.GENRE:d}, genre, sum(plays), sum(listen_time_ms) FROM (
            SELECT DISTINCT {own}c.track_id, g.genre, c.plays, c.listen_time_ms
            FROM credits c JOIN "ArtistGenres" g ON g.id = c.artist_id WHERE c.is_primary
        ) x GROUP BY {own}genre
    )
    """
