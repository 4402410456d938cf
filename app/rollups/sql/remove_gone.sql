-- Take what has no listens any more out of the rankings.
WITH gone AS (DELETE FROM insights.rankings WHERE plays = 0 RETURNING window_id, kind)
UPDATE insights.sizes s SET rows = s.rows - g.rows
FROM (SELECT window_id, kind, count(*) AS rows FROM gone GROUP BY window_id, kind) g
WHERE s.window_id = g.window_id AND s.kind = g.kind
