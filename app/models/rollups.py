"""This service's own tables, in the schema `insights`. docs/rollups.md says what they hold and why.

Not declared on the platform's metadata: they are there only where an operator has installed them.
"""

from enum import IntEnum

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Integer,
    MetaData,
    SmallInteger,
    String,
    Table,
    Text,
)

SCHEMA = "insights"

metadata = MetaData(schema=SCHEMA)


class Kind(IntEnum):
    """What a ranking is of. Ids of listeners are written with ten digits, so that bytes sort them as numbers."""

    TRACK = 1
    ARTIST = 2
    PRIMARY_ARTIST = 3
    GENRE = 4
    LISTENER = 5


# One row: whether what is here may be believed, and if not, why.
state = Table("state", metadata, Column("trusted", Boolean), Column("reason", String))

# The half-open spans of `played_at` that have rankings; null is an open end.
windows = Table(
    "windows",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("starts", DateTime),
    Column("ends", DateTime),
)

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

# The slots before which all listens are counted.
prefixes = Table("prefixes", metadata, Column("slot", Integer, primary_key=True))

# All listens before a slot by track, artist, … : everyone's. The sums of a block stand in the order of its ids.
prefix_sums = Table(
    "prefix_sums",
    metadata,
    Column("slot", Integer, primary_key=True),
    Column("kind", SmallInteger, primary_key=True),
    Column("block", SmallInteger, primary_key=True),
    Column("plays", ARRAY(Integer)),
    Column("listen_time_ms", ARRAY(BigInteger)),  # null for tracks: it is the plays times the duration
)

id_blocks = Table(
    "id_blocks",
    metadata,
    Column("kind", SmallInteger, primary_key=True),
    Column("block", SmallInteger, primary_key=True),
    Column("ids", ARRAY(Text)),
    Column("durations_ms", ARRAY(Integer)),  # of tracks
)

# The listens before an instant of a user with many of them: by slot here, by track, artist, … in `user_rankings`.
heavy_users = Table(
    "heavy_users",
    metadata,
    Column("user_id", Integer, primary_key=True),
    Column("ends", DateTime),
    Column("slots", ARRAY(Integer)),
    Column("plays", ARRAY(Integer)),
    Column("listen_time_ms", ARRAY(BigInteger)),
)

user_rankings = Table(
    "user_rankings",
    metadata,
    Column("user_id", Integer, primary_key=True),
    Column("kind", SmallInteger, primary_key=True),
    Column("ids", ARRAY(Text)),
    Column("plays", ARRAY(Integer)),
    Column("listen_time_ms", ARRAY(BigInteger)),
)
