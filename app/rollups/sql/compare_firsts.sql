-- Where the first listens, with what waits, are not what the live tables say.
WITH live_tracks AS MATERIALIZED (
    SELECT track_id, min(played_at) AS played_at FROM "History" WHERE {ever} GROUP BY track_id
),

live AS (
    SELECT {track} AS kind, track_id AS id, played_at FROM live_tracks
    UNION ALL
    SELECT {primary_artist}, c.artist_id, min(t.played_at)
    FROM live_tracks t JOIN "ArtistTracks" c USING (track_id) WHERE c.is_primary GROUP BY c.artist_id
),

changes AS (
    SELECT {track} AS kind, id, played_at FROM ({tracks}) t
    UNION ALL SELECT {primary_artist}, id, played_at FROM ({artists}) a
),

kept AS (
    SELECT kind, id, played_at FROM insights.firsts
    WHERE NOT EXISTS (SELECT FROM changes c WHERE c.kind = firsts.kind AND c.id = firsts.id)
    UNION ALL SELECT kind, id, played_at FROM changes WHERE played_at IS NOT NULL
)

SELECT kind, id, kept.played_at AS kept, live.played_at AS live FROM live FULL JOIN kept USING (kind, id)
WHERE live.played_at IS DISTINCT FROM kept.played_at
ORDER BY kind, id
