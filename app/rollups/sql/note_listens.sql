IF TG_OP <> 'INSERT' THEN
    INSERT INTO insights.listen_changes SELECT user_id, played_at, track_id, -1 FROM before WHERE {ever};
    SELECT array_agg(DISTINCT user_id) INTO gone FROM before;
END IF;
IF TG_OP <> 'DELETE' THEN
    INSERT INTO insights.listen_changes SELECT user_id, played_at, track_id, 1 FROM after WHERE {ever};
    SELECT array_agg(DISTINCT user_id) INTO came FROM after;
END IF;
IF cardinality(gone || came) > 0 THEN
    INSERT INTO insights.announcements (users)
    VALUES (CASE WHEN cardinality(gone || came) <= {most_users} THEN gone || came END);
END IF;
