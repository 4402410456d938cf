"""The demo data: its amount, its shape, and every awkward kind that the insights must stand."""

import math
from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from random import Random

import pytest
from sqlalchemy import Connection, Engine, text

from app.cli.demo import SPAN, Size, fill
from app.cli.demo.catalogue import make_catalogue
from app.cli.demo.listening import listen
from app.cli.demo.people import make_people
from app.cli.embedded.database import DATABASE, PLATFORM_TABLES, embedded_database, engine_for, is_empty
from app.cli.embedded.server import EmbeddedPostgres
from app.cli.serving import demo_database
from app.models.base import Base

END = datetime(2026, 11, 23, 12, 30, 15, 250_000, UTC).replace(tzinfo=None)
SMALL = Size(users=12, listens=2000, artists=80)


@pytest.fixture(scope="module")
def filled(embedded: EmbeddedPostgres) -> Iterator[Connection]:
    """The demo data as `make run` makes it, in a database of its own."""
    with engine_for(embedded.uri("postgres")).execution_options(isolation_level="AUTOCOMMIT").connect() as connection:
        connection.execute(text("CREATE DATABASE shape"))
    with engine_for(embedded.uri("shape")).connect() as connection:
        Base.metadata.create_all(connection, tables=PLATFORM_TABLES)
        fill(connection, Size(), seed=20, end=END)
        yield connection


def count(connection: Connection, query: str) -> int:
    return int(connection.scalar(text(f"SELECT count(*) FROM ({query}) AS rows")) or 0)


def test_amount(filled: Connection) -> None:
    assert count(filled, 'SELECT FROM "Users"') == 50
    assert 198_000 < count(filled, 'SELECT FROM "History"') <= 200_000
    assert 5_000 < count(filled, 'SELECT FROM "Tracks"') < 8_000


def test_three_years_up_to_the_end(filled: Connection) -> None:
    first, last = filled.execute(text('SELECT min(played_at), max(played_at) FROM "History"')).one()
    assert END - SPAN <= first < END - SPAN + timedelta(days=14)
    assert END - timedelta(days=1) < last <= END


@pytest.mark.parametrize(
    "query",
    [
        'SELECT FROM "Users" WHERE id NOT IN (SELECT user_id FROM "History")',
        'SELECT id FROM "Tracks" EXCEPT SELECT track_id FROM "History"',
        'SELECT FROM "Tracks" WHERE id NOT IN (SELECT track_id FROM "ArtistTracks")',
        'SELECT FROM "Tracks" WHERE id NOT IN (SELECT id FROM "TrackImages")',
        'SELECT FROM "Tracks" WHERE id NOT IN (SELECT id FROM "TrackPreviews")',
        'SELECT FROM "Tracks" WHERE id NOT IN (SELECT id FROM "TrackFeatures")',
        'SELECT FROM "Tracks" WHERE id NOT IN (SELECT id FROM "TrackPopularity")',
        'SELECT FROM "TrackImages" GROUP BY id, width HAVING count(*) > 1',
        'SELECT FROM "ArtistTracks" WHERE NOT is_primary',
        'SELECT FROM "ArtistTracks" WHERE is_primary GROUP BY track_id HAVING count(*) > 1',
        'SELECT FROM "Artists" GROUP BY name HAVING count(*) > 1',
        'SELECT FROM "Tracks" GROUP BY name HAVING count(*) > 1',
        'SELECT FROM "Artists" WHERE id NOT IN (SELECT id FROM "ArtistGenres")',
        'SELECT FROM "ArtistGenres" GROUP BY id HAVING count(*) > 1',
        'SELECT FROM "Artists" WHERE id NOT IN (SELECT id FROM "ArtistImages")',
        'SELECT FROM "ArtistFollowers" GROUP BY id HAVING count(*) > 4',
        'SELECT FROM "ArtistPopularity" GROUP BY id HAVING count(*) > 4',
        'SELECT FROM "TrackFeatures" WHERE tempo = 0',
    ],
)
def test_every_awkward_kind_occurs(filled: Connection, query: str) -> None:
    assert count(filled, query) > 0


def test_values_are_in_range(filled: Connection) -> None:
    shares = ("acousticness", "danceability", "energy", "instrumentalness", "liveness", "speechiness", "valence")
    wrong = " OR ".join(f"{share} NOT BETWEEN 0 AND 1" for share in shares)
    assert count(filled, f'SELECT FROM "TrackFeatures" WHERE {wrong}') == 0
    assert count(filled, 'SELECT FROM "TrackFeatures" WHERE loudness NOT BETWEEN -60 AND 0 OR tempo > 250') == 0
    assert count(filled, 'SELECT FROM "TrackPopularity" WHERE popularity NOT BETWEEN 0 AND 100') == 0
    assert count(filled, 'SELECT FROM "Tracks" WHERE duration_ms NOT BETWEEN 30000 AND 1600000') == 0


def test_a_long_tail(filled: Connection) -> None:
    query = 'SELECT count(*) FROM "History" GROUP BY track_id ORDER BY 1 DESC'
    plays = list(filled.scalars(text(query)))
    assert sum(plays[: len(plays) // 10]) > 0.3 * sum(plays)
    assert plays[0] > 20 * plays[len(plays) // 2]


def test_days_and_weeks_have_a_rhythm(filled: Connection) -> None:
    def by(part: str) -> dict[int, int]:
        query = f'SELECT extract({part} FROM played_at)::int, count(*) FROM "History" GROUP BY 1'
        return {int(key): int(listens) for key, listens in filled.execute(text(query))}

    hours, days = by("hour"), by("isodow")
    assert hours[20] > 2 * hours[4]
    assert days[6] > 1.2 * days[2]


def test_new_users_get_new_ids(filled: Connection) -> None:
    with filled.begin_nested() as savepoint:
        values = "VALUES ('new', 'new@example.com', 'new') RETURNING id"
        assert filled.scalar(text(f'INSERT INTO "Users" (username, email, spotify_id) {values}')) == 51
        savepoint.rollback()


def test_plays_do_not_overlap_unless_skipped() -> None:
    rng = Random(1)
    catalogue = make_catalogue(rng, 80)
    person, *_ = make_people(rng, 3, 3000, catalogue, END - SPAN, END)
    listens = list(listen(rng, person, catalogue.tracks))
    gaps = [
        (later.played_at - listen.played_at) / timedelta(milliseconds=later.track.duration_ms)
        for listen, later in pairwise(listens)
    ]
    assert min(gaps) > 0
    assert sum(gap < 1 for gap in gaps) < 0.2 * len(gaps)
    assert sum(1 <= gap < 1.1 for gap in gaps) > 0.5 * len(gaps)  # one after the other, in a session


def test_some_people_resemble_each_other_and_some_do_not(filled: Connection) -> None:
    query = """
        SELECT user_id, artist_id, count(*) FROM "History" JOIN "ArtistTracks" USING (track_id)
        WHERE is_primary GROUP BY 1, 2
    """
    counts: dict[int, Counter[str]] = defaultdict(Counter)
    for user_id, artist_id, listens in filled.execute(text(query)):
        counts[user_id][artist_id] = listens

    def cosine(one: Counter[str], other: Counter[str]) -> float:
        dot = sum(listens * other[artist] for artist, listens in one.items())
        return dot / math.hypot(*one.values()) / math.hypot(*other.values())

    similarities = [cosine(counts[a], counts[b]) for a in counts for b in counts if a < b]
    assert max(similarities) > 0.8
    assert sum(similarity > 0.6 for similarity in similarities) > len(counts)
    assert sum(similarity < 0.1 for similarity in similarities) > len(similarities) / 2


def digest(connection: Connection) -> dict[str, str]:
    query = "SELECT md5(string_agg(t::text, ',' ORDER BY t::text)) FROM {} t"
    return {table.name: str(connection.scalar(text(query.format(f'"{table.name}"')))) for table in PLATFORM_TABLES}


def test_same_seed_and_end_same_rows(clean: EmbeddedPostgres) -> None:
    def made(engine: Engine, seed: int, end: datetime) -> dict[str, str]:
        with engine.connect() as connection:
            fill(connection, SMALL, seed, end)
            return digest(connection)

    with embedded_database(clean) as engine:
        first = made(engine, 7, END)
        assert made(engine, 7, END) == first
        assert made(engine, 8, END)["History"] != first["History"]
        assert made(engine, 7, END + timedelta(days=1))["History"] != first["History"]


def test_an_interrupted_fill_leaves_nothing_and_is_made_up_for(clean: EmbeddedPostgres) -> None:
    def interrupt(done: float) -> None:
        if done > 0.5:
            raise KeyboardInterrupt

    with embedded_database(clean) as engine:
        with pytest.raises(KeyboardInterrupt), engine.begin() as connection:
            fill(connection, SMALL, 7, END, interrupt)
        with engine.connect() as connection:
            assert is_empty(connection)
    with demo_database(clean, SMALL) as engine, engine.connect() as connection:
        assert count(connection, 'SELECT FROM "Users"') == SMALL.users


def test_a_filled_database_stays_as_it_is(clean: EmbeddedPostgres) -> None:
    with demo_database(clean, SMALL) as engine, engine.connect() as connection:
        before = digest(connection)
    with demo_database(clean, SMALL) as engine, engine.connect() as connection:
        assert digest(connection) == before


def test_data_of_somebodys_own_gets_no_demo_data_beside_it(clean: EmbeddedPostgres) -> None:
    with embedded_database(clean) as engine, engine.begin() as connection:
        connection.execute(text("""INSERT INTO "Users" VALUES (7, 'me', 'me@example.com', 'me')"""))
    with demo_database(clean, SMALL):
        pass
    with engine_for(clean.uri(DATABASE)).connect() as connection:
        assert connection.scalars(text('SELECT id FROM "Users"')).all() == [7]
        assert count(connection, 'SELECT FROM "Tracks"') == 0
