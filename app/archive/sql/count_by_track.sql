-- The listens of a span by what the catalogue says of their tracks.
WITH plays AS (
    SELECT track, count(*) AS plays FROM listens WHERE {during} GROUP BY track
),
timed AS (
    SELECT p.track, p.plays, p.plays * t.duration_ms AS listen_time_ms FROM plays p JOIN tracks t ON t.number = p.track
)
SELECT {key} AS number, CAST(sum(plays) AS bigint) AS plays, CAST(sum(listen_time_ms) AS bigint) AS listen_time_ms
FROM timed {meaning}
GROUP BY {key}
