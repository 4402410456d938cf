DELETE FROM insights.windows;
DELETE FROM insights.rankings;
DELETE FROM insights.sizes;
DELETE FROM insights.slots;
DELETE FROM insights.firsts;
DELETE FROM insights.listen_changes;
DELETE FROM insights.credit_changes;
DELETE FROM insights.genre_changes;
DELETE FROM insights.duration_changes;
DELETE FROM insights.truncations;
DELETE FROM insights.touched_days;
UPDATE insights.state SET distrust = NULL, slots_built = false, firsts_built = false, epoch = gen_random_uuid()
