-- The days on which listens came or went, each with the last fold that took one from the log. What the log still holds
-- is touched by the fold to come, whose number is greater than any.
SELECT day, max(fold) AS fold FROM (
    SELECT day, fold FROM insights.touched_days
    UNION ALL
    SELECT DISTINCT CAST(played_at AS date), {next_fold} FROM insights.listen_changes
) t GROUP BY day
