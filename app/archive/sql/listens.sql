SELECT played_at, user_id, track_id FROM "History" WHERE {during} ORDER BY played_at, user_id
