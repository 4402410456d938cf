-- What changes of the catalogue that wait make of it: CTEs after those of `listen_changes`.
--
-- A track of which the catalogue says something else now (its artists, their genres, its duration) leaves with all that
-- it counted for in S, and comes back with what it counts for now. What S said is what is said now, less the changes.

-- The logs, each with no rows that the planner takes for a hundred, as in `listen_changes`.
duration_log AS (
    SELECT * FROM insights.duration_changes
    UNION ALL (SELECT (CAST(NULL AS insights.duration_changes)).* FROM generate_series(1, (SELECT 0)) LIMIT 100)
),
credit_log AS (
    SELECT * FROM insights.credit_changes
    UNION ALL (SELECT (CAST(NULL AS insights.credit_changes)).* FROM generate_series(1, (SELECT 0)) LIMIT 100)
),
genre_log AS (
    SELECT * FROM insights.genre_changes
    UNION ALL (SELECT (CAST(NULL AS insights.genre_changes)).* FROM generate_series(1, (SELECT 0)) LIMIT 100)
),

-- The net changes.
durations_before AS (
    SELECT DISTINCT ON (track_id) track_id, before FROM duration_log ORDER BY track_id, number
),
net_credits AS (
    SELECT track_id, artist_id, is_primary, sum(change) AS change FROM credit_log
    GROUP BY track_id, artist_id, is_primary HAVING sum(change) <> 0
),
net_genres AS (
    SELECT artist_id, genre, sum(change) AS change FROM genre_log GROUP BY artist_id, genre HAVING sum(change) <> 0
),

-- The tracks that they are about.
changed_tracks AS MATERIALIZED (
    SELECT track_id FROM net_credits
    UNION SELECT track_id FROM durations_before
    UNION SELECT c.track_id FROM "ArtistTracks" c WHERE c.artist_id IN (SELECT artist_id FROM net_genres)
),

-- The catalogue as it was, for those.
credits_before AS (
    SELECT c.track_id, c.artist_id, c.is_primary FROM "ArtistTracks" c JOIN changed_tracks USING (track_id)
    EXCEPT SELECT track_id, artist_id, is_primary FROM net_credits WHERE change > 0
    UNION SELECT track_id, artist_id, is_primary FROM net_credits WHERE change < 0
),
genres_before AS (
    SELECT g.id AS artist_id, g.genre FROM "ArtistGenres" g
    WHERE g.id IN (SELECT artist_id FROM credits_before WHERE is_primary)
    EXCEPT SELECT artist_id, genre FROM net_genres WHERE change > 0
    UNION SELECT artist_id, genre FROM net_genres WHERE change < 0
),

-- Their listens in S, and now.
plays_before AS (
    SELECT w.id AS window_id, c.track_id, CAST(r.plays AS bigint) AS plays
    FROM changed_tracks c CROSS JOIN windows w
    JOIN insights.rankings r ON r.window_id = w.id AND r.kind = {track} AND r.id = c.track_id
),
plays_after AS (
    SELECT window_id, track_id, sum(plays) AS plays FROM (
        SELECT * FROM plays_before
        UNION ALL SELECT * FROM plays WHERE track_id IN (SELECT track_id FROM changed_tracks)
    ) p GROUP BY window_id, track_id
),

-- What a listen of them counted for in S, and counts for now.
meaning_before AS MATERIALIZED (
    SELECT m.track_id, greatest(coalesce(d.before, t.duration_ms), 0) AS duration_ms, m.kind, m.id FROM (
        SELECT track_id, {track} AS kind, track_id AS id FROM changed_tracks
        UNION ALL
        SELECT track_id, {artist}, artist_id FROM credits_before
        UNION ALL
        SELECT track_id, {primary_artist}, artist_id FROM credits_before WHERE is_primary
        UNION ALL
        SELECT DISTINCT c.track_id, {genre}, g.genre FROM credits_before c
        JOIN genres_before g ON g.artist_id = c.artist_id WHERE c.is_primary
    ) m LEFT JOIN durations_before d ON d.track_id = m.track_id LEFT JOIN "Tracks" t ON t.id = m.track_id
    WHERE m.kind IN ({kinds})
),
meaning_after AS MATERIALIZED (
    SELECT t.id AS track_id, greatest(t.duration_ms, 0) AS duration_ms, m.kind, m.id
    FROM changed_tracks p JOIN "Tracks" t ON t.id = p.track_id CROSS JOIN LATERAL (
        SELECT {track} AS kind, t.id AS id
        UNION ALL
        SELECT {artist}, c.artist_id FROM "ArtistTracks" c WHERE c.track_id = t.id
        UNION ALL
        SELECT {primary_artist}, c.artist_id FROM "ArtistTracks" c WHERE c.track_id = t.id AND c.is_primary
        UNION ALL
        SELECT DISTINCT {genre}, g.genre FROM "ArtistTracks" c JOIN "ArtistGenres" g ON g.id = c.artist_id
        WHERE c.track_id = t.id AND c.is_primary
    ) m WHERE m.kind IN ({kinds})
),

-- `by_track` of `listen_changes`, with all this.
by_track_and_catalogue AS (
    SELECT * FROM by_track b WHERE NOT EXISTS (SELECT FROM changed_tracks c WHERE c.track_id = b.track_id)
    UNION ALL
    SELECT window_id, track_id, m.kind, m.id, -plays, -plays * m.duration_ms
    FROM plays_before JOIN meaning_before m USING (track_id)
    UNION ALL
    SELECT window_id, track_id, m.kind, m.id, plays, plays * m.duration_ms
    FROM plays_after JOIN meaning_after m USING (track_id)
),

-- `timed` of `listen_changes`, with all this: what was there before takes the difference of its track's durations. It
-- is what is there now, less what came, with what went.
timed_and_catalogue AS (
    SELECT * FROM timed
    UNION ALL
    SELECT b.window_id, b.user_id, b.played_at, 0,
        b.change * CAST(greatest(t.duration_ms, 0) - greatest(b.before, 0) AS bigint)
    FROM (
        SELECT w.id AS window_id, h.user_id, h.played_at, 1 AS change, d.track_id, d.before
        FROM "History" h JOIN durations_before d ON d.track_id = h.track_id
        JOIN windows w ON h.played_at >= w.starts AND h.played_at < w.ends
        UNION ALL
        SELECT p.window_id, p.user_id, p.played_at, -p.change, d.track_id, d.before
        FROM pending p JOIN durations_before d ON d.track_id = p.track_id
    ) b LEFT JOIN "Tracks" t ON t.id = b.track_id
)
