-- What the listens that wait to be folded in count for: CTEs over `windows` (`id`, `starts`, `ends`).
--
-- All of it reads one snapshot, in which the rollups are those of an earlier state S of the live tables, and the logs
-- hold each change since S. A listen that came or went counts for what the catalogue now says of its track.

-- The changes in each window: +1 for a listen that came, -1 for one that went. And no rows, which the planner takes for
-- a hundred. What it knows of the log may be of an instant at which that was empty: it would go through all changes for
-- each of them then, or of what became of them; with 20,000, for hours.
pending AS (
    SELECT w.id AS window_id, user_id, track_id, played_at, change
    FROM insights.listen_changes JOIN windows w ON played_at >= w.starts AND played_at < w.ends
    UNION ALL
    (
        SELECT CAST(NULL AS integer), c.user_id, c.track_id, c.played_at, c.change
        FROM generate_series(1, (SELECT 0)), (SELECT (CAST(NULL AS insights.listen_changes)).*) c LIMIT 100
    )
),

plays AS (
    SELECT window_id, track_id, sum(change) AS plays FROM pending GROUP BY window_id, track_id HAVING sum(change) <> 0
),

-- What a listen of these tracks counts for.
meaning AS MATERIALIZED (
    SELECT t.id AS track_id, greatest(t.duration_ms, 0) AS duration_ms, m.kind, m.id
    FROM ({touched}) p JOIN "Tracks" t ON t.id = p.track_id CROSS JOIN LATERAL (
        SELECT {track} AS kind, t.id AS id
        UNION ALL
        SELECT {artist}, c.artist_id FROM "ArtistTracks" c WHERE c.track_id = t.id
        UNION ALL
        SELECT {primary_artist}, c.artist_id FROM "ArtistTracks" c WHERE c.track_id = t.id AND c.is_primary
        UNION ALL
        SELECT DISTINCT {genre}, g.genre FROM "ArtistTracks" c JOIN "ArtistGenres" g ON g.id = c.artist_id
        WHERE c.track_id = t.id AND c.is_primary
    ) m WHERE m.kind IN ({kinds})
),

-- What is to be added by track, artist and genre.
by_track AS (
    SELECT window_id, track_id, m.kind, m.id, plays, plays * m.duration_ms AS listen_time_ms
    FROM plays JOIN meaning m USING (track_id)
),

-- What is to be added by listen: by listener, and by slot.
timed AS (
    SELECT p.window_id, p.user_id, p.played_at, CAST(p.change AS bigint) AS change,
        p.change * CAST(greatest(t.duration_ms, 0) AS bigint) AS listen_time_ms
    FROM pending p LEFT JOIN "Tracks" t ON t.id = p.track_id
)
