-- The listens of a span by a column of theirs.
SELECT {key} AS number, count(*) AS plays, CAST(sum(t.duration_ms) AS bigint) AS listen_time_ms
FROM listens l JOIN tracks t ON t.number = l.track
WHERE {during}
GROUP BY {key}
