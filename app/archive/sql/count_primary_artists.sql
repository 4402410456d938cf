{plays}
SELECT a.artist AS number, CAST(sum(plays) AS bigint) AS plays, CAST(sum(listen_time_ms) AS bigint) AS listen_time_ms
FROM timed JOIN track_artists a ON a.track = timed.track
WHERE a.is_primary
GROUP BY a.artist
