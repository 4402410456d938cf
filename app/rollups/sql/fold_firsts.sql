-- Set the first listens that may be others now.
WITH changes AS MATERIALIZED ({changes}),

gone AS (
    DELETE FROM insights.firsts f USING changes c WHERE f.kind = {kind} AND f.id = c.id AND c.played_at IS NULL
)

INSERT INTO insights.firsts AS f (kind, id, played_at)
SELECT {kind}, id, played_at FROM changes WHERE played_at IS NOT NULL
ON CONFLICT (kind, id) DO UPDATE SET played_at = excluded.played_at WHERE f.played_at <> excluded.played_at
