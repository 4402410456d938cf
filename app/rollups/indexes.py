"""The indexes of the platform's tables that answers need, beside the platform's own."""

from collections.abc import Callable

from sqlalchemy import Connection, text

# By time for the edges of windows, by track for the pages of tracks and corrections of the catalogue, and the credits
# by artist for the pages of artists. `credits` and `durations` hold what is looked up track by track for a user's
# listens: no row of the tables is read for it, which saves a third of the time.
#
# Listens come in the order of time: none comes back to a page of `played_at` that is full. They come in no order of
# tracks: a B-tree takes a writer a quarter of its rate. GIN has a list of what is yet to be put in its place, which
# `TIDY` empties; the index is a little larger, and a little slower to be read.
INDEXES = {
    "songswap_insights_played_at": '"History" (played_at) WITH (fillfactor = 100)',
    "songswap_insights_tracks": '"History" USING gin (track_id)',
    "songswap_insights_artist_id": '"ArtistTracks" (artist_id)',
    "songswap_insights_credits": '"ArtistTracks" (track_id) INCLUDE (artist_id, is_primary)',
    "songswap_insights_durations": '"Tracks" (id) INCLUDE (duration_ms)',
}
# What versions before this one had.
FORMER = ("songswap_insights_track_id",)

# GIN for single values. A trusted extension, of PostgreSQL's own: whoever may create the schema may create it, and
# where the database has it already, it is left there.
EXTENSION = "CREATE EXTENSION IF NOT EXISTS btree_gin SCHEMA insights"

# Only the index's owner may do this.
TIDY = """
    CREATE OR REPLACE FUNCTION insights.tidy() RETURNS void LANGUAGE sql
    SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
        SELECT gin_clean_pending_list(oid) FROM pg_class WHERE relname = 'songswap_insights_tracks' AND relkind = 'i'
    $$
"""


def build_indexes(connection: Connection, tell: Callable[[str], None]) -> None:
    """Build the indexes that are missing, on a connection in autocommit, while the platform keeps writing."""
    for name, definition in INDEXES.items():
        valid = connection.scalar(
            text("SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass(:name)"), {"name": name}
        )
        if valid:
            continue
        tell(f"index {name}")
        if valid is False:  # a build that was broken off
            connection.exec_driver_sql(f"DROP INDEX CONCURRENTLY {name}")
        connection.exec_driver_sql(f"CREATE INDEX CONCURRENTLY {name} ON {definition}")
    for name in FORMER:
        connection.exec_driver_sql(f"DROP INDEX CONCURRENTLY IF EXISTS {name}")


def drop_indexes(connection: Connection, tell: Callable[[str], None]) -> None:
    """Drop the indexes, on a connection in autocommit."""
    for name in (*INDEXES, *FORMER):
        tell(f"index {name}")
        connection.exec_driver_sql(f"DROP INDEX CONCURRENTLY IF EXISTS {name}")
