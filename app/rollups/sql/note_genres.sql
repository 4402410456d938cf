IF TG_OP <> 'INSERT' THEN
    INSERT INTO insights.genre_changes SELECT id, genre, -1 FROM before;
END IF;
IF TG_OP <> 'DELETE' THEN
    INSERT INTO insights.genre_changes SELECT id, genre, 1 FROM after;
END IF;
