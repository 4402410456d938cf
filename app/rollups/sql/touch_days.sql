-- Note the days of the listens that came or went, with the number of this fold.
INSERT INTO insights.touched_days (day, fold)
SELECT day, (SELECT coalesce(max(fold), 0) + 1 FROM insights.touched_days)
FROM (SELECT DISTINCT CAST(played_at AS date) AS day FROM insights.listen_changes) d
ON CONFLICT (day) DO UPDATE SET fold = excluded.fold
