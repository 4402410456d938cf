-- Which changes wait to be folded in.
SELECT EXISTS (SELECT FROM insights.listen_changes) AS listens,
    EXISTS (SELECT FROM insights.credit_changes) OR EXISTS (SELECT FROM insights.genre_changes)
        OR EXISTS (SELECT FROM insights.duration_changes) AS catalogue
