-- `id` and `played_at` of the primary artists whose first listen may be another one now; null where none is left.
WITH tracks AS MATERIALIZED ({tracks}),

artists AS (
    SELECT c.artist_id FROM "ArtistTracks" c JOIN tracks t ON t.id = c.track_id WHERE c.is_primary
    UNION SELECT artist_id FROM insights.credit_changes
),

-- All of their tracks, changed or not.
credits AS MATERIALIZED (
    SELECT a.artist_id, c.track_id FROM artists a
    LEFT JOIN "ArtistTracks" c ON c.artist_id = a.artist_id AND c.is_primary
)

SELECT CAST(c.artist_id AS varchar(120)) AS id,
    min(CASE WHEN t.id IS NULL THEN f.played_at ELSE t.played_at END) AS played_at
FROM credits c
LEFT JOIN tracks t ON t.id = c.track_id
LEFT JOIN insights.firsts f ON f.kind = {track} AND f.id = c.track_id
GROUP BY c.artist_id
