-- The service's role in the platform's database, with the least that it needs:
--
--     psql --dbname=songswap --single-transaction --set=ON_ERROR_STOP=1 --file=docs/role.sql
--     psql --dbname=songswap --command='\password songswap_insights'
--
-- Run it as the owner of the platform's tables (on RDS, the master user that made them), and again after
-- `flask rollups install` or the first `flask taste build`, which make the schema `insights`: it takes all rights away and
-- grants the right ones again.
-- Installing and uninstalling are the owner's; what the service itself does, it does under this role.

DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'songswap_insights') THEN
        CREATE ROLE songswap_insights LOGIN;
    END IF;
END
$$;

-- The platform's tables: SELECT, on what the service reads and nothing else. Of users that is no e-mail address.
REVOKE ALL ON ALL TABLES IN SCHEMA public FROM songswap_insights;
GRANT USAGE ON SCHEMA public TO songswap_insights;
GRANT SELECT (id, username) ON "Users" TO songswap_insights;
GRANT SELECT ON
    "History",
    "Tracks",
    "Artists",
    "ArtistTracks",
    "TrackPopularity",
    "TrackFeatures",
    "TrackImages",
    "TrackPreviews",
    "ArtistPopularity",
    "ArtistImages",
    "ArtistGenres",
    "ArtistFollowers"
TO songswap_insights;

-- The service's own schema, where it is: rows come and go, tables do not.
DO $$
BEGIN
    IF to_regnamespace('insights') IS NOT NULL THEN
        REVOKE ALL ON ALL TABLES IN SCHEMA insights FROM songswap_insights;
        GRANT USAGE ON SCHEMA insights TO songswap_insights;
        GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA insights TO songswap_insights;
        GRANT USAGE ON ALL SEQUENCES IN SCHEMA insights TO songswap_insights;
        IF current_setting('server_version_num')::int >= 170000 THEN
            -- To vacuum and analyze them after large changes. Before PostgreSQL 17 autovacuum alone does that.
            GRANT MAINTAIN ON ALL TABLES IN SCHEMA insights TO songswap_insights;
        END IF;
    END IF;
END
$$;

-- What is granted to PUBLIC, or to a role that this one is a member of, would hold for the service, too.
DO $$
BEGIN
    IF to_regclass('"SpotifyTokens"') IS NOT NULL
        AND has_any_column_privilege('songswap_insights', '"SpotifyTokens"', 'SELECT') THEN
        RAISE EXCEPTION 'songswap_insights can read "SpotifyTokens", by way of PUBLIC or of another role';
    END IF;
    IF has_column_privilege('songswap_insights', '"Users"', 'email', 'SELECT') THEN
        RAISE EXCEPTION 'songswap_insights can read "Users".email, by way of PUBLIC or of another role';
    END IF;
END
$$;
