-- The sizes of a window's rankings.
INSERT INTO insights.sizes (window_id, kind, rows, plays, listen_time_ms)
SELECT :window_id, k.kind, count(r.id), coalesce(sum(r.plays), 0), coalesce(sum(r.listen_time_ms), 0)
FROM unnest(CAST(ARRAY[{all_kinds}] AS smallint[])) AS k (kind)
LEFT JOIN insights.rankings r ON r.window_id = :window_id AND r.kind = k.kind
GROUP BY k.kind
