-- `slot`, `plays` and `listen_time_ms` to add to the slots in the one span that `windows` has.
WITH windows AS ({windows}),
{changes}
SELECT {slot} AS slot, CAST(sum(change) AS integer) AS plays, CAST(sum(listen_time_ms) AS bigint) AS listen_time_ms
FROM {timed}
GROUP BY 1
HAVING sum(change) <> 0 OR sum(listen_time_ms) <> 0
