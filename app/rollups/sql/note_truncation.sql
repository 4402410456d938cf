-- Nothing is counted by the other tables: they may be emptied and filled again.
IF TG_TABLE_NAME IN ('History', 'Tracks', 'ArtistTracks', 'ArtistGenres') THEN
    INSERT INTO insights.truncations VALUES (TG_TABLE_NAME);
END IF;
INSERT INTO insights.announcements (users) VALUES (NULL);
