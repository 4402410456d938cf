-- The first listen of each track, and of each primary artist.
WITH tracks AS MATERIALIZED (
    SELECT track_id AS id, min(played_at) AS played_at FROM "History" WHERE {ever} GROUP BY track_id
)
INSERT INTO insights.firsts (kind, id, played_at)
SELECT {track}, id, played_at FROM tracks
UNION ALL
SELECT {primary_artist}, c.artist_id, min(t.played_at)
FROM tracks t JOIN "ArtistTracks" c ON c.track_id = t.id AND c.is_primary GROUP BY c.artist_id
