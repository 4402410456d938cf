IF TG_OP <> 'INSERT' THEN
    INSERT INTO insights.credit_changes SELECT track_id, artist_id, is_primary, -1 FROM before;
END IF;
IF TG_OP <> 'DELETE' THEN
    INSERT INTO insights.credit_changes SELECT track_id, artist_id, is_primary, 1 FROM after;
END IF;
