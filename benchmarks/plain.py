"""The same questions, answered by SQL written by hand over the platform's tables alone, next to the service's answers.

By PostgreSQL, and by DuckDB with the same rows.

The statements are what somebody writes who knows PostgreSQL: they group before they join, and look up names and listen
times for the rows of the page alone. They run on the database without rollups and without this service's indexes, with
the server's own settings (parallel workers, compiled plans), on warm memory, and their time has no HTTP in it. A ratio
counts only where both answers are the same.
"""

import json
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from statistics import median
from typing import Any, NamedTuple

from benchmarks import duck
from benchmarks.client import Client
from benchmarks.platforms import Platform
from benchmarks.server import plain

# Requests to the service for each plain statement, and the ms after which there are no more.
ROUNDS, PATIENCE = 20, 1000

BY_TRACK = 'SELECT track_id, count(*) AS plays FROM "History" {where} GROUP BY track_id'

TOP_TRACKS = f"""
    SELECT t.id, t.name, p.plays, p.plays * t.duration_ms::bigint, p.rank, p.plays / p.whole, p.rows
    FROM (
        SELECT *, rank() OVER (ORDER BY plays DESC) AS rank, sum(plays) OVER () AS whole, count(*) OVER () AS rows
        FROM ({BY_TRACK}) x ORDER BY plays DESC, track_id COLLATE "C" LIMIT 10
    ) p JOIN "Tracks" t ON t.id = p.track_id ORDER BY p.plays DESC, t.id COLLATE "C"
"""
TOP_ARTISTS = f"""
    SELECT a.id, a.name, p.plays, p.ms, p.rank, p.plays / p.whole, p.rows
    FROM (
        SELECT *, rank() OVER (ORDER BY plays DESC) AS rank, sum(plays) OVER () AS whole, count(*) OVER () AS rows
        FROM (
            SELECT c.artist_id, sum(x.plays)::bigint AS plays, sum(x.plays * t.duration_ms::bigint)::bigint AS ms
            FROM ({BY_TRACK}) x JOIN "Tracks" t ON t.id = x.track_id JOIN "ArtistTracks" c ON c.track_id = x.track_id
            GROUP BY c.artist_id
        ) y ORDER BY plays DESC, artist_id COLLATE "C" LIMIT 10
    ) p JOIN "Artists" a ON a.id = p.artist_id ORDER BY p.plays DESC, a.id COLLATE "C"
"""
TOP_LISTENERS = """
    SELECT u.id, u.username, p.plays, x.ms, p.rank, p.plays / p.whole, p.rows
    FROM (
        SELECT user_id, count(*) AS plays, rank() OVER (ORDER BY count(*) DESC) AS rank,
            sum(count(*)) OVER () AS whole, count(*) OVER () AS rows
        FROM "History" GROUP BY user_id ORDER BY plays DESC, user_id LIMIT 10
    ) p JOIN "Users" u ON u.id = p.user_id CROSS JOIN LATERAL (
        SELECT sum(t.duration_ms)::bigint AS ms FROM "History" h JOIN "Tracks" t ON t.id = h.track_id
        WHERE h.user_id = p.user_id
    ) x ORDER BY p.plays DESC, u.id
"""
CLOCK = """
    SELECT extract(isodow FROM h.played_at)::int, extract(hour FROM h.played_at)::int,
        count(*), sum(t.duration_ms)::bigint
    FROM "History" h JOIN "Tracks" t ON t.id = h.track_id GROUP BY 1, 2
"""


PARTS_OF_ONE = (
    "acousticness", "danceability", "energy", "instrumentalness", "liveness", "speechiness", "valence"
)  # fmt: skip
BINNED = dict.fromkeys(PARTS_OF_ONE, (0, 1)) | {"loudness": (-60, 0), "tempo": (0, 250)}
FEATURES = f"""
    WITH f AS (SELECT * FROM ({BY_TRACK.format(where="")}) x JOIN "TrackFeatures" f ON f.id = x.track_id)
""" + " UNION ALL ".join(
    f"""
    SELECT '{name}', least(greatest(floor(({name} - {low}) / {high - low}.0 * 10), 0), 9)::int, sum(plays),
        sum(plays * {name}), sum(plays * {name} * {name}), min({name}), max({name})
    FROM f WHERE {name} IS NOT NULL GROUP BY 2
    """
    for name, (low, high) in BINNED.items()
)
SPAN = "WHERE played_at >= '{start}' AND played_at < '{to}'"


@dataclass(frozen=True)
class PlainQuestion:
    """A question: what the service is asked, and the statement with the same answer."""

    name: str
    path: str
    statement: str


class Comparison(NamedTuple):
    """The median times of all, in ms, and whether the answers are the same."""

    plain_ms: float
    duckdb_ms: float
    service_ms: float
    same: bool


QUESTIONS = (
    PlainQuestion("top tracks", "/insights/global/top/tracks", TOP_TRACKS.format(where="")),
    PlainQuestion("top artists", "/insights/global/top/artists", TOP_ARTISTS.format(where="")),
    PlainQuestion("top listeners", "/insights/global/top/listeners", TOP_LISTENERS),
    PlainQuestion("total listens", "/insights/global/total/listens", 'SELECT count(*) FROM "History"'),
    PlainQuestion(
        "listen time",
        "/insights/global/total/listen-time",
        'SELECT sum(t.duration_ms)::bigint FROM "History" h JOIN "Tracks" t ON t.id = h.track_id',
    ),
    PlainQuestion(
        "distinct tracks",
        "/insights/global/distinct/tracks",
        'SELECT count(*) FROM (SELECT DISTINCT track_id FROM "History") x',
    ),
    PlainQuestion(
        "distinct artists",
        "/insights/global/distinct/artists",
        'SELECT count(*) FROM (SELECT DISTINCT artist_id FROM "ArtistTracks"'
        ' WHERE track_id IN (SELECT track_id FROM "History")) x',
    ),
    PlainQuestion(
        "distinct listeners",
        "/insights/global/distinct/listeners",
        'SELECT count(*) FROM (SELECT DISTINCT user_id FROM "History") x',
    ),
    PlainQuestion("clock", "/insights/global/clock", CLOCK),
    PlainQuestion("features", "/insights/global/features", FEATURES),
    PlainQuestion(
        "top tracks of 13 months",
        "/insights/global/top/tracks?from={start}Z&to={to}Z",
        TOP_TRACKS.format(where=SPAN),
    ),
    PlainQuestion(
        "top tracks of a typical user",
        "/insights/top/tracks/{typical}",
        TOP_TRACKS.format(where="WHERE user_id = {typical}"),
    ),
    PlainQuestion(
        "top tracks of the heaviest user",
        "/insights/top/tracks/{heaviest}",
        TOP_TRACKS.format(where="WHERE user_id = {heaviest}"),
    ),
    PlainQuestion(
        "top artists of the heaviest user",
        "/insights/top/artists/{heaviest}",
        TOP_ARTISTS.format(where="WHERE user_id = {heaviest}"),
    ),
)


def compare(platform: Platform, port: int, rounds: int, seconds: float) -> Iterator[tuple[PlainQuestion, Comparison]]:
    """The times of each question: the plain one `rounds` times or for about `seconds`, the others' in between."""
    to = platform.end - timedelta(days=20, seconds=1234)
    start = to - timedelta(days=395, hours=7)
    ids = platform.sample.ids(0) | {"start": start.isoformat(), "to": to.isoformat()}
    with Client(port) as client, platform.bare.connect() as connection, duck.copy(platform.bare) as column_store:
        for question in QUESTIONS:
            path, statement = question.path.format(**ids), question.statement.format(**ids)
            rows = plain(connection, statement)  # to warm up, as the service's first answer
            same = _of_answer(json.loads(client.get(path).body)) == _of_rows(rows)
            duck.ask(column_store, statement)
            by_hand: list[float] = []
            by_columns: list[float] = []
            served: list[float] = []
            while len(by_hand) < rounds and (not by_hand or sum(by_hand) < 1000 * seconds):
                started = time.perf_counter()
                plain(connection, statement)
                by_hand.append((time.perf_counter() - started) * 1000)
                by_columns += (duck.ask(column_store, statement) for _ in range(3))
                first = client.get(path).ms
                served += [first, *(client.get(path).ms for _ in range(min(ROUNDS, int(PATIENCE / first)) - 1))]
            yield (
                question,
                Comparison(round(median(by_hand), 3), round(median(by_columns), 3), round(median(served), 3), same),
            )


def _of_answer(answer: Any) -> Any:
    """What is compared of the service's answer: a number; id, count, listen time and rank; histograms; a table."""
    if isinstance(answer, dict) and "features" in answer:
        return sorted(
            (name, bin_, count)
            for name, feature in answer["features"].items()
            for bin_, count in enumerate(feature["histogram"])
            if count
        )
    if isinstance(answer, dict):
        return sorted(
            (day + 1, hour, count, answer["listen_time_ms"][day][hour])
            for day, counts in enumerate(answer["count"])
            for hour, count in enumerate(counts)
            if count
        )
    if isinstance(answer, list):
        return [
            (next(row[id_] for id_ in ("user_id", "track_id", "artist_id") if id_ in row),
             row["count"], row["listen_time_ms"], row["rank"])
            for row in answer
        ]  # fmt: skip
    return answer


def _of_rows(rows: Iterable[tuple[Any, ...]]) -> Any:
    """The same of the plain statement's rows."""
    found = list(rows)
    if len(found[0]) == 1:
        return found[0][0]
    if isinstance(found[0][0], str) and found[0][0] in BINNED:
        return sorted((name, bin_, int(count)) for name, bin_, count, *_ in found)
    if len(found[0]) == 4:
        return sorted(found)
    return [(id_, int(plays), int(ms), rank) for id_, _, plays, ms, rank, *_ in found]
