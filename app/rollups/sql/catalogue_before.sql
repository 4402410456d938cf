-- The catalogue in the state S of `listen_changes`, for tracks of which it says something else now: CTEs. What S said is
-- what is said now, less the changes.

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
)
