"""This service's own tables, in the schema `insights`, that measures select from. docs/rollups.md tells of all.

Not declared on the platform's metadata: they are there only where an operator has installed them.
"""

from enum import IntEnum

from sqlalchemy import BigInteger, Column, DateTime, Integer, MetaData, SmallInteger, String, Table

SCHEMA = "insights"

# What the schema's version table says. A schema of another version is not believed, and replaced by an installation.
VERSION = "1"

# All tables of the schema.
TABLES = (
    "alembic_version", "state", "windows", "rankings", "sizes", "slots", "firsts", "listen_changes", "credit_changes",
    "genre_changes", "duration_changes", "truncations", "touched_days", "announcements",
)  # fmt: skip

metadata = MetaData(schema=SCHEMA)


class Kind(IntEnum):
    """What a ranking is of. Ids of listeners are written with ten digits, so that bytes sort them as numbers."""

    TRACK = 1
    ARTIST = 2
    PRIMARY_ARTIST = 3
    GENRE = 4
    LISTENER = 5


# The listens in a window by track, artist, … : everyone's.
rankings = Table(
    "rankings",
    metadata,
    Column("window_id", Integer, primary_key=True),
    Column("kind", SmallInteger, primary_key=True),
    Column("id", String(120), primary_key=True),
    Column("plays", Integer),
    Column("listen_time_ms", BigInteger),
)

# The number of rows of a ranking, and their sums.
sizes = Table(
    "sizes",
    metadata,
    Column("window_id", Integer, primary_key=True),
    Column("kind", SmallInteger, primary_key=True),
    Column("rows", Integer),
    Column("plays", BigInteger),
    Column("listen_time_ms", BigInteger),
)

# Everyone's listens by quarter of an hour, the finest step of today's time zones. Slots are numbered from 1970 on:
# whole numbers are added and divided in a fraction of the time that timestamps take.
slots = Table(
    "slots",
    metadata,
    Column("slot", Integer, primary_key=True),
    Column("plays", Integer),
    Column("listen_time_ms", BigInteger),
)

# When a track or a primary artist was first listened to, by anyone.
firsts = Table(
    "firsts",
    metadata,
    Column("kind", SmallInteger, primary_key=True),
    Column("id", String(120), primary_key=True),
    Column("played_at", DateTime),
)
