-- Where this snapshot stands in the rollups' log.
SELECT CAST(epoch AS text) AS epoch,
    (SELECT coalesce(max(fold), 0) FROM insights.touched_days) AS fold,
    CAST(pg_current_snapshot() AS text) AS snapshot
FROM insights.state
