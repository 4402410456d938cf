"""Fill an empty PostgreSQL database with a platform of any size, made inside the server.

    python -m benchmarks.generate postgresql://user@host/database --listens 10000000 --end 2026-11-23T08:00

The shape is that of a grown platform: a user for 2,000 listens (or as many as `--listeners` says) and a track for 20;
users of very different size, the first with 50,000 listens and none with more; a long tail of tracks, of which each
user has favourites; three years up to the end, written hour by hour as songswap-airflow does, so that tables and
indexes are as full of holes as there. The same size and end give the same rows. Listens come in batches of a million:
what is held in memory or in temporary files does not grow with the size.
"""

import argparse
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, create_engine, text
from sqlalchemy.schema import AddConstraint, CreateTable

from app.domain.now import now
from app.models import history  # noqa: F401  registers the platform's tables
from app.models.base import Base
from config import load_settings

HISTORY = timedelta(days=1095)
BATCH = 1_000_000
HEAVIEST = 50_000

CATALOGUE = {
    "users": """
        INSERT INTO "Users" SELECT u, 'user' || u, 'user' || u || '@example.com', 'spotify' || u
        FROM generate_series(1, :users) u
    """,
    "artists": """
        INSERT INTO "Artists" SELECT 'artist' || lpad(to_hex(a), 16, '0'), 'Artist ' || a
        FROM generate_series(0, :artists - 1) a
    """,
    "artist genres": """
        INSERT INTO "ArtistGenres"
        SELECT DISTINCT 'artist' || lpad(to_hex(a), 16, '0'), 'genre ' || floor(600 * random() ^ 2)
        FROM generate_series(0, :artists - 1) a, generate_series(1, 3)
    """,
    "artist images": """
        INSERT INTO "ArtistImages"
        SELECT 'artist' || lpad(to_hex(a), 16, '0'), size, size,
            'https://images.example.com/artist/' || a || '/' || size
        FROM generate_series(0, :artists - 1) a, unnest(ARRAY[64, 300, 640]) size
    """,
    "artist popularity": """
        INSERT INTO "ArtistPopularity"
        SELECT 'artist' || lpad(to_hex(a), 16, '0'), :end - n * interval '30 days', floor(100 * random())
        FROM generate_series(0, :artists - 1) a, generate_series(1, 2) n
    """,
    "artist followers": """
        INSERT INTO "ArtistFollowers"
        SELECT 'artist' || lpad(to_hex(a), 16, '0'), :end - n * interval '30 days', floor(1000000 * random() ^ 4)
        FROM generate_series(0, :artists - 1) a, generate_series(1, 2) n
    """,
    "tracks": """
        INSERT INTO "Tracks"
        SELECT 'track' || lpad(to_hex(t), 17, '0'), 'Track ' || t, 90000 + floor(240000 * random())
        FROM generate_series(0, :tracks - 1) t
    """,
    "credits": """
        INSERT INTO "ArtistTracks"
        SELECT 'track' || lpad(to_hex(t), 17, '0'),
            'artist' || lpad(to_hex(floor(:artists * random() ^ 2)::int), 16, '0'),
            n = 1 OR random() < 0.1
        FROM generate_series(0, :tracks - 1) t, generate_series(1, 4) n
        WHERE n = 1 OR abs(hashint4(4 * t + n)) % 100 < 12
        ON CONFLICT DO NOTHING
    """,
    "track images": """
        INSERT INTO "TrackImages"
        SELECT 'track' || lpad(to_hex(t), 17, '0'), size, size, 'https://images.example.com/track/' || t || '/' || size
        FROM generate_series(0, :tracks - 1) t, unnest(ARRAY[64, 300, 640]) size
    """,
    "track features": """
        INSERT INTO "TrackFeatures"
        SELECT 'track' || lpad(to_hex(t), 17, '0'), random(), random(), random(), random(), floor(12 * random()),
            random(), -60 * random(), floor(2 * random()), random(), 60 + 120 * random(), 4, random()
        FROM generate_series(0, :tracks - 1) t WHERE t % 10 > 0
    """,
    "track previews": """
        INSERT INTO "TrackPreviews"
        SELECT 'track' || lpad(to_hex(t), 17, '0'), 'https://previews.example.com/' || t
        FROM generate_series(0, :tracks - 1) t WHERE t % 5 < 3
    """,
    "track popularity": """
        INSERT INTO "TrackPopularity"
        SELECT 'track' || lpad(to_hex(t), 17, '0'), :end - n * interval '30 days', floor(100 * random())
        FROM generate_series(0, :tracks - 1) t, generate_series(1, 2) n
    """,
    "sizes of users": """
        CREATE TEMPORARY TABLE sizes AS
        WITH weights AS (
            SELECT u,
                CASE WHEN u > 1 THEN exp(1.1 * sqrt(-2 * ln(1 - random())) * cos(2 * pi() * random())) END AS weight
            FROM generate_series(1, :users) u
        )
        SELECT u, least(:heaviest, coalesce(1 + weight / sum(weight) OVER () * (:listens - :heaviest), :heaviest))::int
            AS listens
        FROM weights
    """,
}

# A user's listens lie evenly over the whole time, a little out of step. A batch has those of a part of it, in the order
# of the loader's hours.
LISTENS = """
    INSERT INTO "History" (user_id, played_at, track_id)
    SELECT u, played_at, 'track' || lpad(to_hex(track::int), 17, '0')
    FROM (
        SELECT u, :end - :history + (i + random()) * (:history / listens) AS played_at,
            CASE WHEN random() < 0.6
                THEN (hashint8(u * 1000003::bigint + floor(150 * random() ^ 2)::bigint)::bigint + 2147483648) % :tracks
                ELSE floor(:tracks * random() ^ 3)
            END AS track
        FROM sizes, generate_series(listens::bigint * :batch / :batches,
                                    listens::bigint * (:batch + 1) / :batches - 1) i
    ) plays
    ORDER BY date_trunc('hour', played_at), u
    ON CONFLICT DO NOTHING
"""


def generate(
    connection: Connection, listens: int, end: datetime, tell: Callable[[str], None], listeners: int | None = None
) -> None:
    """Make the platform's tables and fill them with about `listens` listens until `end`, naive and in UTC.

    `tell` is told each step's rows and seconds.
    """
    sizes = {"listens": listens, "users": listeners or max(listens // 2000, 10), "tracks": max(listens // 20, 100)}
    sizes |= {"artists": sizes["tracks"] // 8, "heaviest": min(HEAVIEST, listens // 4)}
    values = {**sizes, "end": end, "history": HISTORY}
    tables = Base.metadata.sorted_tables
    for table in tables:
        connection.execute(CreateTable(table, include_foreign_key_constraints=[]))
    connection.execute(text("SELECT setseed(0.42)"))

    def step(name: str, *statements: tuple[str, dict[str, Any]]) -> None:
        started, rows = time.perf_counter(), 0
        for statement, more in statements:
            rows += connection.execute(text(statement), values | more).rowcount
            connection.commit()
        tell(f"{name:20} {rows:>12,} rows {time.perf_counter() - started:8.1f} s")

    for name, statement in CATALOGUE.items():
        step(name, (statement.replace(":end", "CAST(:end AS timestamp)"), {}))
    batches = -(-listens // BATCH)
    in_time = LISTENS.replace(":end", "CAST(:end AS timestamp)")
    step("listens", *((in_time, {"batch": batch, "batches": batches}) for batch in range(batches)))
    # At the end: to look up two rows for each of the inserted ones would take most of the time.
    for table in tables:
        for constraint in table.foreign_key_constraints:
            connection.execute(AddConstraint(constraint, isolate_from_table=False))
    connection.commit()
    connection.execution_options(isolation_level="AUTOCOMMIT").execute(text("VACUUM ANALYZE"))


def main() -> None:
    parser = argparse.ArgumentParser(description="Fill an empty database with a platform of any size.")
    parser.add_argument("database", help="URL of an empty database")
    parser.add_argument("--listens", type=int, default=10_000_000)
    parser.add_argument("--listeners", type=int, help="how many users; one for 2,000 listens")
    parser.add_argument(
        "--end", type=datetime.fromisoformat, help="the last listen's instant in UTC; this hour's start"
    )
    arguments = parser.parse_args()
    url = load_settings({"SQLALCHEMY_DATABASE_URI": arguments.database})["SQLALCHEMY_DATABASE_URI"]
    with create_engine(url).connect() as connection:
        generate(
            connection,
            arguments.listens,
            arguments.end or this_hour(),
            lambda line: print(line, flush=True),
            arguments.listeners,
        )


def this_hour() -> datetime:
    """The start of the current hour, naive and in UTC."""
    return now().replace(tzinfo=None, minute=0, second=0, microsecond=0)


if __name__ == "__main__":
    main()
