"""The same rows in DuckDB, a column store in this process: two threads, a file of its own format."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import duckdb
from sqlalchemy import Engine

THREADS = 2
# What the statements of benchmarks.plain read, with the columns that a CSV does not tell the type of.
TABLES = {
    "History": "user_id INTEGER, played_at TIMESTAMP, track_id VARCHAR",
    "Tracks": "id VARCHAR, name VARCHAR, duration_ms INTEGER",
    "Artists": "id VARCHAR, name VARCHAR",
    "ArtistTracks": "track_id VARCHAR, artist_id VARCHAR, is_primary BOOLEAN",
    "Users": "id INTEGER, username VARCHAR",
    "TrackFeatures": "id VARCHAR, acousticness DOUBLE, danceability DOUBLE, energy DOUBLE, instrumentalness DOUBLE, "
    "liveness DOUBLE, loudness DOUBLE, speechiness DOUBLE, tempo DOUBLE, valence DOUBLE",
}


@contextmanager
def copy(engine: Engine) -> Iterator[duckdb.DuckDBPyConnection]:
    """A copy of the platform's tables, opened for reading; it goes at the end."""
    with TemporaryDirectory(prefix="songswap-duckdb-") as folder:
        path = Path(folder, "copy.duckdb")
        with duckdb.connect(path, config={"threads": THREADS}) as connection, engine.connect() as source:
            for table, columns in TABLES.items():
                connection.execute(f'CREATE TABLE "{table}" ({columns})')
                names = ", ".join(column.split()[0] for column in columns.split(", "))
                rows = Path(folder, "rows.csv")
                with rows.open("wb") as file:
                    source.connection.cursor().copy_expert(f'COPY "{table}" ({names}) TO STDOUT (FORMAT csv)', file)
                connection.execute(f"""COPY "{table}" FROM '{rows}' (FORMAT csv, HEADER false)""")
                rows.unlink()
        with duckdb.connect(path, read_only=True, config={"threads": THREADS}) as connection:
            yield connection


def ask(connection: duckdb.DuckDBPyConnection, statement: str) -> float:
    """The ms of a statement that PostgreSQL takes, too."""
    started = time.perf_counter()
    connection.execute(statement.replace(' COLLATE "C"', "")).fetchall()
    return (time.perf_counter() - started) * 1000
