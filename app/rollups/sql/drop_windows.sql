DELETE FROM insights.windows WHERE id = ANY(:ids);
DELETE FROM insights.rankings WHERE window_id = ANY(:ids);
DELETE FROM insights.sizes WHERE window_id = ANY(:ids)
