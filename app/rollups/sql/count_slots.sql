INSERT INTO insights.slots (slot, plays, listen_time_ms)
SELECT {slot}, count(*), sum(CAST(greatest(t.duration_ms, 0) AS bigint))
FROM "History" h JOIN "Tracks" t ON t.id = h.track_id WHERE {ever} GROUP BY 1
