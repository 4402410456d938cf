-- Drop the extension where it came with the rollups. What else has come to use it, keeps it.
DO $$ BEGIN
    IF EXISTS (
        SELECT FROM pg_extension WHERE extname = '{extension}' AND extnamespace = to_regnamespace('insights')
    ) THEN
        DROP EXTENSION {extension};
    END IF;
EXCEPTION WHEN dependent_objects_still_exist THEN
    ALTER EXTENSION {extension} SET SCHEMA public;
END $$
