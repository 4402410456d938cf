SELECT user_id, track_id, {sign} AS sign FROM "History" WHERE {during}
