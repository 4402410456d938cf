{plays}
SELECT a.artist AS number, CAST(sum(plays) AS bigint) AS plays, CAST(sum(listen_time_ms) AS bigint) AS listen_time_ms
FROM timed JOIN track_artists a ON a.track = timed.track
GROUP BY a.artist
