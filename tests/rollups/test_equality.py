"""Whatever is written, in whichever order and by however many at once: the rollups and the live tables agree.

Hypothesis plays three writers with interleaved transactions, the process that folds, an operator and the clock. The
live answers are those of a role that may not enter the schema `insights`, in the same snapshot.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, suppress
from datetime import datetime, timedelta
from functools import partial
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import Engine, text

from app.domain.audience import EVERYONE, Audience
from app.domain.timezones import timezone
from app.domain.windows import Window
from app.rollups.state import NONE
from app.rollups.upkeep.building import build, start_anew
from app.rollups.upkeep.folding import fold
from app.rollups.upkeep.transactions import snapshot as writing_snapshot
from app.rollups.upkeep.verification import differences
from app.services.totals import total_listens
from tests.conftest import NOW
from tests.rollups.conftest import install, operator, quiet
from tests.rollups.questions import BITS, Asker, Choose, Question, naive, questions, snapshot
from tests.rollups.writers import Writer
from tests.support.depth import scaled
from tests.support.histories import ANCHORS, DURATIONS

USERS = (1, 2, 3, 10, 2_147_483_647)
TRACKS = ("a", "B", "A", "_", "é", "zzzzzzzzzzzzzzzzzzzzzzzz")
ARTISTS = ("a", "B", "b", "~", "10")
GENRES = ("pop", "Pop", "électro", "_")
INSTANTS = sorted(
    {naive(anchor + bit) for anchor in ANCHORS[:20] + ANCHORS[-8:] for bit in (timedelta(), *BITS[:3], *BITS[6:8])}
    | {
        datetime(1969, 12, 31, 23, 59, 59, 999999),
        datetime(1850, 6, 1, 0, 7),
        datetime(2101, 1, 1),
        datetime(9999, 12, 31),
    }
)
MOMENTS = tuple(NOW + timedelta(days=days) for days in (0, 0.5, 1, 7, 8, 38, 39, 220, -1, -60))

users, tracks, artists = (st.sampled_from(ids) for ids in (USERS, TRACKS, ARTISTS))
genres, instants, durations = st.sampled_from(GENRES), st.sampled_from(INSTANTS), st.sampled_from(DURATIONS)
listens = st.lists(st.tuples(users, instants, tracks), min_size=1, max_size=12)
writers = st.sampled_from((0, 0, 1, 2))

FILL = {
    "Users": "SELECT id, 'listener', id || '@example.com', 'spotify-' || id FROM unnest(%s) AS id",
    "Artists": "SELECT id, 'Artist' FROM unnest(%s) AS id",
    "Tracks": "SELECT id, 'Track', 180000 FROM unnest(%s) AS id",
}
IDS: dict[str, tuple[Any, ...]] = {"Users": USERS, "Artists": ARTISTS, "Tracks": TRACKS}
ADD_LISTENS = 'INSERT INTO "History" (user_id, played_at, track_id) VALUES %s '


class BrokenOffError(Exception):
    """An operator's Ctrl-C."""


class Equality(RuleBasedStateMachine):
    """Three writers, one who folds and builds, one who reads an old snapshot, and the clock."""

    engine: Engine
    plain_role: str

    def __init__(self) -> None:
        super().__init__()
        self.now = NOW
        self.writers = [Writer(self.engine) for _ in range(3)]
        self.reading = ExitStack()
        self.reader: Asker | None = None

    @initialize(
        listened=listens, credited=st.sets(st.tuples(tracks, artists), max_size=8), seed=st.integers(0, 1_000_000)
    )
    def begin(self, listened: list[Any], credited: set[Any], seed: int) -> None:
        """A platform with some rows, and rollups of them."""
        self.seed = seed
        first = self.writers[0]
        assert first.run('TRUNCATE "Users", "Artists", "Tracks" CASCADE')
        for table, sql in FILL.items():
            assert first.run(f'INSERT INTO "{table}" {sql}', (list(IDS[table]),))
        for number, (track, artist) in enumerate(sorted(credited)):
            first.run('INSERT INTO "ArtistTracks" VALUES (%s, %s, %s)', (track, artist, number % 3 > 0))
            first.run('INSERT INTO "ArtistGenres" VALUES (%s, %s) ON CONFLICT DO NOTHING', (artist, GENRES[number % 4]))
        first.insert(ADD_LISTENS + "ON CONFLICT DO NOTHING", listened)
        self.operate(start_anew)
        self.operate(lambda connection: build(connection, lambda: self.now, quiet))

    def teardown(self) -> None:
        self.reading.close()
        for writer in self.writers:
            writer.close()

    def operate(self, act: Callable[..., Any]) -> None:
        """Do what one process at a time may do."""
        with operator(self.engine) as connection:
            act(connection)

    # Transactions

    @rule(writer=writers, isolation=st.sampled_from(("READ COMMITTED", "READ COMMITTED", "REPEATABLE READ")))
    def open_transaction(self, writer: int, isolation: str) -> None:
        if not self.writers[writer].is_open:
            self.writers[writer].begin(isolation)

    @rule(writer=writers, is_kept=st.sampled_from((True, True, False)))
    def end_transaction(self, writer: int, is_kept: bool) -> None:
        if self.writers[writer].is_open:
            self.writers[writer].commit() if is_kept else self.writers[writer].roll_back()

    @rule(writer=writers, how=st.sampled_from(("save", "save", "roll_back_to_savepoint", "release")))
    def use_savepoint(self, writer: int, how: str) -> None:
        session = self.writers[writer]
        if session.is_open and (how == "save" or session.savepoints):
            getattr(session, how)()

    # Listens

    @rule(writer=writers, rows=listens)
    def load(self, writer: int, rows: list[Any]) -> None:
        self.writers[writer].insert(ADD_LISTENS + "ON CONFLICT DO NOTHING", rows)

    @rule(writer=writers, rows=listens)
    def upsert(self, writer: int, rows: list[Any]) -> None:
        again = "ON CONFLICT (user_id, played_at) DO UPDATE SET track_id = excluded.track_id"
        self.writers[writer].insert(ADD_LISTENS + again, rows)

    @rule(writer=writers, rows=listens)
    def copy(self, writer: int, rows: list[Any]) -> None:
        self.writers[writer].copy(rows)

    @rule(writer=writers, track=tracks, other=tracks)
    def correct_track_of_listens(self, writer: int, track: str, other: str) -> None:
        self.writers[writer].run('UPDATE "History" SET track_id = %s WHERE track_id = %s', (other, track))

    @rule(writer=writers, user=users, bit=st.sampled_from(BITS), track=tracks)
    def move_listens(self, writer: int, user: int, bit: timedelta, track: str) -> None:
        sql = 'UPDATE "History" SET played_at = played_at + %s, track_id = %s WHERE user_id = %s'
        self.writers[writer].run(sql, (bit, track, user))

    @rule(writer=writers, user=users, instant=instants)
    def delete_listens(self, writer: int, user: int, instant: datetime) -> None:
        self.writers[writer].run('DELETE FROM "History" WHERE user_id = %s AND played_at >= %s', (user, instant))

    @rule(writer=writers, user=users, other=users)
    def hand_over_listens(self, writer: int, user: int, other: int) -> None:
        """Deletes and inserts in one statement."""
        self.writers[writer].run(
            'WITH gone AS (DELETE FROM "History" WHERE user_id = %s RETURNING *) INSERT INTO "History"'
            " SELECT %s, played_at + interval '1 us', track_id FROM gone ON CONFLICT DO NOTHING",
            (user, other),
        )

    @rule(writer=writers, rows=listens)
    def merge(self, writer: int, rows: list[Any]) -> None:
        """Inserts, updates and deletes in one statement."""
        self.writers[writer].insert(
            'MERGE INTO "History" h USING (VALUES %s) AS n (user_id, played_at, track_id)'
            " ON h.user_id = n.user_id AND h.played_at = n.played_at"
            " WHEN MATCHED AND h.track_id = n.track_id THEN DELETE"
            " WHEN MATCHED THEN UPDATE SET track_id = n.track_id"
            " WHEN NOT MATCHED THEN INSERT VALUES (n.user_id, n.played_at, n.track_id)",
            list({row[:2]: row for row in rows}.values()),
        )

    # Catalogue and users

    @rule(writer=writers, table=st.sampled_from(tuple(IDS)), place=st.integers(0, 5), other=st.integers(0, 5))
    def change_id(self, writer: int, table: str, place: int, other: int) -> None:
        ids = IDS[table]
        old, new = ids[place % len(ids)], ids[other % len(ids)]
        self.writers[writer].run(f'UPDATE "{table}" SET id = %s WHERE id = %s', (new, old))

    @rule(writer=writers, table=st.sampled_from(tuple(IDS)), places=st.sets(st.integers(0, 5), min_size=1, max_size=2))
    def delete_by_cascade(self, writer: int, table: str, places: set[int]) -> None:
        ids = [IDS[table][place % len(IDS[table])] for place in places]
        self.writers[writer].run(f'DELETE FROM "{table}" WHERE id = ANY(%s)', (ids,))

    @rule(writer=writers, table=st.sampled_from(tuple(IDS)))
    def fill_up(self, writer: int, table: str) -> None:
        """The ids that are missing come, or come back."""
        self.writers[writer].run(f'INSERT INTO "{table}" {FILL[table]} ON CONFLICT DO NOTHING', (list(IDS[table]),))

    @rule(writer=writers, track=tracks | st.none(), duration=durations)
    def correct_duration(self, writer: int, track: str | None, duration: int) -> None:
        """Of one track, or of all."""
        self.writers[writer].run(
            'UPDATE "Tracks" SET duration_ms = %(duration)s WHERE id = %(track)s OR %(track)s IS NULL',
            {"duration": duration, "track": track},
        )

    @rule(writer=writers, track=tracks, artist=artists, is_primary=st.booleans())
    def credit(self, writer: int, track: str, artist: str, is_primary: bool) -> None:
        sql = (
            'INSERT INTO "ArtistTracks" VALUES (%s, %s, %s)'
            " ON CONFLICT (track_id, artist_id) DO UPDATE SET is_primary = excluded.is_primary"
        )
        self.writers[writer].run(sql, (track, artist, is_primary))

    @rule(writer=writers, track=tracks, artist=artists | st.none())
    def take_credit(self, writer: int, track: str, artist: str | None) -> None:
        self.writers[writer].run(
            'DELETE FROM "ArtistTracks" WHERE track_id = %(track)s AND (artist_id = %(artist)s OR %(artist)s IS NULL)',
            {"track": track, "artist": artist},
        )

    @rule(writer=writers, track=tracks, artist=artists)
    def hand_over_credits(self, writer: int, track: str, artist: str) -> None:
        self.writers[writer].run('UPDATE "ArtistTracks" SET track_id = %s WHERE artist_id = %s', (track, artist))

    @rule(writer=writers)
    def flip_credits(self, writer: int) -> None:
        self.writers[writer].run('UPDATE "ArtistTracks" SET is_primary = NOT is_primary')

    @rule(writer=writers, artist=artists, genre=genres)
    def give_genre(self, writer: int, artist: str, genre: str) -> None:
        self.writers[writer].run('INSERT INTO "ArtistGenres" VALUES (%s, %s) ON CONFLICT DO NOTHING', (artist, genre))

    @rule(writer=writers, genre=genres, other=genres)
    def change_genre(self, writer: int, genre: str, other: str) -> None:
        self.writers[writer].run('UPDATE "ArtistGenres" SET genre = %s WHERE genre = %s', (other, genre))

    @rule(writer=writers, artist=artists)
    def take_genres(self, writer: int, artist: str) -> None:
        self.writers[writer].run('DELETE FROM "ArtistGenres" WHERE id = %s', (artist,))

    @rule(
        writer=writers,
        table=st.sampled_from(
            ("History", "History", "Tracks", "Users", "Artists", "ArtistTracks", "ArtistGenres", "TrackFeatures")
        ),
        is_meant=st.integers(0, 3),
        is_kept=st.booleans(),
    )
    def truncate(self, writer: int, table: str, is_meant: int, is_kept: bool) -> None:
        """Not often: there is little to see afterwards. It ends its transaction, because nobody can read meanwhile."""
        if not is_meant:
            self.writers[writer].run(f'TRUNCATE "{table}" CASCADE')
            self.end_transaction(writer, is_kept)

    # Rollups and time

    @rule()
    def fold(self) -> None:
        def fold_in(connection: Any) -> None:
            with writing_snapshot(connection):
                fold(connection)

        self.operate(fold_in)

    @rule(moment=st.sampled_from(MOMENTS))
    def move_clock(self, moment: datetime) -> None:
        self.now = moment

    @rule()
    def build(self) -> None:
        self.operate(lambda connection: build(connection, lambda: self.now, quiet))

    @rule(parts=st.integers(0, 12), from_start=st.booleans())
    def build_in_part(self, parts: int, from_start: bool) -> None:
        """Until an operator breaks it off."""
        told: list[str] = []

        def tell(what: str) -> None:
            if len(told) == parts:
                raise BrokenOffError
            told.append(what)

        if from_start:
            self.operate(start_anew)
        with suppress(BrokenOffError):
            self.operate(lambda connection: build(connection, lambda: self.now, tell))

    @precondition(lambda self: not self.is_trusted())
    @rule()
    def rebuild(self) -> None:
        self.operate(start_anew)
        self.operate(lambda connection: build(connection, lambda: self.now, quiet))

    def is_trusted(self) -> bool:
        with self.engine.connect() as connection:
            unknown = text(
                "SELECT distrust IS NOT NULL OR EXISTS (SELECT FROM insights.truncations) FROM insights.state"
            )
            return not connection.scalar(unknown)

    # What has to hold

    @invariant()
    def ask_the_same_again(self) -> None:
        """A few questions about everyone and about a user, after each step."""
        choose = Random(self.seed).choice
        asked = [self.questions(choose) for _ in range(12)]
        everyone = [questions for questions in asked if "(everyone" in questions[0].name]
        one_user = [questions for questions in asked if questions[-1].name.startswith("compare(")]
        with snapshot(self.engine, self.plain_role) as (_, asker):
            for questions in everyone[:2] + one_user[:2]:
                self.compare(asker, [choose(questions)])

    @rule(data=st.data())
    def ask(self, data: st.DataObject) -> None:
        with snapshot(self.engine, self.plain_role) as (connection, asker):
            self.compare(asker, self.questions(partial(_drawn, data)))
            if asker.rollups is not NONE:
                assert list(differences(connection, quiet)) == []

    @precondition(lambda self: self.reader is None)
    @rule()
    def look(self) -> None:
        """Take a snapshot, to ask in later."""
        _, self.reader = self.reading.enter_context(snapshot(self.engine, self.plain_role))
        assert self.reader.rollups is not None

    @precondition(lambda self: self.reader is not None)
    @rule(data=st.data())
    def ask_in_old_snapshot(self, data: st.DataObject) -> None:
        assert self.reader is not None
        self.compare(self.reader, self.questions(partial(_drawn, data)))
        self.reading.close()
        self.reader = None

    def questions(self, choose: Choose) -> list[Question]:
        return questions(choose, choose((self.now, NOW)), [*USERS, 77], TRACKS, ARTISTS)

    def compare(self, asker: Asker, asked: list[Question]) -> None:
        for question in asked:
            difference = asker.difference(question)
            assert difference is None, f"{difference} at {self.now}: {question}"


def _drawn(data: st.DataObject, several: Sequence[Any]) -> Any:
    return data.draw(st.sampled_from(several))


@pytest.fixture(scope="module")
def platform_engine(make_database: Callable[..., Iterator[Engine]]) -> Iterator[Engine]:
    """A database with empty rollups."""
    for engine in make_database("rollups_equality"):
        install(engine)
        yield engine


@pytest.mark.hypothesis
def test_the_rollups_are_the_live_tables_whatever_is_written(platform_engine: Engine, plain_role: str) -> None:
    Equality.engine, Equality.plain_role = platform_engine, plain_role
    run_state_machine_as_test(
        Equality,
        settings=settings(
            max_examples=scaled(10),
            stateful_step_count=30,
            phases=(Phase.explicit, Phase.generate, Phase.shrink),
            suppress_health_check=list(HealthCheck),
        ),
    )


@pytest.mark.parametrize("zone", ["UTC", "Asia/Kathmandu", "America/Havana", "Africa/Monrovia"])
@pytest.mark.parametrize("is_folded", [False, True])
def test_listens_of_1970_to_2100_are_counted(
    zone: str, is_folded: bool, platform_engine: Engine, plain_role: str
) -> None:
    beyond = ["-infinity", "1969-12-31 23:59:59.999999", "2101-01-01", "9999-12-31 23:59:59.999999", "infinity"]
    within = ["1970-01-01", "2000-02-29 12:44:59.999999", "2100-12-31 23:59:59.999999"]
    with platform_engine.begin() as connection:
        connection.execute(text('TRUNCATE "Users", "Artists", "Tracks" CASCADE'))
    with operator(platform_engine) as connection:
        start_anew(connection)
        build(connection, lambda: NOW, quiet)
    with platform_engine.begin() as connection:
        for table, sql in FILL.items():
            connection.exec_driver_sql(f'INSERT INTO "{table}" {sql}', (list(IDS[table]),))
        listen = text("INSERT INTO \"History\" VALUES (1, CAST(:instant AS timestamp), 'a')")
        connection.execute(listen, [{"instant": instant} for instant in beyond + within])
    if is_folded:
        with operator(platform_engine) as connection, writing_snapshot(connection):
            fold(connection)

    def choose(several: Sequence[Any]) -> Any:
        return next((one for one in ("all_time", zone, "year") if one in several), several[0])

    with snapshot(platform_engine, plain_role) as (_, asker):
        assert asker.rollups is not NONE
        found = [asker.difference(question) for question in questions(choose, NOW, USERS, TRACKS, ARTISTS)]
        assert [difference for difference in found if difference] == []
        asker.as_service()
        for audience in (EVERYONE, Audience.user(1)):
            assert total_listens(asker.rolled_up, audience, Window.all_time(timezone(zone))) == len(within)
