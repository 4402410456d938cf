SELECT id AS user_id FROM "Users" ORDER BY id
