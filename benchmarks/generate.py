"""Fill an empty PostgreSQL database with a platform of any size, made inside the server.

    python -m benchmarks.generate postgresql://user@host/database --listens 10000000

The shape is that of a grown platform: a user for 2,000 listens and a track for 20; users of very different size, the
first with 1/200 of all listens; a long tail of tracks, of which each user has favourites; three years, written hour by
hour as songswap-airflow does. The same size gives the same rows.
"""

import argparse
import time

from sqlalchemy import Connection, create_engine, text

from app.models import history  # noqa: F401  registers the platform's tables
from app.models.base import Base
from config import load_settings

STEPS = {
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
        SELECT 'track' || lpad(to_hex(t), 17, '0'), timestamp '2026-01-01' + n * interval '30 days',
            floor(100 * random())
        FROM generate_series(0, :tracks - 1) t, generate_series(1, 2) n
    """,
    # A user's listens lie evenly over three years, a little out of step, and in the order of the loader's hours.
    "listens": """
        INSERT INTO "History" (user_id, played_at, track_id)
        WITH sizes AS (
            SELECT u,
                CASE WHEN u = 1 THEN :listens / 200 ELSE 1 END AS fixed,
                CASE WHEN u = 1 THEN 0
                    ELSE exp(1.1 * sqrt(-2 * ln(1 - random())) * cos(2 * pi() * random()))
                END AS weight
            FROM generate_series(1, :users) u
        ), shares AS (
            SELECT u, (fixed + weight / sum(weight) OVER () * (:listens - sum(fixed) OVER ()))::int AS listens
            FROM sizes
        )
        SELECT u, played_at, 'track' || lpad(to_hex(track::int), 17, '0')
        FROM (
            SELECT u, timestamp '2023-11-01' + (i + random()) * (interval '1095 days' / listens) AS played_at,
                CASE WHEN random() < 0.6
                    THEN (hashint8(u * 1000003::bigint + floor(150 * random() ^ 2)::bigint)::bigint + 2147483648)
                        % :tracks
                    ELSE floor(:tracks * random() ^ 3)
                END AS track
            FROM shares, generate_series(0, listens - 1) i
        ) plays
        ORDER BY date_trunc('hour', played_at), u
        ON CONFLICT DO NOTHING
    """,
}


def generate(connection: Connection, listens: int) -> None:
    """Make the platform's tables and fill them with about `listens` listens; prints each step's seconds."""
    Base.metadata.create_all(connection)
    sizes = {"listens": listens, "users": max(listens // 2000, 10), "tracks": max(listens // 20, 100)}
    sizes["artists"] = sizes["tracks"] // 8
    connection.execute(text("SELECT setseed(0.42)"))
    for name, statement in STEPS.items():
        started = time.perf_counter()
        rows = connection.execute(text(statement), sizes).rowcount
        connection.commit()
        print(f"{name:20} {rows:>12,} rows {time.perf_counter() - started:8.1f} s", flush=True)
    connection.execution_options(isolation_level="AUTOCOMMIT").execute(text("VACUUM ANALYZE"))


def main() -> None:
    parser = argparse.ArgumentParser(description="Fill an empty database with a platform of any size.")
    parser.add_argument("database", help="URL of an empty database")
    parser.add_argument("--listens", type=int, default=10_000_000)
    arguments = parser.parse_args()
    url = load_settings({"SQLALCHEMY_DATABASE_URI": arguments.database})["SQLALCHEMY_DATABASE_URI"]
    with create_engine(url).connect() as connection:
        generate(connection, arguments.listens)


if __name__ == "__main__":
    main()
