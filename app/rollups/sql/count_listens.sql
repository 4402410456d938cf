-- `kind`, `id`, `plays` and `listen_time_ms` of `listens` (`user_id`, `track_id`, and the `sign` with which each counts).
WITH listens AS NOT MATERIALIZED ({listens}),

plays AS MATERIALIZED (
    SELECT p.track_id, p.plays, CAST(greatest(t.duration_ms, 0) AS bigint) AS duration_ms
    FROM (SELECT track_id, CAST(sum(sign) AS integer) AS plays FROM listens GROUP BY track_id) p
    JOIN "Tracks" t ON t.id = p.track_id
),

credits AS MATERIALIZED (
    SELECT c.artist_id, c.is_primary, track_id, plays, plays * duration_ms AS listen_time_ms
    FROM plays JOIN "ArtistTracks" c USING (track_id)
),

primary_artists AS MATERIALIZED (
    SELECT artist_id, CAST(sum(plays) AS integer) AS plays, CAST(sum(listen_time_ms) AS bigint) AS listen_time_ms
    FROM credits WHERE is_primary GROUP BY artist_id
),

-- What was counted twice for a genre: the listens of a track whose primary artists share it. Few tracks have several.
counted_twice AS (
    SELECT g.genre, (count(*) - 1) * min(c.plays) AS plays, (count(*) - 1) * min(c.listen_time_ms) AS listen_time_ms
    FROM (SELECT track_id FROM credits WHERE is_primary GROUP BY track_id HAVING count(*) > 1) several
    JOIN credits c USING (track_id) JOIN "ArtistGenres" g ON g.id = c.artist_id
    WHERE c.is_primary GROUP BY track_id, g.genre HAVING count(*) > 1
)

SELECT {track} AS kind, track_id AS id, plays, plays * duration_ms AS listen_time_ms FROM plays
UNION ALL
SELECT {artist}, artist_id, sum(plays), sum(listen_time_ms) FROM credits GROUP BY artist_id
UNION ALL
SELECT {primary_artist}, artist_id, plays, listen_time_ms FROM primary_artists
UNION ALL
-- What its artists count, as primary ones.
SELECT {genre}, g.genre, plays, listen_time_ms FROM primary_artists a JOIN "ArtistGenres" g ON g.id = a.artist_id
UNION ALL
SELECT {genre}, genre, -plays, -listen_time_ms FROM counted_twice
UNION ALL
SELECT {listener}, {listener_id}, sum(sign), sum(sign * p.duration_ms)
FROM listens JOIN plays p USING (track_id) GROUP BY user_id
