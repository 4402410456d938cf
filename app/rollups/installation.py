"""What an operator installs beside the platform's tables, and takes away again without a trace.

The schema `insights` with its tables (by Alembic, from `migrations/`), the functions and triggers that note each
change, and indexes. The triggers' functions run with the rights of whoever installs them, so that a
loader needs none on `insights`.
"""

from collections.abc import Callable
from pathlib import Path
from time import sleep

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text
from sqlalchemy.exc import OperationalError

MIGRATIONS = Path(__file__).parents[2] / "migrations"
PREFIX = "songswap_insights_"
CHANNEL = "songswap_insights"

# "History" by time for the edges of windows, and by track for the pages of tracks and corrections of the catalogue; the
# credits by artist for the pages of artists. Those of the catalogue hold what is looked up track by track for a user's
# listens: no row of the tables is read for it, which saves a third of the time.
INDEXES = {
    "songswap_insights_played_at": '"History" (played_at)',
    "songswap_insights_track_id": '"History" (track_id)',
    "songswap_insights_artist_id": '"ArtistTracks" (artist_id)',
    "songswap_insights_credits": '"ArtistTracks" (track_id) INCLUDE (artist_id, is_primary)',
    "songswap_insights_durations": '"Tracks" (id) INCLUDE (duration_ms)',
}

# The most users whose ids one announcement names: its 8,000 bytes hold 727 ids of ten digits.
MOST_USERS = 500
# The advisory lock of the transaction that announces itself.
ANNOUNCING = 7_305_170_312
CHANGES_OF = {"INSERT": "REFERENCING NEW TABLE AS after", "DELETE": "REFERENCING OLD TABLE AS before",
              "UPDATE": "REFERENCING OLD TABLE AS before NEW TABLE AS after"}  # fmt: skip

# A trigger's function by the table that it watches. `before` and `after` are the rows of a statement; one of them is
# not there for INSERT and DELETE, and the statement that would read it is then not run.
#
# PostgreSQL lets no two transactions commit at once that have a NOTIFY. So one at a time announces itself: what another
# one changes meanwhile says in the log that it is unannounced, and is looked for there.
LISTENS = f"""
    IF NOT pg_try_advisory_xact_lock({ANNOUNCING}) THEN
        unannounced := pg_current_xact_id();
    END IF;
    IF TG_OP <> 'INSERT' THEN
        INSERT INTO insights.listen_changes SELECT user_id, played_at, track_id, -1, unannounced FROM before;
        SELECT array_agg(DISTINCT user_id) INTO gone FROM before;
    END IF;
    IF TG_OP <> 'DELETE' THEN
        INSERT INTO insights.listen_changes SELECT user_id, played_at, track_id, 1, unannounced FROM after;
        SELECT array_agg(DISTINCT user_id) INTO came FROM after;
    END IF;
    IF unannounced IS NULL THEN
        PERFORM insights.announce(gone || came);
    END IF;
"""
# Announce users whose listens have changed.
ANNOUNCE = f"""
    CREATE OR REPLACE FUNCTION insights.announce(users bigint[]) RETURNS void LANGUAGE sql AS $$
        SELECT pg_catalog.pg_notify('{CHANNEL}', CASE
            WHEN cardinality(users) > {MOST_USERS} THEN 'all' ELSE array_to_string(users, ',')
        END) WHERE cardinality(users) > 0
    $$
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
        INSERT INTO insights.duration_changes (track_id, before, after)
        SELECT b.id, b.duration_ms, a.duration_ms FROM before b LEFT JOIN after a USING (id)
        WHERE a.duration_ms IS DISTINCT FROM b.duration_ms;
    END IF;
"""


def _announce(payload: str) -> str:
    """Announce a statement that has changed any row."""
    return f"""
    IF TG_OP <> 'INSERT' THEN
        SELECT EXISTS (SELECT FROM before) INTO changes;
    END IF;
    IF TG_OP <> 'DELETE' AND NOT coalesce(changes, false) THEN
        SELECT EXISTS (SELECT FROM after) INTO changes;
    END IF;
    IF changes THEN
        PERFORM pg_notify('{CHANNEL}', '{payload}');
    END IF;
    """


# What the answers of single users show is `all`; what only the answers of everyone show is `everyone`.
ALL, EVERYONE = _announce("all"), _announce("everyone")
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
# Those without which no rollup is right.
COUNTED = ("History", "Tracks", "ArtistTracks", "ArtistGenres")
TRIGGERS = 4 * len(WATCHED)


def functions() -> list[str]:
    """The triggers' functions."""
    made = [
        _function(
            "truncated",
            f"INSERT INTO insights.truncations VALUES (TG_TABLE_NAME); PERFORM pg_notify('{CHANNEL}', 'all');",
        )
    ]
    return [ANNOUNCE] + made + [_function(f"changed_{table}", body) for table, body in WATCHED.items()]


def _function(name: str, body: str) -> str:
    # Static SQL alone, and no search path but the system's: it runs with its owner's rights on anybody's behalf.
    return f"""
        CREATE OR REPLACE FUNCTION insights."{name}"() RETURNS trigger LANGUAGE plpgsql
        SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
        DECLARE
            gone bigint[] := '{{}}';
            came bigint[] := '{{}}';
            unannounced xid8;
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


def install(connection: Connection, tell: Callable[[str], None]) -> None:
    """Install what is missing or of an older version, on a connection in autocommit. By one process at a time.

    Raises OperationalError where the platform's tables stay locked by others.
    """
    for name, columns in INDEXES.items():
        _build_index(connection, name, columns, tell)

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.attributes["connection"] = connection
    watched = is_complete(connection)

    def everything() -> None:
        # First of all: whoever writes here holds locks there. Who reads here is waited for, while writers wait.
        _lock_platform(connection, "SHARE ROW EXCLUSIVE")
        connection.exec_driver_sql("SET LOCAL lock_timeout = '200ms'")
        connection.exec_driver_sql("CREATE SCHEMA IF NOT EXISTS insights")
        command.upgrade(config, "head")
        for function in functions():
            connection.exec_driver_sql(function)
        for trigger in triggers():
            connection.exec_driver_sql(trigger)
        if not watched:
            # What was written while a trigger was missing is nowhere noted.
            connection.exec_driver_sql(
                "UPDATE insights.state SET trusted = false, reason = 'a trigger was missing or switched off'"
                " WHERE slots_built OR EXISTS (SELECT FROM insights.windows)"
            )

    if not (watched and _version(connection) == ScriptDirectory.from_config(config).get_current_head()):
        tell("schema, functions and triggers")
        _with_short_locks(connection, everything)


def _version(connection: Connection) -> str:
    return str(connection.scalar(text("SELECT version_num FROM insights.alembic_version")))


def uninstall(connection: Connection, tell: Callable[[str], None]) -> None:
    """Take everything away that `install` made, on a connection in autocommit."""

    def everything() -> None:
        _lock_platform(connection, "ACCESS EXCLUSIVE")
        announce_all(connection)  # and with it what waits in the log unannounced
        # Whoever reads these will read the platform's tables, too: he is not waited for while those are locked.
        for table in connection.execute(
            text("SELECT tablename FROM pg_tables WHERE schemaname = 'insights'")
        ).scalars():
            connection.exec_driver_sql(f"LOCK TABLE insights.{table} IN ACCESS EXCLUSIVE MODE NOWAIT")
        for table in WATCHED:
            for name in ("insert", "update", "delete", "truncate"):
                connection.exec_driver_sql(f'DROP TRIGGER IF EXISTS {PREFIX}{name} ON "{table}"')
        connection.exec_driver_sql("DROP SCHEMA IF EXISTS insights CASCADE")

    tell("triggers and schema")
    _with_short_locks(connection, everything)
    for name in INDEXES:
        tell(f"index {name}")
        connection.exec_driver_sql(f"DROP INDEX CONCURRENTLY IF EXISTS {name}")


def announce_all(connection: Connection) -> None:
    """Announce, with the transaction that is open, that every answer may be old."""
    connection.execute(text("SELECT pg_notify(:channel, 'all')"), {"channel": CHANNEL})


def is_complete(connection: Connection) -> bool:
    """Whether the schema is there, and every trigger, switched on."""
    return bool(
        connection.scalar(
            text(
                "SELECT to_regclass('insights.state') IS NOT NULL AND count(*) = :triggers FROM pg_trigger"
                " WHERE tgname LIKE :name AND tgenabled = 'A' AND NOT tgisinternal"
            ),
            {"triggers": TRIGGERS, "name": PREFIX.replace("_", r"\_") + "%"},
        )
    )


def _lock_platform(connection: Connection, mode: str) -> None:
    """Lock the watched tables: waits for the busiest, before it holds any, and for no other, so that none deadlocks."""
    busiest, *others = WATCHED
    connection.exec_driver_sql(f'LOCK TABLE "{busiest}" IN {mode} MODE')
    for table in others:
        connection.exec_driver_sql(f'LOCK TABLE "{table}" IN {mode} MODE NOWAIT')


ATTEMPTS = 60
LOCK_NOT_AVAILABLE = "55P03"


def _with_short_locks(connection: Connection, change: Callable[[], None]) -> None:
    """Make a change in a transaction that waits for each lock for 2 seconds at most, and begins anew where it must.

    Writers queue behind whoever waits for a lock: so the wait is short, and there is a pause after it.
    """
    for attempt in range(ATTEMPTS):
        connection.exec_driver_sql("BEGIN")
        try:
            connection.exec_driver_sql("SET LOCAL lock_timeout = '2s'; SET LOCAL statement_timeout = 0")
            change()
            connection.exec_driver_sql("COMMIT")
            return
        except OperationalError as error:
            connection.exec_driver_sql("ROLLBACK")
            is_lock_timeout = getattr(error.orig, "pgcode", None) == LOCK_NOT_AVAILABLE
            if not is_lock_timeout or attempt + 1 == ATTEMPTS:
                raise
            sleep(0.5)
        except BaseException:
            connection.exec_driver_sql("ROLLBACK")
            raise


def _build_index(connection: Connection, name: str, columns: str, tell: Callable[[str], None]) -> None:
    valid = connection.scalar(
        text("SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass(:name)"), {"name": name}
    )
    if valid:
        return
    tell(f"index {name}")
    if valid is False:  # a build that was broken off
        connection.exec_driver_sql(f"DROP INDEX CONCURRENTLY {name}")
    connection.exec_driver_sql(f"CREATE INDEX CONCURRENTLY {name} ON {columns}")
