-- Empty the logs; the number of changes.
WITH listens AS (DELETE FROM insights.listen_changes RETURNING 1),
credits AS (DELETE FROM insights.credit_changes RETURNING 1),
genres AS (DELETE FROM insights.genre_changes RETURNING 1),
durations AS (DELETE FROM insights.duration_changes RETURNING 1)
SELECT (SELECT count(*) FROM listens) + (SELECT count(*) FROM credits)
    + (SELECT count(*) FROM genres) + (SELECT count(*) FROM durations)
