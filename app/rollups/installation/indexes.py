"""The indexes of the platform's tables that answers need, besides the platform's own."""

from collections.abc import Callable

from sqlalchemy import Connection, text

from app.rollups.sql import load

PLAYED_AT, TRACKS = "songswap_insights_played_at", "songswap_insights_tracks"
# By time for the edges of windows, by track for the pages of tracks and corrections of the catalogue, and the credits
# by artist for the pages of artists. `credits` and `durations` hold what is looked up track by track for a user's
# listens: no row of the tables is read for it, which saves a third of the time. `listens` has all of a user's listens,
# and saves a third of the time again.
#
# Listens come in the order of time: none comes back to a page of `played_at` that is full. They come in no order of
# tracks: a B-tree takes a writer a quarter of its rate. GIN appends them to a list, and puts a full list in its place
# in one go. The list is read with each look-up: a megabyte takes less than a millisecond.
INDEXES = {
    PLAYED_AT: '"History" (played_at) WITH (fillfactor = 100)',
    TRACKS: '"History" USING gin (track_id) WITH (gin_pending_list_limit = 1024)',
    "songswap_insights_listens": '"History" (user_id, played_at) INCLUDE (track_id)',
    "songswap_insights_artist_id": '"ArtistTracks" (artist_id)',
    "songswap_insights_credits": '"ArtistTracks" (track_id) INCLUDE (artist_id, is_primary)',
    "songswap_insights_durations": '"Tracks" (id) INCLUDE (duration_ms)',
}

# GIN for single values: of PostgreSQL's own, and trusted, so a role that may create a schema may create it. Where the
# server does not offer it, a B-tree gives the same answers.
EXTENSION = "btree_gin"
B_TREE = '"History" (track_id)'


def create_extension(connection: Connection) -> None:
    """Create the extension that the index of listens by track wants, where the server offers it and it is missing."""
    offered = text("SELECT EXISTS (SELECT FROM pg_available_extensions WHERE name = :name)")
    if connection.scalar(offered, {"name": EXTENSION}):
        connection.exec_driver_sql(f"CREATE EXTENSION IF NOT EXISTS {EXTENSION} SCHEMA insights")


def build_indexes(connection: Connection, tell: Callable[[str], None]) -> None:
    """Build the indexes that are missing, on a connection in autocommit, while the platform keeps writing."""
    has_gin = connection.scalar(
        text("SELECT EXISTS (SELECT FROM pg_extension WHERE extname = :name)"), {"name": EXTENSION}
    )
    for name, definition in (INDEXES if has_gin else INDEXES | {TRACKS: B_TREE}).items():
        is_valid = _is_valid(connection, name)
        if is_valid is False:  # a build that was broken off
            connection.exec_driver_sql(f"DROP INDEX CONCURRENTLY {name}")
        if not is_valid:
            tell(f"index {name}")
            connection.exec_driver_sql(f"CREATE INDEX CONCURRENTLY {name} ON {definition}")


def _is_valid(connection: Connection, name: str) -> bool | None:
    """None where there is no such index."""
    is_valid: bool | None = connection.scalar(
        text("SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass(:name)"), {"name": name}
    )
    return is_valid


def drop_extension(connection: Connection) -> None:
    """Drop the extension where it came with the rollups, and its index. What else has come to use it, keeps it.

    In the transaction that is open, which has locked the platform's tables.
    """
    connection.exec_driver_sql(f"DROP INDEX IF EXISTS {TRACKS}")
    connection.exec_driver_sql(load("drop_extension", extension=EXTENSION))


def drop_indexes(connection: Connection, tell: Callable[[str], None]) -> None:
    """Drop the indexes, on a connection in autocommit."""
    tell("indexes")
    for name in INDEXES:
        connection.exec_driver_sql(f"DROP INDEX CONCURRENTLY IF EXISTS {name}")
