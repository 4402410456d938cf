-- Static SQL alone, and no search path but the system's: it runs with its owner's rights on anybody's behalf.
CREATE OR REPLACE FUNCTION insights."{function}"() RETURNS trigger LANGUAGE plpgsql
SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    gone bigint[] := '{{}}';
    came bigint[] := '{{}}';
    changes boolean;
BEGIN
    {body}
    RETURN NULL;
END $$
