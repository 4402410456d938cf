"""Whether recommendations are any good: what they find of tracks that listeners took up and that were hidden.

Of each listener's tracks, in the order of their first listens, the last fifth is hidden, with all their listens. What
is then recommended is compared with what was hidden: recall and nDCG at 20, means over the listeners. The others in the
table know the same listens: the tracks of most listeners, and item-item BM25 and alternating least
squares of `implicit`.

    python -m benchmarks.taste_eval
"""

import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from math import log2
from statistics import mean
from typing import Any, NamedTuple

import numpy as np
from implicit.als import AlternatingLeastSquares
from implicit.nearest_neighbours import BM25Recommender
from scipy.sparse import csr_matrix
from sqlalchemy import Engine, text
from sqlalchemy.orm import Session

from app.cli.demo import Size, fill
from app.cli.embedded.server import EmbeddedPostgres
from app.cli.serving import SEED
from app.domain.audience import Audience
from app.domain.ranking import Page
from app.models.base import Base
from app.rollups.upkeep.transactions import one_operator
from app.services.recommendations import recommended_tracks
from app.taste import installation
from app.taste.building import build
from benchmarks.generate import generate, this_hour
from benchmarks.server import database

FIRST = 20
LISTENS = 1_000_000

# The last fifth of each listener's tracks by first listen, of those who have five or more.
HIDE = """
    CREATE TEMPORARY TABLE hidden AS
    SELECT user_id, track_id FROM (
        SELECT user_id, track_id, row_number() OVER (PARTITION BY user_id ORDER BY min(played_at), track_id) AS place,
            count(*) OVER (PARTITION BY user_id) AS tracks
        FROM "History" GROUP BY user_id, track_id
    ) first_listens WHERE place > tracks - tracks / 5
"""
TAKE_AWAY = """
    DELETE FROM "History" h USING hidden WHERE h.user_id = hidden.user_id AND h.track_id = hidden.track_id
"""

Recommended = Mapping[int, Sequence[str]]


class Listening(NamedTuple):
    """Listens by user and track, and the tracks that are hidden of each user."""

    plays: dict[int, dict[str, int]]
    hidden: dict[int, set[str]]


def hide(engine: Engine) -> Listening:
    """Hide what is to be found, in the database, too."""
    with engine.begin() as connection:
        connection.execute(text(HIDE))
        hidden: dict[int, set[str]] = {}
        for user, track in connection.execute(text("SELECT user_id, track_id FROM hidden")):
            hidden.setdefault(user, set()).add(track)
        connection.execute(text(TAKE_AWAY))
        plays: dict[int, dict[str, int]] = {}
        counted = text('SELECT user_id, track_id, count(*) FROM "History" GROUP BY user_id, track_id')
        for user, track, count in connection.execute(counted):
            plays.setdefault(user, {})[track] = count
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("VACUUM ANALYZE"))
    return Listening(plays, hidden)


def of_the_service(engine: Engine, users: Iterable[int]) -> Recommended:
    """What the service recommends, out of a model."""
    with one_operator(engine) as connection:
        installation.install(connection)
        build(engine, lambda step: None)
    with Session(engine) as session:
        return {
            user: [row.track_id for row in recommended_tracks(session, Audience.user(user), Page(FIRST)).rows]
            for user in users
        }


def most_popular(listening: Listening) -> Recommended:
    """The tracks of most listeners that the user did not know."""
    listeners: dict[str, int] = {}
    for tracks in listening.plays.values():
        for track in tracks:
            listeners[track] = listeners.get(track, 0) + 1
    ranked = sorted(listeners, key=lambda track: (-listeners[track], track))
    return {
        user: [track for track in ranked if track not in listening.plays[user]][:FIRST] for user in listening.hidden
    }


def of_implicit(listening: Listening, model: Any) -> Recommended:
    """What a model of `implicit` recommends, of the logarithms of listens, as the service's score has them."""
    users = sorted(listening.plays)
    tracks = sorted({track for own in listening.plays.values() for track in own})
    place = {track: n for n, track in enumerate(tracks)}
    rows = [n for n, user in enumerate(users) for _ in listening.plays[user]]
    columns = [place[track] for user in users for track in listening.plays[user]]
    values = np.log1p([count for user in users for count in listening.plays[user].values()])
    matrix = csr_matrix((values, (rows, columns)), shape=(len(users), len(tracks)))
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Method expects CSR input")  # what BM25's own weights are not
        model.fit(matrix, show_progress=False)
    found, _ = model.recommend(range(len(users)), matrix, N=FIRST, filter_already_liked_items=True)
    return {user: [tracks[n] for n in found[row] if n >= 0] for row, user in enumerate(users)}


def recall(recommended: Sequence[str], hidden: set[str]) -> float:
    """The share of what was hidden that is found; of more than 20, of 20."""
    return sum(track in hidden for track in recommended) / min(len(hidden), FIRST)


def ndcg(recommended: Sequence[str], hidden: set[str]) -> float:
    """The discounted gain, over that of a list that begins with what was hidden."""
    gain = sum(1 / log2(place + 2) for place, track in enumerate(recommended) if track in hidden)
    return gain / sum(1 / log2(place + 2) for place in range(min(len(hidden), FIRST)))


def evaluate(engine: Engine, name: str) -> None:
    """Print a row of the table for each way to recommend."""
    listening = hide(engine)
    print(f"\n{name}: {len(listening.hidden):,} listeners\n\n| | recall@{FIRST} | nDCG@{FIRST} |\n| --- | --- | --- |")
    ways: dict[str, Callable[[], Recommended]] = {
        "songswap-insights": lambda: of_the_service(engine, listening.hidden),
        "popularity": lambda: most_popular(listening),
        "item-item BM25": lambda: of_implicit(listening, BM25Recommender(K=50)),
        "ALS, 64 factors": lambda: of_implicit(listening, AlternatingLeastSquares(factors=64, random_state=1)),
    }
    for way, recommend in ways.items():
        found = recommend()
        scores = [
            mean(score(found.get(user, ()), tracks) for user, tracks in listening.hidden.items())
            for score in (recall, ndcg)
        ]
        print(f"| {way} | {scores[0]:.3f} | {scores[1]:.3f} |", flush=True)


def main() -> None:
    end = this_hour()
    with EmbeddedPostgres.temporary({"fsync": "off"}) as server:
        with database(server.uri("postgres"), "demo") as engine:
            Base.metadata.create_all(engine)
            with engine.begin() as connection:
                fill(connection, Size(), SEED, end)
            evaluate(engine, "The demo's people")
        with database(server.uri("postgres"), "generated") as engine:
            with engine.connect() as connection:
                generate(connection, LISTENS, end, lambda line: None)
            evaluate(engine, "The generator's people")


if __name__ == "__main__":
    main()
