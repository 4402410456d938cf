"""The triggers that note each change of what the rollups count, and announce whose answers it makes old.

Their functions run with the rights of the role that installs them, so that a loader needs none on `insights`.
"""

from app.rollups.spans import EVER
from app.rollups.sql import within

PREFIX = "songswap_insights_"

# The most users that one announcement names. Of more it is quicker to end all answers.
MOST_USERS = 500
CHANGES_OF = {"INSERT": "REFERENCING NEW TABLE AS after", "DELETE": "REFERENCING OLD TABLE AS before",
              "UPDATE": "REFERENCING OLD TABLE AS before NEW TABLE AS after"}  # fmt: skip

# A trigger's function by the table that it watches. `before` and `after` are the rows of a statement; one of them is
# not there for INSERT and DELETE, and the statement that would read it is then not run.
LISTENS = f"""
    IF TG_OP <> 'INSERT' THEN
        INSERT INTO insights.listen_changes
        SELECT user_id, played_at, track_id, -1 FROM before WHERE {within("played_at", EVER)};
        SELECT array_agg(DISTINCT user_id) INTO gone FROM before;
    END IF;
    IF TG_OP <> 'DELETE' THEN
        INSERT INTO insights.listen_changes
        SELECT user_id, played_at, track_id, 1 FROM after WHERE {within("played_at", EVER)};
        SELECT array_agg(DISTINCT user_id) INTO came FROM after;
    END IF;
    IF cardinality(gone || came) > 0 THEN
        INSERT INTO insights.announcements (users)
        VALUES (CASE WHEN cardinality(gone || came) <= {MOST_USERS} THEN gone || came END);
    END IF;
"""
CREDITS = """
    IF TG_OP <> 'INSERT' THEN
        INSERT INTO insights.credit_changes SELECT track_id, artist_id, is_primary, -1 FROM before;
    END IF;
    IF TG_OP <> 'DELETE' THEN
        INSERT INTO insights.credit_changes SELECT track_id, artist_id, is_primary, 1 FROM after;
    END IF;
"""
GENRES = """
    IF TG_OP <> 'INSERT' THEN
        INSERT INTO insights.genre_changes SELECT id, genre, -1 FROM before;
    END IF;
    IF TG_OP <> 'DELETE' THEN
        INSERT INTO insights.genre_changes SELECT id, genre, 1 FROM after;
    END IF;
"""
# A new track has no listens yet. One whose id changes leaves as one track and comes back as another.
DURATIONS = """
    IF TG_OP = 'DELETE' THEN
        INSERT INTO insights.duration_changes (track_id, before) SELECT id, duration_ms FROM before;
    ELSIF TG_OP = 'UPDATE' THEN
        INSERT INTO insights.duration_changes (track_id, before)
        SELECT b.id, b.duration_ms FROM before b LEFT JOIN after a USING (id)
        WHERE a.duration_ms IS DISTINCT FROM b.duration_ms;
    END IF;
"""


def _announce(users: str) -> str:
    """Announce a statement that has changed any row."""
    return f"""
    IF TG_OP <> 'INSERT' THEN
        SELECT EXISTS (SELECT FROM before) INTO changes;
    END IF;
    IF TG_OP <> 'DELETE' AND NOT coalesce(changes, false) THEN
        SELECT EXISTS (SELECT FROM after) INTO changes;
    END IF;
    IF changes THEN
        INSERT INTO insights.announcements (users) VALUES ({users});
    END IF;
    """


# What the answers of single users show, and what only the answers of everyone show.
ALL, EVERYONE = _announce("NULL"), _announce("'{}'")
WATCHED = {
    "History": LISTENS,
    "Tracks": DURATIONS + ALL,
    "Artists": ALL,
    "ArtistTracks": CREDITS + ALL,
    "ArtistGenres": GENRES + ALL,
    "ArtistImages": ALL,
    "TrackImages": ALL,
    "TrackPreviews": ALL,
    "TrackFeatures": ALL,
    "TrackPopularity": EVERYONE,
    "ArtistPopularity": EVERYONE,
    "ArtistFollowers": EVERYONE,
    "Users": EVERYONE,
}
# Whether all triggers are there, and switched on.
ARE_ON = f"""(
    SELECT count(*) = {4 * len(WATCHED)} FROM pg_trigger
    WHERE starts_with(tgname, '{PREFIX}') AND tgenabled = 'A' AND NOT tgisinternal
)"""
# Nothing is counted by the other tables: they may be emptied and filled again.
TRUNCATED = """
    IF TG_TABLE_NAME IN ('History', 'Tracks', 'ArtistTracks', 'ArtistGenres') THEN
        INSERT INTO insights.truncations VALUES (TG_TABLE_NAME);
    END IF;
    INSERT INTO insights.announcements (users) VALUES (NULL);
"""


def functions() -> list[str]:
    """The triggers' functions."""
    bodies = {"truncated": TRUNCATED} | {f"changed_{table}": body for table, body in WATCHED.items()}
    return [_function(name, body) for name, body in bodies.items()]


def _function(name: str, body: str) -> str:
    # Static SQL alone, and no search path but the system's: it runs with its owner's rights on anybody's behalf.
    return f"""
        CREATE OR REPLACE FUNCTION insights."{name}"() RETURNS trigger LANGUAGE plpgsql
        SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
        DECLARE
            gone bigint[] := '{{}}';
            came bigint[] := '{{}}';
            changes boolean;
        BEGIN
            {body}
            RETURN NULL;
        END $$
    """


def triggers() -> list[str]:
    """The triggers, which fire on a replica's writes, too."""
    made = []
    for table in WATCHED:
        events = {operation.lower(): (operation, rows, f"changed_{table}") for operation, rows in CHANGES_OF.items()}
        for name, (operation, rows, function) in (events | {"truncate": ("TRUNCATE", "", "truncated")}).items():
            made += [
                f'CREATE OR REPLACE TRIGGER {PREFIX}{name} AFTER {operation} ON "{table}" {rows}'
                f' FOR EACH STATEMENT EXECUTE FUNCTION insights."{function}"()',
                f'ALTER TABLE "{table}" ENABLE ALWAYS TRIGGER {PREFIX}{name}',
            ]
    return made
