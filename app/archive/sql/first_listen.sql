SELECT min(played_at) FROM "History" WHERE {during}
