-- What there is, and whether it is as it has to be: one row, even where the table `state` has none.
SELECT s.distrust, s.slots_built, s.firsts_built,
    (SELECT version_num FROM insights.alembic_version) AS version,
    ({readable}) AS readable,
    ({watched}) AS watched,
    -- Listens are counted, and a table that has rows then takes no space.
    EXISTS (SELECT FROM insights.windows)
        AND (NOT EXISTS (SELECT FROM insights.sizes) OR EXISTS (SELECT FROM insights.sizes WHERE plays > 0)
            AND 0 IN (pg_relation_size('insights.rankings'), pg_relation_size('insights.slots'),
                pg_relation_size('insights.firsts'))) AS emptied,
    EXISTS (SELECT FROM insights.truncations) AS truncated,
    waiting.listens AS listens_changed,
    waiting.catalogue AS catalogue_changed,
    (SELECT json_agg(json_build_array(id, starts, ends)) FROM insights.windows) AS windows,
    (SELECT min(slot) FROM insights.slots) AS first_slot
FROM ({waiting}) AS waiting LEFT JOIN insights.state s ON true
