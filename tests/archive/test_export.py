"""The archive is one snapshot's listens of closed days, whatever has happened since the export before."""

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from math import isnan, nan
from pathlib import Path
from random import Random
from typing import Any

import pytest
from pyarrow import parquet
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from app.archive.export import MonthToDo
from app.archive.log import NoLogError
from app.archive.manifest import MANIFEST, UNFINISHED, Manifest
from app.archive.store import Store
from app.archive.verification import broken_files, wrong_months
from app.domain.slots import number_of_slot
from app.rollups.installation import install as installation
from tests.archive.conftest import archived, at_once, begin_again, exported, fold_in, live, run, table
from tests.conftest import NOW
from tests.oracle.checks import examples
from tests.rollups.conftest import install, operator, quiet
from tests.rollups.loads import fill, wait_for_commits, writing
from tests.support.factories import Platform

TRACKS = ("a", "B", 'a,"b', "two\nlines", "é", "null", "NULL", " ")
ARTISTS = ("a", "B", "~,")
TODAY = NOW.replace(hour=0, minute=0)

PLATFORM = """
    INSERT INTO "Users" SELECT id, 'listener', id || '@example.com', 'spotify-' || id FROM generate_series(1, 3) id;
    INSERT INTO "Tracks" SELECT id, 'Track', 180000 FROM unnest(CAST(:tracks AS text[])) id;
    INSERT INTO "Artists" SELECT id, 'Artist' FROM unnest(CAST(:artists AS text[])) id
"""
LISTEN = 'INSERT INTO "History" (user_id, played_at, track_id) VALUES (:user, :at, :track) ON CONFLICT DO NOTHING'


def listen(engine: Engine, at: str | datetime, track: str = "a", user: int = 1) -> None:
    run(engine, LISTEN, user=user, at=at, track=track)


@pytest.fixture
def platform_engine(platform_engine: Engine) -> Engine:
    """The platform's database with users, tracks and artists."""
    run(platform_engine, PLATFORM, tracks=list(TRACKS), artists=list(ARTISTS))
    return platform_engine


def faults(engine: Engine, store: Store, archive: Manifest) -> list[str]:
    with operator(engine) as connection:
        return [*broken_files(store, archive), *wrong_months(connection, store, archive, at_once)]


def names(archive: Manifest) -> dict[str, str]:
    """The file of each month."""
    return {name: month.file.name for name, month in archive.months.items()}


def test_it_has_the_listens_of_closed_days_a_file_a_month_by_instant(platform_engine: Engine, store: Store) -> None:
    listen(platform_engine, "2026-10-31T23:59:59.999999")
    listen(platform_engine, "2026-09-01T00:00")
    listen(platform_engine, "2026-10-31T23:59:59.999999", track="two\nlines", user=3)
    listen(platform_engine, TODAY - timedelta(microseconds=1), track='a,"b')
    for beyond in (TODAY, "1969-12-31T23:59:59", "2101-01-01", "2026-12-24"):
        listen(platform_engine, beyond)

    archive = exported(platform_engine, store)

    assert list(archive.months) == ["2026-09", "2026-10", "2026-11"]
    assert archive.closed == TODAY.replace(tzinfo=None)
    assert archived(store, archive) == live(platform_engine, TODAY)
    assert len(archived(store, archive)) == 4
    october = archive.months["2026-10"].file
    assert (october.rows, october.least, october.greatest) == (2, "2026-10-31 23:59:59.999999", october.least)
    assert table(store, october).column_names == ["played_at", "slot", "track", "user"]
    assert table(store, october)["slot"].to_pylist() == [number_of_slot(datetime(2026, 10, 31, 23, 45))] * 2
    assert Path(store.path(october.name)).stat().st_size == october.bytes


def test_it_has_the_facts_of_every_track(platform_engine: Engine, store: Store) -> None:
    begin_again(platform_engine)
    with Session(platform_engine) as session:
        platform = Platform(session)
        one, two = platform.artist("one", genres=["pop", ""]), platform.artist("two")
        platform.track("a", primary=[one], featured=[two], features={"tempo": 0.1 + 0.2, "key": 11, "energy": nan})
        platform.track("b", duration_ms=-1)
        session.commit()

    archive = exported(platform_engine, store)

    def rows(name: str) -> list[Any]:
        return list(table(store, archive.catalogue[name]).to_pylist())

    assert rows("tracks") == [
        {"track": 0, "track_id": "a", "duration_ms": 180_000},
        {"track": 1, "track_id": "b", "duration_ms": -1},
    ]
    assert rows("credits") == [
        {"track_id": "a", "artist_id": "one", "is_primary": True},
        {"track_id": "a", "artist_id": "two", "is_primary": False},
    ]
    assert rows("genres") == [{"artist_id": "one", "genre": ""}, {"artist_id": "one", "genre": "pop"}]
    (features,) = rows("features")
    assert isnan(features["energy"])
    assert (features["track_id"], features["tempo"], features["key"]) == ("a", 0.1 + 0.2, 11)


def test_ids_with_lines_in_them_are_read_whole_however_many(platform_engine: Engine, store: Store) -> None:
    # More than the megabyte that Arrow parses at a time.
    ids = [f"two\nlines\n{number:05d}" for number in range(60_000)]
    sql = "INSERT INTO \"Tracks\" SELECT id, 'Track', 1 FROM unnest(CAST(:ids AS text[])) id"
    run(platform_engine, sql, ids=ids)
    archive = exported(platform_engine, store)
    assert set(table(store, archive.catalogue["tracks"])["track_id"].to_pylist()) == {*ids, *TRACKS}


def test_a_second_export_writes_only_the_months_that_changed(platform_engine: Engine, store: Store) -> None:
    for month in (7, 8, 9, 10):
        listen(platform_engine, datetime(2026, month, 5))
    listen(platform_engine, TODAY + timedelta(hours=1))
    fold_in(platform_engine)
    first = exported(platform_engine, store)
    unchanged = exported(platform_engine, store)
    assert names(unchanged) == names(first)

    listen(platform_engine, "2026-08-31T23:59:59.999999")
    listen(platform_engine, "2026-08-01")
    run(platform_engine, "DELETE FROM \"History\" WHERE played_at = '2026-10-05'")
    listen(platform_engine, "2026-06-30T23:59:59.999999")
    fold_in(platform_engine)
    run(platform_engine, "UPDATE \"Tracks\" SET duration_ms = 7 WHERE id = 'a'")
    to_do: list[str] = []

    def progress(months: Sequence[MonthToDo]) -> Any:
        to_do.extend(month.name for month in months)
        return at_once(months)

    second = exported(platform_engine, store, progress=progress)
    assert to_do == ["2026-06", "2026-08", "2026-10"]
    assert archived(store, second) == live(platform_engine, TODAY)

    # A day later: the month that is not over goes on, and no other.
    to_do.clear()
    third = exported(platform_engine, store, now=NOW + timedelta(days=1), progress=progress)
    assert to_do == ["2026-11"]
    assert archived(store, third) == live(platform_engine, TODAY + timedelta(days=1))
    assert third.months["2026-11"].file.rows == 1
    exported(platform_engine, store, everything=True, progress=progress)
    assert len(to_do) == 7


def test_a_deleted_users_listens_are_in_no_file_after_the_next_export(platform_engine: Engine, store: Store) -> None:
    listen(platform_engine, "2026-09-05", user=2)
    listen(platform_engine, "2026-10-05", user=1)
    exported(platform_engine, store)
    run(platform_engine, 'DELETE FROM "Users" WHERE id = 2')

    archive = exported(platform_engine, store)

    assert [listen[0] for listen in archived(store, archive)] == [1]
    on_disk = {path for path in Path(store.path("")).rglob("*") if path.is_file()}
    assert on_disk == {Path(store.path(name)) for name in (MANIFEST, *(file.name for file in archive.files))}
    assert 2 not in table(store, archive.catalogue["users"])["user_id"].to_pylist()
    # Its number is not given again.
    run(platform_engine, "INSERT INTO \"Users\" VALUES (9, 'listener', '9@example.com', 'spotify-9')")
    users = table(store, exported(platform_engine, store).catalogue["users"]).to_pylist()
    assert users == [{"user": 0, "user_id": 1}, {"user": 2, "user_id": 3}, {"user": 3, "user_id": 9}]


def test_an_export_that_was_broken_off_goes_on_and_shows_nothing_until_it_is_whole(
    platform_engine: Engine, store: Store
) -> None:
    listen(platform_engine, "2026-05-05")
    fold_in(platform_engine)
    before = exported(platform_engine, store)
    for month in (5, 6, 7, 8):
        listen(platform_engine, datetime(2026, month, 7), track="B")
    fold_in(platform_engine)
    written: list[str] = []

    def breaking_off_after(number: int) -> Callable[[Sequence[MonthToDo]], Any]:
        @contextmanager
        def progress(months: Sequence[MonthToDo]) -> Iterator[Iterator[MonthToDo]]:
            def each() -> Iterator[MonthToDo]:
                for place, month in enumerate(months):
                    if place == number:
                        raise KeyboardInterrupt
                    written.append(month.name)
                    yield month

            yield each()

        return progress

    with pytest.raises(KeyboardInterrupt):
        exported(platform_engine, store, progress=breaking_off_after(2))
    assert written == ["2026-05", "2026-06"]
    assert store.manifest() == before
    assert archived(store, before) == [(1, datetime(2026, 5, 5), "a")]

    # What has changed of that meanwhile is written again, the rest is not.
    run(platform_engine, "DELETE FROM \"Tracks\" WHERE id = 'a'")
    fold_in(platform_engine)
    written.clear()
    after = exported(platform_engine, store, progress=breaking_off_after(9))
    assert written == ["2026-05", "2026-07", "2026-08"]
    assert archived(store, after) == live(platform_engine, TODAY)
    assert store.manifest(UNFINISHED) is None
    assert faults(platform_engine, store, after) == []


def test_all_of_it_is_one_snapshot_and_what_came_meanwhile_is_in_the_next(
    platform_engine: Engine, store: Store
) -> None:
    listen(platform_engine, "2026-05-05")
    listen(platform_engine, "2026-07-05")

    @contextmanager
    def progress(months: Sequence[MonthToDo]) -> Iterator[Iterator[MonthToDo]]:
        def each() -> Iterator[MonthToDo]:
            for month in months:
                listen(platform_engine, month.span.ends - timedelta(hours=1), track="B")
                fold_in(platform_engine)
                yield month

        yield each()

    first = exported(platform_engine, store, progress=progress)
    assert archived(store, first) == [(1, datetime(2026, 5, 5), "a"), (1, datetime(2026, 7, 5), "a")]
    second = exported(platform_engine, store)
    assert archived(store, second) == live(platform_engine, TODAY)
    assert len(archived(store, second)) == 9


def test_after_the_rollups_were_built_again_everything_is_written(platform_engine: Engine, store: Store) -> None:
    listen(platform_engine, "2026-05-05")
    first = exported(platform_engine, store)
    run(
        platform_engine,
        "ALTER TABLE \"History\" DISABLE TRIGGER USER; INSERT INTO \"History\" VALUES (2, '2026-05-06', 'B')",
    )
    with operator(platform_engine) as connection:
        installation.install(connection, quiet)
    with pytest.raises(NoLogError, match="not to be believed"):
        exported(platform_engine, store)
    install(platform_engine)
    assert "built again" in faults(platform_engine, store, first)[0]
    assert archived(store, exported(platform_engine, store)) == live(platform_engine, TODAY)


@pytest.mark.thorough
def test_no_listen_is_missed_while_four_writers_write(platform_engine: Engine, store: Store) -> None:
    begin_again(platform_engine)
    with platform_engine.begin() as connection:
        fill(connection)
    with writing(platform_engine) as load:
        for _ in range(3):
            wait_for_commits(load, 10)
            archive = exported(platform_engine, store)
            assert faults(platform_engine, store, archive) == []
            fold_in(platform_engine)
    assert archived(store, exported(platform_engine, store)) == live(platform_engine, TODAY)


def test_verification_finds_what_is_wrong(platform_engine: Engine, store: Store) -> None:
    listen(platform_engine, "2026-05-05")
    listen(platform_engine, "2026-07-05")
    archive = exported(platform_engine, store)
    assert faults(platform_engine, store, archive) == []

    # A change that nobody noted.
    run(platform_engine, "UPDATE \"History\" SET track_id = 'B' WHERE played_at = '2026-07-05'")
    fold_in(platform_engine)
    assert faults(platform_engine, store, archive) == []
    run(platform_engine, "DELETE FROM insights.touched_days")
    assert faults(platform_engine, store, archive) == ["2026-07: the listens are not those of the database"]

    may = archive.months["2026-05"].file.name
    parquet.write_table(parquet.read_table(store.path(may)), store.path(may), compression="none")
    assert list(broken_files(store, archive)) == [f"{may}: its bytes are others"]
    Path(store.path(may)).unlink()
    assert list(broken_files(store, archive)) == [f"{may}: is not there"]


def test_pruning_leaves_what_is_not_the_archives(platform_engine: Engine, store: Store) -> None:
    listen(platform_engine, "2026-05-05")
    archive = exported(platform_engine, store)
    for name in (
        "listens/2026-05/0123456789abcdef.parquet",
        "unfinished-x1/file",
        "notes.txt",
        "listens/notes.parquet",
    ):
        Path(store.path(name)).parent.mkdir(exist_ok=True)
        Path(store.path(name)).write_text("left over")
    assert store.prune(archive) == ["listens/2026-05/0123456789abcdef.parquet", "unfinished-x1/file"]
    assert faults(platform_engine, store, archive) == []
    assert Path(store.path("listens/notes.parquet")).exists()
    assert not Path(store.path("unfinished-x1")).exists()


def test_the_manifest_is_json_that_says_what_there_is(platform_engine: Engine, store: Store) -> None:
    listen(platform_engine, "2026-05-05")
    archive = exported(platform_engine, store)
    assert store.manifest() == archive
    read = json.loads(Path(store.path(MANIFEST)).read_text())
    assert read["closed"] == "2026-11-23T00:00:00"
    assert read["months"]["2026-05"]["file"]["rows"] == 1
    assert len(read["months"]["2026-05"]["file"]["sha256"]) == 64


def any_change(rng: Random, engine: Engine) -> None:
    """Something that happens to a platform."""
    day = datetime(2026, rng.choice((6, 7, 8, 11)), rng.choice((1, 2, 22)))
    instant = day + rng.choice((timedelta(), timedelta(microseconds=-1), timedelta(hours=7)))
    track, other, artist, user = rng.choice(TRACKS), rng.choice(TRACKS), rng.choice(ARTISTS), rng.choice((1, 2, 3))
    values = {"at": instant, "track": track, "other": other, "artist": artist, "user": user}
    changes = (
        *[LISTEN] * 5,
        'DELETE FROM "History" WHERE played_at = :at',
        'DELETE FROM "Users" WHERE id = :user',
        'DELETE FROM "Tracks" WHERE id = :track',
        'UPDATE "Tracks" SET duration_ms = duration_ms - 100000 WHERE id = :track',
        'UPDATE "Tracks" SET id = :other WHERE id = :track AND NOT EXISTS (SELECT FROM "Tracks" WHERE id = :other)',
        'UPDATE "History" SET track_id = :track WHERE user_id = :user',
        'INSERT INTO "ArtistTracks" VALUES (:track, :artist, true) ON CONFLICT DO NOTHING',
    )
    missing = """
        INSERT INTO "Users" VALUES (:user, 'listener', :user || '@example.com', 'spotify-' || :user)
        ON CONFLICT DO NOTHING;
        INSERT INTO "Tracks" VALUES (:track, 'Track', 180000) ON CONFLICT DO NOTHING
    """
    run(engine, missing, **values)
    run(engine, rng.choice(changes), **values)


@examples(30)
def test_whatever_happened_the_next_export_is_what_the_live_table_says(
    rng: Random, platform_engine: Engine, tmp_path_factory: pytest.TempPathFactory
) -> None:
    store = Store(str(tmp_path_factory.mktemp("archive")))
    begin_again(platform_engine)
    run(platform_engine, PLATFORM, tracks=list(TRACKS), artists=list(ARTISTS))
    now = NOW
    for _ in range(4):
        for _ in range(rng.randrange(8)):
            any_change(rng, platform_engine)
            if rng.random() < 0.3:
                fold_in(platform_engine)
        now += timedelta(days=rng.choice((0, 0, 1, 30)))
        archive = exported(platform_engine, store, now=now)
        closed = datetime.combine(now.date(), datetime.min.time(), UTC)
        assert archived(store, archive) == live(platform_engine, closed)
        assert faults(platform_engine, store, archive) == []
