-- The catalogue of a local copy. Numbers go by the order of ids, byte by byte: what is equal is in the order of numbers.
CREATE TABLE tracks AS
SELECT CAST(row_number() OVER (ORDER BY track_id) AS integer) AS number, track_id AS id, track AS archived,
    CAST(greatest(duration_ms, 0) AS bigint) AS duration_ms
FROM archived_tracks;

CREATE TABLE users AS
SELECT CAST(row_number() OVER (ORDER BY user_id) AS integer) AS number, user_id AS id, "user" AS archived
FROM archived_users;

CREATE TABLE artists AS
SELECT CAST(row_number() OVER (ORDER BY artist_id) AS integer) AS number, artist_id AS id
FROM (SELECT DISTINCT artist_id FROM archived_credits);

CREATE TABLE genres AS
SELECT CAST(row_number() OVER (ORDER BY genre) AS integer) AS number, genre AS id
FROM (SELECT DISTINCT genre FROM archived_genres);

CREATE TABLE track_artists AS
SELECT t.number AS track, a.number AS artist, c.is_primary
FROM archived_credits c JOIN tracks t ON t.id = c.track_id JOIN artists a ON a.id = c.artist_id;

-- A listen counts once for each distinct genre of its primary artists.
CREATE TABLE track_genres AS
SELECT DISTINCT t.number AS track, g.number AS genre
FROM archived_credits c
JOIN tracks t ON t.id = c.track_id JOIN archived_genres a ON a.artist_id = c.artist_id JOIN genres g ON g.id = a.genre
WHERE c.is_primary;

CREATE TABLE listens (played_at timestamp, slot integer, track integer, "user" integer)
