-- What changes of the catalogue that wait make of it: CTEs after those of `catalogue_before` and `listen_changes`.
--
-- A track of which the catalogue says something else now (its artists, their genres, its duration) leaves with all that
-- it counted for in S, and comes back with what it counts for now.

-- Their listens in S, and now.
plays_before AS (
    SELECT w.id AS window_id, c.track_id, CAST(r.plays AS bigint) AS plays
    FROM changed_tracks c CROSS JOIN windows w
    JOIN insights.rankings r ON r.window_id = w.id AND r.kind = {track} AND r.id = c.track_id
),
plays_after AS (
    SELECT window_id, track_id, sum(plays) AS plays FROM (
        SELECT * FROM plays_before
        UNION ALL SELECT * FROM plays WHERE track_id IN (SELECT track_id FROM changed_tracks)
    ) p GROUP BY window_id, track_id
),

-- What a listen of them counted for in S.
meaning_before AS MATERIALIZED (
    SELECT m.track_id, greatest(coalesce(d.before, t.duration_ms), 0) AS duration_ms, m.kind, m.id FROM (
        SELECT track_id, {track} AS kind, track_id AS id FROM changed_tracks
        UNION ALL
        SELECT track_id, {artist}, artist_id FROM credits_before
        UNION ALL
        SELECT track_id, {primary_artist}, artist_id FROM credits_before WHERE is_primary
        UNION ALL
        SELECT DISTINCT c.track_id, {genre}, g.genre FROM credits_before c
        JOIN genres_before g ON g.artist_id = c.artist_id WHERE c.is_primary
    ) m LEFT JOIN durations_before d ON d.track_id = m.track_id LEFT JOIN "Tracks" t ON t.id = m.track_id
    WHERE m.kind IN ({kinds})
),

-- `by_track` of `listen_changes`, with all this.
by_track_and_catalogue AS (
    SELECT * FROM by_track b WHERE NOT EXISTS (SELECT FROM changed_tracks c WHERE c.track_id = b.track_id)
    UNION ALL
    SELECT window_id, track_id, m.kind, m.id, -plays, -plays * m.duration_ms
    FROM plays_before JOIN meaning_before m USING (track_id)
    UNION ALL
    SELECT window_id, track_id, m.kind, m.id, plays, plays * m.duration_ms
    FROM plays_after JOIN meaning m USING (track_id)
),

-- `timed` of `listen_changes`, with all this: what was there before takes the difference of its track's durations. It
-- is what is there now, less what came, with what went.
timed_and_catalogue AS (
    SELECT * FROM timed
    UNION ALL
    SELECT b.window_id, b.user_id, b.played_at, 0,
        b.change * CAST(greatest(t.duration_ms, 0) - greatest(b.before, 0) AS bigint)
    FROM (
        SELECT w.id AS window_id, h.user_id, h.played_at, 1 AS change, d.track_id, d.before
        FROM "History" h JOIN durations_before d ON d.track_id = h.track_id
        JOIN windows w ON h.played_at >= w.starts AND h.played_at < w.ends
        UNION ALL
        SELECT p.window_id, p.user_id, p.played_at, -p.change, d.track_id, d.before
        FROM pending p JOIN durations_before d ON d.track_id = p.track_id
    ) b LEFT JOIN "Tracks" t ON t.id = b.track_id
)
