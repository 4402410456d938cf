-- What was announced since the last look: by transactions from `since` on, the first that was not over then, besides the
-- `known` ones. (A snapshot would name those in progress, but not on a standby.) And what the next look has to be given.
WITH new AS MATERIALIZED (
    SELECT users FROM insights.announcements
    WHERE transaction >= CAST(:since AS xid8) AND transaction <> ALL(CAST(:known AS xid8[]))
)
SELECT CAST(oldest AS text) AS since,
    ARRAY(SELECT DISTINCT CAST(transaction AS text) FROM insights.announcements WHERE transaction >= oldest) AS known,
    EXISTS (SELECT FROM new) AS changed,
    -- Or may have concerned: something that is deleted.
    EXISTS (SELECT FROM new WHERE users IS NULL)
        OR EXISTS (SELECT FROM insights.state WHERE forgotten > CAST(:since AS xid8)) AS concerns_all,
    ARRAY(SELECT DISTINCT user_id FROM new, unnest(users) AS user_id) AS users
FROM pg_snapshot_xmin(pg_current_snapshot()) AS oldest
