-- Where a window's rankings, with what waits, are not what the live tables say.
WITH w AS (SELECT starts, ends FROM insights.windows WHERE id = :window_id),

listens AS MATERIALIZED (
    SELECT h.user_id, h.track_id, CAST(greatest(t.duration_ms, 0) AS bigint) AS ms
    FROM "History" h JOIN "Tracks" t ON t.id = h.track_id, w WHERE h.played_at >= w.starts AND h.played_at < w.ends
),

live AS (
    SELECT {track} AS kind, track_id AS id, count(*) AS plays, sum(ms) AS ms FROM listens GROUP BY track_id
    UNION ALL
    SELECT {artist}, c.artist_id, count(*), sum(ms)
    FROM listens JOIN "ArtistTracks" c USING (track_id) GROUP BY c.artist_id
    UNION ALL
    SELECT {primary_artist}, c.artist_id, count(*), sum(ms)
    FROM listens JOIN "ArtistTracks" c USING (track_id) WHERE c.is_primary GROUP BY c.artist_id
    UNION ALL
    SELECT {genre}, g.genre, count(*), sum(ms) FROM listens JOIN (
        SELECT DISTINCT c.track_id, g.genre FROM "ArtistTracks" c JOIN "ArtistGenres" g ON g.id = c.artist_id
        WHERE c.is_primary
    ) g USING (track_id) GROUP BY g.genre
    UNION ALL
    SELECT {listener}, {listener_id}, count(*), sum(ms) FROM listens GROUP BY user_id
),

kept AS (
    SELECT kind, id, sum(plays) AS plays, sum(listen_time_ms) AS ms FROM (
        SELECT kind, id, plays, listen_time_ms FROM insights.rankings WHERE window_id = :window_id
        UNION ALL SELECT kind, id, plays, listen_time_ms FROM ({changes}) c
    ) k GROUP BY kind, id HAVING sum(plays) <> 0 OR sum(listen_time_ms) <> 0
)

SELECT kind, id, coalesce(kept.plays, 0) AS kept_plays, coalesce(kept.ms, 0) AS kept_time,
    coalesce(live.plays, 0) AS live_plays, coalesce(live.ms, 0) AS live_time
FROM live FULL JOIN kept USING (kind, id)
WHERE (live.plays, live.ms) IS DISTINCT FROM (kept.plays, kept.ms)
ORDER BY kind, id
