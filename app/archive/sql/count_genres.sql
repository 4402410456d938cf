{plays}
SELECT g.genre AS number, CAST(sum(plays) AS bigint) AS plays, CAST(sum(listen_time_ms) AS bigint) AS listen_time_ms
FROM timed JOIN track_genres g ON g.track = timed.track
GROUP BY g.genre
