-- `window_id`, `kind`, `id`, `plays` and `listen_time_ms` to add to the rankings of `windows`.
WITH windows AS ({windows}),
{changes}
SELECT window_id, CAST(kind AS smallint) AS kind, CAST(id AS varchar(120)) AS id,
    CAST(sum(plays) AS integer) AS plays, CAST(sum(listen_time_ms) AS bigint) AS listen_time_ms
FROM (
    SELECT window_id, kind, id, plays, listen_time_ms FROM {by_track}
    UNION ALL
    SELECT window_id, {listener}, {listener_id}, change, listen_time_ms FROM {timed} WHERE {listener} IN ({kinds})
) c
GROUP BY window_id, kind, id
HAVING sum(plays) <> 0 OR sum(listen_time_ms) <> 0
