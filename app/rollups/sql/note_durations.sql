-- A new track has no listens yet. One whose id changes leaves as one track and comes back as another.
IF TG_OP = 'DELETE' THEN
    INSERT INTO insights.duration_changes (track_id, before) SELECT id, duration_ms FROM before;
ELSIF TG_OP = 'UPDATE' THEN
    INSERT INTO insights.duration_changes (track_id, before)
    SELECT b.id, b.duration_ms FROM before b LEFT JOIN after a USING (id)
    WHERE a.duration_ms IS DISTINCT FROM b.duration_ms;
END IF;
