INSERT INTO listens
SELECT l.played_at, l.slot, t.number, u.number
FROM archived_listens l JOIN tracks t ON t.archived = l.track JOIN users u ON u.archived = l."user"
ORDER BY l.played_at
