-- What was announced since the snapshot `seen`, and the snapshot of now.
WITH new AS MATERIALIZED (
    SELECT users FROM insights.announcements
    WHERE transaction >= pg_snapshot_xmin(CAST(:seen AS pg_snapshot))
        AND NOT pg_visible_in_snapshot(transaction, CAST(:seen AS pg_snapshot))
)
SELECT CAST(pg_current_snapshot() AS text) AS snapshot, EXISTS (SELECT FROM new) AS changed,
    -- Or may have concerned: something that is deleted.
    EXISTS (SELECT FROM new WHERE users IS NULL) OR EXISTS (
        SELECT FROM insights.state WHERE forgotten > pg_snapshot_xmin(CAST(:seen AS pg_snapshot))
    ) AS concerns_all,
    ARRAY(SELECT DISTINCT user_id FROM new, unnest(users) AS user_id) AS users
