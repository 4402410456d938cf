-- The listens of a span by track: CTEs.
WITH plays AS (
    SELECT track, count(*) AS plays FROM listens WHERE {during} GROUP BY track
),
timed AS (
    SELECT p.track, p.plays, p.plays * t.duration_ms AS listen_time_ms FROM plays p JOIN tracks t ON t.number = p.track
)
