SELECT id AS track_id, acousticness, danceability, energy, instrumentalness, key, liveness, loudness, mode, speechiness,
    tempo, time_signature, valence
FROM "TrackFeatures" ORDER BY id COLLATE "C"
