-- Add what waits to the rankings, and to their sizes.
WITH changes AS MATERIALIZED ({changes}),

changed AS (
    INSERT INTO insights.rankings AS r (window_id, kind, id, plays, listen_time_ms)
    SELECT window_id, kind, id, plays, listen_time_ms FROM changes ORDER BY window_id, kind, id
    ON CONFLICT (window_id, kind, id) DO UPDATE
    SET plays = r.plays + excluded.plays, listen_time_ms = r.listen_time_ms + excluded.listen_time_ms
    RETURNING window_id, kind, id, r.xmax = 0 AS is_new
)

UPDATE insights.sizes s
SET rows = s.rows + c.rows, plays = s.plays + c.plays, listen_time_ms = s.listen_time_ms + c.listen_time_ms
FROM (
    SELECT window_id, kind, sum(plays) AS plays, sum(listen_time_ms) AS listen_time_ms,
        count(*) FILTER (WHERE is_new) AS rows
    FROM changes JOIN changed USING (window_id, kind, id) GROUP BY window_id, kind
) c
WHERE s.window_id = c.window_id AND s.kind = c.kind
