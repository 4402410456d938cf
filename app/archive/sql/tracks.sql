SELECT id AS track_id, duration_ms FROM "Tracks" ORDER BY id COLLATE "C"
