-- Where the slots, with what waits, are not what the live tables say.
WITH live AS (
    SELECT {slot} AS slot, count(*) AS plays, sum(CAST(greatest(t.duration_ms, 0) AS bigint)) AS ms
    FROM "History" h JOIN "Tracks" t ON t.id = h.track_id WHERE {ever} GROUP BY 1
),

kept AS (
    SELECT slot, sum(plays) AS plays, sum(listen_time_ms) AS ms FROM (
        SELECT slot, plays, listen_time_ms FROM insights.slots
        UNION ALL SELECT slot, plays, listen_time_ms FROM ({changes}) c
    ) k GROUP BY slot HAVING sum(plays) <> 0 OR sum(listen_time_ms) <> 0
)

SELECT slot, coalesce(kept.plays, 0) AS kept_plays, coalesce(kept.ms, 0) AS kept_time,
    coalesce(live.plays, 0) AS live_plays, coalesce(live.ms, 0) AS live_time
FROM live FULL JOIN kept USING (slot)
WHERE (live.plays, live.ms) IS DISTINCT FROM (kept.plays, kept.ms)
ORDER BY slot
