SELECT id AS artist_id, genre FROM "ArtistGenres" ORDER BY id COLLATE "C", genre COLLATE "C"
