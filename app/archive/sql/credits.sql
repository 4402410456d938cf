SELECT track_id, artist_id, is_primary FROM "ArtistTracks" ORDER BY track_id COLLATE "C", artist_id COLLATE "C"
