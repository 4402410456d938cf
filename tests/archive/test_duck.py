"""What DuckDB counts in a local copy of the archive is what PostgreSQL counts of the closed days."""

import threading
from datetime import datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import pyarrow as pa
import pytest
from sqlalchemy import Engine, text

from app.archive.duck import ArchiveAwayError, Copies, Copy
from app.archive.store import Store
from app.domain.timezones import naive
from app.models.rollups import Kind
from app.rollups.spans import EVER, Span
from app.rollups.sql import load, within
from config import load_settings
from tests.archive.conftest import begin_again, exported, fold_in, run
from tests.conftest import NOW
from tests.oracle.checks import Substance, examples
from tests.rollups.loads import fill
from tests.support.histories import listened

TODAY = naive(NOW).replace(hour=0, minute=0)
CLOSED = Span(EVER.starts, TODAY)
Counts = dict[Any, tuple[int, int]]


def copies(store: Store, folder: Path, **settings: str) -> Copies:
    """Copies of an archive, with settings by the ends of their names."""
    given = {"URL": store.path(""), "LOCAL_FOLDER": str(folder), "THREADS": "1", **settings}
    return Copies(load_settings({f"ARCHIVE_{name}": value for name, value in given.items()}))


@pytest.fixture
def local(store: Store, tmp_path: Path) -> Copies:
    """Copies of the archive, none made yet."""
    return copies(store, tmp_path / "local")


@pytest.fixture
def listens(platform_engine: Engine) -> Engine:
    """The platform's database with 2,000 listens of two months."""
    with platform_engine.begin() as connection:
        fill(connection)
    return platform_engine


def live(engine: Engine, span: Span) -> dict[Kind, Counts]:
    """What PostgreSQL counts of a span, by kind and id."""
    found: dict[Kind, Counts] = {kind: {} for kind in Kind}
    during = within("played_at", Span(span.starts, min(span.ends, TODAY)))
    rows = load("count_listens", listens=load("listens_of_span", sign="1", during=during))
    sql = f"SELECT kind, id, sum(plays), sum(listen_time_ms) FROM ({rows}) r GROUP BY kind, id HAVING sum(plays) > 0"
    with engine.connect() as connection:
        for kind, id_, plays, listen_time_ms in connection.execute(text(sql)):
            found[Kind(kind)][id_] = (int(plays), int(listen_time_ms))
    return found


def live_slots(engine: Engine, span: Span) -> Counts:
    during = within("played_at", Span(span.starts, min(span.ends, TODAY)))
    counted = f"""
        SELECT CAST(floor(extract(epoch FROM played_at) / 900) AS integer), count(*),
            sum(CAST(greatest(t.duration_ms, 0) AS bigint))
        FROM "History" h JOIN "Tracks" t ON t.id = h.track_id WHERE {during} GROUP BY 1
    """
    with engine.connect() as connection:
        return {row[0]: (row[1], int(row[2])) for row in connection.execute(text(counted))}


def pairs(counts: pa.Table) -> Counts:
    assert counts.schema.types[1:] == [pa.int64(), pa.int64()]
    return {row["number"]: (row["plays"], row["listen_time_ms"]) for row in counts.to_pylist()}


def counted(copy: Copy, kind: Kind, span: Span) -> Counts:
    """What the copy counts of a span, by id, as the rollups write that of a listener."""
    by_number = pairs(copy.counts(kind, span))
    ids = copy.ids(kind, list(by_number))
    names = [f"{id_:010d}" if kind is Kind.LISTENER else id_ for id_ in ids]
    assert len(set(names)) == len(by_number)
    return dict(zip(names, by_number.values(), strict=True))


def check(engine: Engine, copy: Copy, span: Span) -> bool:
    """Whether there are any listens in the span, of which all counts are right."""
    expected = live(engine, span)
    assert {kind: counted(copy, kind, span) for kind in Kind} == expected
    assert pairs(copy.slots(span)) == live_slots(engine, span)
    return bool(expected[Kind.TRACK])


def spans(rng: Random, instants: list[datetime]) -> list[Span]:
    """All of it, and spans that begin and end with listens, or a microsecond off."""
    found = [EVER]
    for _ in range(3):
        ends = [rng.choice(instants) + rng.choice((-1, 0, 1)) * timedelta(microseconds=1) for _ in range(2)]
        found.append(Span(max(min(ends), EVER.starts), min(max(ends), EVER.ends)))
    return found


CHANGES = """
    DELETE FROM "Users" WHERE id = (SELECT min(user_id) FROM "History");
    DELETE FROM "Tracks" WHERE id = (SELECT max(id) FROM "Tracks");
    UPDATE "Tracks" SET duration_ms = 1 - duration_ms / 2 WHERE id = (SELECT min(id) FROM "Tracks");
    UPDATE "ArtistTracks" SET is_primary = NOT is_primary WHERE artist_id = (SELECT min(artist_id) FROM "ArtistTracks");
    DELETE FROM "ArtistGenres" WHERE genre = (SELECT min(genre) FROM "ArtistGenres")
"""


@examples(30)
def test_it_counts_what_postgresql_counts(
    rng: Random, platform_engine: Engine, tmp_path_factory: pytest.TempPathFactory, substance: Substance
) -> None:
    begin_again(platform_engine)
    history = listened(rng)
    with platform_engine.begin() as connection:
        history.world.load(connection)
    folder = tmp_path_factory.mktemp("archive")
    store = Store(str(folder / "archive"))
    local = copies(store, folder / "local")
    instants = [naive(listen.played_at) for listen in history.world.listens] or [TODAY]
    for change in ("SELECT 1", CHANGES):
        run(platform_engine, change)
        exported(platform_engine, store)
        copy = local.latest()
        for span in spans(rng, instants):
            substance.note(check(platform_engine, copy, span))


def test_numbers_are_in_the_order_of_ids(listens: Engine, store: Store, local: Copies) -> None:
    run(listens, "INSERT INTO \"Tracks\" SELECT id, 'Track', 1 FROM unnest(ARRAY['é', 'Z', 'a', '_', 'aa', '~']) id")
    exported(listens, store)
    run(listens, "INSERT INTO \"Tracks\" SELECT id, 'Track', 1 FROM unnest(ARRAY['É', 'A', 'z']) id")
    run(
        listens,
        "INSERT INTO \"History\" SELECT 1, timestamp '2026-01-01' + n * interval '1 s', id"
        ' FROM (SELECT id, row_number() OVER () AS n FROM "Tracks") t',
    )
    exported(listens, store)
    copy = local.latest()
    numbers = sorted(copy.counts(Kind.TRACK, CLOSED)["number"].to_pylist())
    ids = copy.ids(Kind.TRACK, numbers)
    assert ids == sorted(ids, key=str.encode)
    assert len(ids) == 29
    users = copy.ids(Kind.LISTENER, sorted(copy.counts(Kind.LISTENER, CLOSED)["number"].to_pylist()))
    assert users == list(range(1, 9))


def test_a_copy_is_made_once_for_each_manifest(listens: Engine, store: Store, local: Copies, tmp_path: Path) -> None:
    fold_in(listens)
    exported(listens, store)
    first = local.latest()
    assert local.latest() is first
    (file,) = (tmp_path / "local").iterdir()
    made = file.stat().st_mtime_ns

    # Another process, with the same folder.
    assert copies(store, tmp_path / "local").latest().manifest == first.manifest
    assert file.stat().st_mtime_ns == made

    before = pairs(first.counts(Kind.TRACK, CLOSED))
    run(listens, 'DELETE FROM "Users" WHERE id = 1')
    exported(listens, store)
    second = local.latest()
    assert second.manifest != first.manifest
    assert 1 not in second.ids(Kind.LISTENER, second.counts(Kind.LISTENER, CLOSED)["number"].to_pylist())
    assert [path for path in (tmp_path / "local").iterdir() if path == file] == []
    assert len(list((tmp_path / "local").iterdir())) == 1
    # Who has the one before open keeps it.
    assert pairs(first.counts(Kind.TRACK, CLOSED)) == before


def test_several_threads_ask_at_once(listens: Engine, store: Store, local: Copies) -> None:
    exported(listens, store)
    found: list[Counts] = []
    threads = [
        threading.Thread(target=lambda: found.append(counted(local.latest(), Kind.TRACK, EVER))) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [live(listens, EVER)[Kind.TRACK]] * 8


SLOW = "SELECT count(*) FROM range(10000000) a, range(10000000) b WHERE a.range * b.range = 7"
LARGE = "SELECT list(range) FROM range(100000000)"


def asked(copy: Copy, sql: str) -> Any:
    """The rows of another question than those that there are, bounded as these."""
    with copy._bounded() as cursor:
        return cursor.execute(sql).fetchall()


def test_time_and_memory_are_bounded(listens: Engine, store: Store, tmp_path: Path) -> None:
    exported(listens, store)
    copy = copies(store, tmp_path / "local", TIMEOUT="0.2", MEMORY="64").latest()
    with pytest.raises(ArchiveAwayError, match=r"no answer within 0\.2 s"):
        asked(copy, SLOW)
    assert asked(copy, "SELECT current_setting('threads'), current_setting('memory_limit')") == [(1, "61.0 MiB")]
    patient = copies(store, tmp_path / "other", MEMORY="64", THREADS="3").latest()
    assert asked(patient, "SELECT current_setting('threads')") == [(3,)]
    with pytest.raises(ArchiveAwayError, match="OutOfMemoryException"):
        asked(patient, LARGE)
    assert counted(copy, Kind.TRACK, EVER) == live(listens, EVER)[Kind.TRACK]


@pytest.mark.parametrize(
    "sql", ["DELETE FROM listens", "SELECT * FROM '/etc/passwd'", "INSTALL httpfs", "SET threads = 4"]
)
def test_a_copy_is_for_reading_alone(listens: Engine, store: Store, local: Copies, sql: str) -> None:
    exported(listens, store)
    with pytest.raises(ArchiveAwayError):
        asked(local.latest(), sql)


def test_an_archive_that_is_away_is_one_error(listens: Engine, store: Store, local: Copies, tmp_path: Path) -> None:
    with pytest.raises(ArchiveAwayError, match="there is no archive"):
        local.latest()
    archive = exported(listens, store)
    Path(store.path(archive.catalogue["users"].name)).unlink()
    with pytest.raises(ArchiveAwayError, match="FileNotFoundError"):
        local.latest()
    assert list((tmp_path / "local").iterdir()) == []
    exported(listens, store, everything=True)
    assert check(listens, local.latest(), EVER)
