-- `id` and `played_at` of the tracks whose first listen may be another one now; null where none is left.
WITH touched AS (
    SELECT track_id, min(played_at) FILTER (WHERE change > 0) AS came, bool_or(change < 0) AS lost
    FROM (
        SELECT * FROM insights.listen_changes
        UNION ALL (SELECT (CAST(NULL AS insights.listen_changes)).* FROM generate_series(1, (SELECT 0)) LIMIT 100)
    ) listen_log
    GROUP BY track_id
),

-- After a listen that went, the live listens of the track tell: they are read in one pass where no index finds them.
left_over AS (
    SELECT track_id, min(played_at) AS played_at FROM "History"
    WHERE track_id IN (SELECT track_id FROM touched WHERE lost) AND {ever} GROUP BY track_id
)

-- A listen that came can only be earlier than the first one.
SELECT CAST(t.track_id AS varchar(120)) AS id,
    CASE WHEN t.lost THEN l.played_at ELSE least(f.played_at, t.came) END AS played_at
FROM touched t
LEFT JOIN insights.firsts f ON f.kind = {track} AND f.id = t.track_id
LEFT JOIN left_over l ON l.track_id = t.track_id
