-- Announce a statement that has changed any row.
IF TG_OP <> 'INSERT' THEN
    SELECT EXISTS (SELECT FROM before) INTO changes;
END IF;
IF TG_OP <> 'DELETE' AND NOT coalesce(changes, false) THEN
    SELECT EXISTS (SELECT FROM after) INTO changes;
END IF;
IF changes THEN
    INSERT INTO insights.announcements (users) VALUES ({users});
END IF;
