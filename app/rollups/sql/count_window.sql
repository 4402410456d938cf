-- The rankings of a new window: those of another one, if any, and the listens by which it differs.
INSERT INTO insights.rankings (window_id, kind, id, plays, listen_time_ms)
SELECT :window_id, kind, id, sum(plays), sum(listen_time_ms) FROM (
    SELECT kind, id, plays, listen_time_ms FROM insights.rankings WHERE window_id = :base_id
    UNION ALL
    SELECT kind, id, plays, listen_time_ms FROM ({counted}) c
) u
GROUP BY kind, id HAVING sum(plays) > 0 ORDER BY kind, id
