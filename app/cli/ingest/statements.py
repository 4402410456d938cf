"""The SQL that loads what has been read of a file: set by set, whatever the number of plays."""

# `known` has the keys of the catalogue's tracks, `made` the tracks that this command has added. The others are of one
# file, and empty at its transaction's end.
TABLES = """
    CREATE TEMPORARY TABLE known (key text, track_id text);
    CREATE TEMPORARY TABLE made (track_id text PRIMARY KEY, is_told boolean);
    CREATE TEMPORARY TABLE read_plays (
        number int, at timestamp, is_start boolean, played_ms int, has_ended boolean, duration_ms int,
        ref text, has_id boolean, key text, title text, artists json
    ) ON COMMIT DELETE ROWS;
    CREATE TEMPORARY TABLE read_tracks (
        ref text, id text, has_id boolean, key text, title text, artists json, told_ms int, longest_ms int
    ) ON COMMIT DELETE ROWS;
    CREATE TEMPORARY TABLE read_listens (
        number int, id text, key text, played_at timestamp, verdict text
    ) ON COMMIT DELETE ROWS;
"""

# After the catalogue has been read: rows of an index that is there cost more.
INDEXES = """
    CREATE INDEX ON known (key);
    CREATE INDEX ON known (track_id);
    ANALYZE known;
"""

# A row for each track of the file, with the length that the format tells, and the longest play to the track's end.
TRACKS = """
    INSERT INTO read_tracks
    WITH lengths AS (
        SELECT ref, max(duration_ms) AS told_ms, max(played_ms) FILTER (WHERE has_ended) AS longest_ms
        FROM read_plays GROUP BY ref
    )
    SELECT DISTINCT ON (ref) ref, ref, has_id, key, title, artists, nullif(told_ms, 0), nullif(longest_ms, 0)
    FROM read_plays JOIN lengths USING (ref)
    ORDER BY ref, number
"""

# What comes with names alone is the catalogue's track of the same title and primary artist: the one with most listens.
SAME_NAMES = """
    WITH candidate AS (
        SELECT ref, track_id, count(*) OVER (PARTITION BY ref) AS candidates
        FROM read_tracks JOIN known USING (key) WHERE NOT has_id
    ), heard AS (
        SELECT track_id, count(*) AS listens FROM "History"
        WHERE track_id IN (SELECT track_id FROM candidate WHERE candidates > 1) GROUP BY track_id
    ), best AS (
        SELECT DISTINCT ON (ref) ref, track_id FROM candidate LEFT JOIN heard USING (track_id)
        ORDER BY ref, coalesce(listens, 0) DESC, track_id COLLATE "C"
    )
    UPDATE read_tracks SET id = track_id FROM best WHERE read_tracks.ref = best.ref
"""

# Which plays are listens that are not there yet: those with a null `verdict`.
LISTENS = """
    INSERT INTO read_listens
    WITH track AS (
        SELECT ref, t.id, coalesce(nullif(c.duration_ms, 0), told_ms, longest_ms, 0) AS length_ms
        FROM read_tracks t LEFT JOIN "Tracks" c ON c.id = t.id
    ), timed AS (
        SELECT p.*, id, length_ms, coalesce(played_ms, length_ms) AS lasted_ms,
            at + CASE WHEN is_start THEN coalesce(played_ms, length_ms) ELSE 0 END * interval '1 ms' AS played_at,
            is_start AND played_ms IS NULL AS has_start_alone
        FROM read_plays p JOIN track USING (ref)
    ), judged AS (
        SELECT *, CASE
            WHEN :own THEN NULL
            WHEN played_at > :now THEN 'FUTURE'
            WHEN played_at < '1970-01-01' THEN 'PAST'
            WHEN played_ms < :shortest_ms AND NOT (
                length_ms BETWEEN 1 AND :shortest_ms - 1 AND (has_ended OR played_ms >= length_ms)
            ) THEN 'SHORT'
        END AS verdict FROM timed
    ), followed AS (
        SELECT *, played_at - lag(played_at) OVER (
            PARTITION BY coalesce(key, id), verdict ORDER BY played_at, number
        ) AS gap FROM judged
    )
    SELECT number, id, key, played_at, CASE
        WHEN verdict IS NOT NULL THEN verdict
        WHEN NOT :own AND gap + :precision_ms * interval '1 ms' < lasted_ms * interval '1 ms'
            AND (has_start_alone OR gap <= :tolerance) THEN 'REPEATED'
        WHEN EXISTS (
            SELECT FROM "History" h
            WHERE user_id = :user_id
            AND h.played_at BETWEEN CASE WHEN has_start_alone THEN at ELSE followed.played_at END - :tolerance
                AND followed.played_at + :tolerance
            AND (h.track_id = followed.id OR EXISTS (
                SELECT FROM known WHERE known.track_id = h.track_id AND known.key = followed.key
            ))
        ) THEN 'THERE'
    END FROM followed
"""

LEFT = "SELECT EXISTS (SELECT FROM read_listens WHERE verdict IS NULL)"

VERDICTS = "SELECT verdict, count(*) AS number FROM read_listens GROUP BY verdict"

# The catalogue's new rows: of tracks that are listened to, in the order of their ids, so that loaders wait for each
# other rather than deadlock.
NEW_TRACKS = """
    WITH heard AS (SELECT DISTINCT id FROM read_listens WHERE verdict IS NULL), new AS (
        INSERT INTO "Tracks" (id, name, duration_ms)
        SELECT DISTINCT ON (id) id, coalesce(title, ''), coalesce(told_ms, longest_ms, 0)
        FROM read_tracks JOIN heard USING (id) ORDER BY id ON CONFLICT DO NOTHING RETURNING id
    )
    INSERT INTO made SELECT DISTINCT ON (id) id, told_ms IS NOT NULL FROM read_tracks JOIN new USING (id)
"""
CREDITS = """
    WITH credit AS (
        SELECT t.id AS track_id, artist.* FROM read_tracks t JOIN made ON made.track_id = t.id,
            LATERAL json_to_recordset(t.artists) AS artist (id text, name text, is_primary boolean)
        WHERE NOT EXISTS (SELECT FROM "ArtistTracks" c WHERE c.track_id = t.id)
    ), artist AS (
        INSERT INTO "Artists" (id, name) SELECT DISTINCT ON (id) id, name FROM credit
        ORDER BY id ON CONFLICT DO NOTHING
    )
    INSERT INTO "ArtistTracks" (track_id, artist_id, is_primary)
    SELECT track_id, id, bool_or(is_primary) FROM credit GROUP BY track_id, id
    ORDER BY track_id, id ON CONFLICT DO NOTHING
"""
NEW_KEYS = """
    INSERT INTO known SELECT DISTINCT key, id FROM read_tracks JOIN made ON made.track_id = id
    WHERE key IS NOT NULL AND NOT EXISTS (
        SELECT FROM known WHERE known.track_id = read_tracks.id AND known.key = read_tracks.key
    )
"""

# A track that this command has added may turn out to be longer in a later file.
LENGTHS = """
    WITH length AS (
        SELECT id, max(told_ms) AS told_ms, max(longest_ms) AS longest_ms FROM read_tracks GROUP BY id
    ), longer AS (
        UPDATE "Tracks" SET duration_ms = coalesce(told_ms, longest_ms) FROM length JOIN made ON track_id = id
        WHERE "Tracks".id = length.id AND NOT is_told AND (told_ms IS NOT NULL OR longest_ms > duration_ms)
        RETURNING track_id, told_ms
    )
    UPDATE made SET is_told = true FROM longer WHERE made.track_id = longer.track_id AND told_ms IS NOT NULL
"""

# One listen has an instant. Of the plays left over each time, those of our own export whose track has the instant are
# there; the others take the next free millisecond.
INSERT = """
    WITH first AS (
        SELECT DISTINCT ON (played_at) number, id, played_at FROM read_listens WHERE verdict IS NULL
        ORDER BY played_at, number
    ), added AS (
        INSERT INTO "History" (user_id, played_at, track_id)
        SELECT :user_id, played_at, id FROM first ORDER BY played_at
        ON CONFLICT DO NOTHING RETURNING played_at
    )
    UPDATE read_listens SET verdict = 'ADDED' FROM first JOIN added USING (played_at)
    WHERE read_listens.number = first.number
"""
DROP_HELD = """
    UPDATE read_listens SET verdict = 'THERE' FROM "History" h
    WHERE :own AND verdict IS NULL AND h.user_id = :user_id AND h.played_at = read_listens.played_at
    AND (h.track_id = id OR EXISTS (
        SELECT FROM known WHERE known.track_id = h.track_id AND known.key = read_listens.key
    ))
"""
MOVE = """
    UPDATE read_listens SET played_at = played_at + place * interval '1 ms'
    FROM (
        SELECT number, row_number() OVER (PARTITION BY played_at ORDER BY number) AS place
        FROM read_listens WHERE verdict IS NULL
    ) AS waiting
    WHERE read_listens.number = waiting.number
"""
