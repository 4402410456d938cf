-- Add what waits to the slots.
INSERT INTO insights.slots AS s (slot, plays, listen_time_ms)
SELECT slot, plays, listen_time_ms FROM ({changes}) c
ON CONFLICT (slot) DO UPDATE
SET plays = s.plays + excluded.plays, listen_time_ms = s.listen_time_ms + excluded.listen_time_ms
