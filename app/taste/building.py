"""Building the model: from one snapshot of everyone's listens, and put in the old one's place in one transaction."""

from array import array
from collections.abc import Callable
from datetime import datetime
from io import BytesIO
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array
from sqlalchemy import Connection, Engine, delete, func, insert, select, text
from sqlalchemy.orm import Session

from app.listens.by_user import by_primary_artist, by_track
from app.listens.expressions import between
from app.models.history import History
from app.models.taste import models, neighbours
from app.rollups.spans import EVER
from app.rollups.state import read as read_rollups
from app.rollups.upkeep.transactions import TUNING
from app.taste.nearest import nearest

# Rows that are fetched at a time.
FETCHED = 50_000

EVERYONES = by_primary_artist(by_track(between(History.played_at, *EVER)))
VECTORS = select(EVERYONES.c.user_id, EVERYONES.c.id, EVERYONES.c.plays)


class Counts(NamedTuple):
    """Everyone's listens as of an instant, naive and in UTC: by listener (rows) and primary artist (columns).

    The rows are in the order of `user_ids`, which ascend.
    """

    computed_at: datetime
    user_ids: NDArray[np.int32]
    plays: csr_array


def build(engine: Engine, tell: Callable[[str], None]) -> int:
    """Compute the model and put it in the place of the one before; gives the number of listeners in it.

    On an engine for commands, with the model's tables installed, by one operator at a time.
    """
    tell("reading everyone's listens")
    with engine.connect().execution_options(isolation_level="REPEATABLE READ") as connection:
        # All rows of the cursor are read: a plan that is quick with the first ones takes three times as long.
        connection.exec_driver_sql(f"{TUNING}; SET LOCAL cursor_tuple_fraction = 1")
        counts = read(connection)
    tell(f"comparing {len(counts.user_ids):,} listeners")
    rows = compare(counts)
    tell("writing")
    with engine.begin() as connection:
        replace(connection, counts, rows)
    with Session(engine) as session:
        rollups = read_rollups(session)
        if rollups is not None and rollups.distrust is None:
            # The answers that are cached are the old model's.
            session.execute(text("INSERT INTO insights.announcements (users) VALUES ('{}')"))
            session.commit()
    return len(counts.user_ids)


def read(connection: Connection) -> Counts:
    """The counts in the snapshot of the transaction that is open."""
    computed_at = connection.execute(select(func.timezone("UTC", func.statement_timestamp()))).scalar_one()
    numbers: dict[int, int] = {}
    artists: dict[str, int] = {}
    rows, columns, plays = array("i"), array("i"), array("q")
    for user_id, artist_id, count in connection.execute(VECTORS, execution_options={"yield_per": FETCHED}):
        rows.append(numbers.setdefault(user_id, len(numbers)))
        columns.append(artists.setdefault(artist_id, len(artists)))
        plays.append(count)
    user_ids = np.fromiter(numbers, np.int32, len(numbers))
    shape = len(numbers), len(artists)
    matrix = csr_array((np.asarray(plays), (np.asarray(rows), np.asarray(columns))), shape=shape, dtype=np.int64)
    order = np.argsort(user_ids)
    return Counts(computed_at, user_ids[order], matrix[order])


def compare(counts: Counts) -> BytesIO:
    """The table of neighbours, as COPY reads it."""
    lines = BytesIO()
    for user_id, near in zip(counts.user_ids.tolist(), nearest(counts.plays), strict=True):
        arrays = counts.user_ids[near.rows], near.similarities, near.shared
        texts = ("{" + ",".join(map(repr, values.tolist())) + "}" for values in arrays)
        lines.write(("\t".join((str(user_id), *texts)) + "\n").encode())
    lines.seek(0)
    return lines


def replace(connection: Connection, counts: Counts, rows: BytesIO) -> None:
    """Put a model in the place of the one before, in the transaction that is open."""
    connection.execute(delete(models))
    connection.execute(delete(neighbours))
    cursor: Any = connection.connection.cursor()
    cursor.copy_expert(f"COPY {neighbours.fullname} (user_id, ids, similarities, shared) FROM STDIN", rows)
    connection.execute(insert(models).values(computed_at=counts.computed_at, listeners=len(counts.user_ids)))
