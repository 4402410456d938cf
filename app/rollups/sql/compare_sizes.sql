-- The kinds of a window's rankings whose size is not that of their rows.
SELECT k.kind FROM unnest(ARRAY[{all_kinds}]) AS k (kind)
LEFT JOIN insights.sizes s ON s.window_id = :window_id AND s.kind = k.kind
LEFT JOIN insights.rankings r ON r.window_id = :window_id AND r.kind = k.kind
GROUP BY k.kind, s.rows, s.plays, s.listen_time_ms
HAVING (s.rows, s.plays, s.listen_time_ms)
    IS DISTINCT FROM (count(r.id), coalesce(sum(r.plays), 0), coalesce(sum(r.listen_time_ms), 0))
ORDER BY k.kind
