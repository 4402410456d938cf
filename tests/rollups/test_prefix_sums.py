"""Prefix sums: which months have them, what a change makes of them, and which questions are answered out of them."""

import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import DataError
from sqlalchemy.orm import Session

from app.domain.audience import EVERYONE
from app.domain.slots import number_of_slot, start_of_slot
from app.domain.timezones import timezone
from app.domain.windows import CUSTOM, Window
from app.listens.counted.rankings import RankedRelation
from app.listens.relations import CountedRelation
from app.listens.sources import listens_of
from app.models.rollups import Kind
from app.rollups.counts import prefix_sums
from app.rollups.counts.prefix_sums import count_prefixes, due_slots
from app.rollups.spans import EVER, Base, Edge, Span, base_of
from app.rollups.upkeep import folding, upkeep
from app.rollups.upkeep.folding import fold
from app.rollups.upkeep.upkeep import Upkeep
from app.rollups.upkeep.verification import differences
from tests.conftest import NOW
from tests.rollups.conftest import install, quiet
from tests.support.factories import Platform
from tests.support.servers import url_of

FIRST = datetime(2025, 3, 14, 15)
MONTHS = [datetime(2025, month, 1) for month in range(4, 13)] + [datetime(2026, month, 1) for month in range(1, 12)]


def fill(platform: Platform) -> None:
    genres = {"t": ["pop"], "other": ["pop", "rock"]}
    tracks = [platform.track(id_, primary=[platform.artist(f"by {id_}", genres=genres[id_])]) for id_ in genres]
    platform.track("new", primary=[platform.artist("unheard", genres=["jazz"])])
    late = platform.track("late", primary=[platform.artist("by late", genres=["rock"])])
    for user_id in (1, 2):
        user = platform.user(user_id)
        for days in range(0, 600, 10 * user_id):
            platform.listen(user, tracks[days % 3 % 2], FIRST.replace(tzinfo=UTC) + timedelta(days=days))
        platform.listen(user, late, datetime(2026, 5, 20, user_id, tzinfo=UTC))


@pytest.fixture(scope="module")
def engine(make_database: Callable[..., Iterator[Engine]]) -> Iterator[Engine]:
    """A database with rollups, and listens of twenty months."""
    for engine in make_database("rollups_prefix_sums", fill):
        install(engine)
        yield engine


@pytest.fixture(scope="module")
def database_url(engine: Engine) -> str:
    return url_of(engine)


def counted(connection: Connection) -> list[datetime]:
    """The instants before which all listens are counted."""
    return [start_of_slot(slot) for slot in connection.scalars(text("SELECT slot FROM insights.prefixes ORDER BY 1"))]


def relation(connection: Connection, start: datetime | None, end: datetime | None) -> Any:
    """Everyone's listens by track."""
    start, end = (bound and bound.replace(tzinfo=UTC) for bound in (start, end))
    window = Window(CUSTOM, start, end, timezone("UTC"))
    with Session(connection, join_transaction_mode="create_savepoint") as session:
        return listens_of(session, EVERYONE, window).by_track


def test_the_months_since_the_first_listen_are_counted(connection: Connection) -> None:
    assert counted(connection) == MONTHS
    assert due_slots(connection, NOW) == []


def test_a_month_is_due_when_its_first_day_is_over(connection: Connection) -> None:
    december = datetime(2026, 12, 1, tzinfo=UTC)
    assert due_slots(connection, december + timedelta(hours=23)) == []
    assert due_slots(connection, december + timedelta(hours=24)) == [number_of_slot(december.replace(tzinfo=None))]


LISTENERS = text(f"SELECT id FROM insights.id_blocks, unnest(ids) AS id WHERE kind = {Kind.LISTENER:d} ORDER BY id")


def test_nothing_is_left_of_a_person_who_is_deleted(connection: Connection) -> None:
    assert connection.scalars(LISTENERS).all() == ["0000000001", "0000000002"]
    connection.execute(text('DELETE FROM "Users" WHERE id = 1'))
    fold(connection)
    assert connection.scalars(LISTENERS).all() == ["", "0000000002"]
    count_prefixes(connection, due_slots(connection, NOW), NOW)
    assert "0000000001" not in connection.scalars(LISTENERS).all()
    assert list(differences(connection, quiet)) == []


def test_nothing_is_left_of_a_person_who_is_deleted_after_the_listens(connection: Connection) -> None:
    connection.execute(text("DELETE FROM \"History\" WHERE user_id = 1 AND played_at > '2025-05-01'"))
    fold(connection)
    connection.execute(text('DELETE FROM "History" WHERE user_id = 1'))
    fold(connection)
    connection.execute(text('DELETE FROM "Users" WHERE id = 1'))
    fold(connection)
    count_prefixes(connection, due_slots(connection, NOW), NOW)
    assert "0000000001" not in connection.scalars(LISTENERS).all()


AGAIN = [
    [
        "DELETE FROM \"Tracks\" WHERE id = 'late'",
        "INSERT INTO \"Tracks\" VALUES ('late', 'again', 1000)",
        "INSERT INTO \"History\" VALUES (1, '2026-05-21', 'late')",
    ],
    [
        "UPDATE \"Tracks\" SET id = 'renamed' WHERE id = 'late'",
        "UPDATE \"Tracks\" SET id = 'late' WHERE id = 'renamed'",
    ],
]


@pytest.mark.parametrize("changes", AGAIN, ids=["deleted", "renamed"])
def test_a_track_that_comes_back_counts_for_as_long_as_it_takes_now(changes: list[str], connection: Connection) -> None:
    for change in changes:
        connection.execute(text(change))
        fold(connection)
        count_prefixes(connection, due_slots(connection, NOW), NOW)
        assert list(differences(connection, quiet)) == []


def test_so_many_months_are_kept(connection: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prefix_sums, "MONTHS", 3)
    later = datetime(2027, 1, 2, tzinfo=UTC)
    count_prefixes(connection, due_slots(connection, later), later)
    assert counted(connection) == [datetime(2026, 11, 1), datetime(2026, 12, 1), datetime(2027, 1, 1)]
    assert list(differences(connection, quiet)) == []


def test_a_listen_before_all_others_has_more_months_counted(connection: Connection) -> None:
    connection.execute(text("INSERT INTO \"History\" VALUES (1, '-infinity', 't'), (1, '1970-01-01', 'other')"))
    fold(connection)
    count_prefixes(connection, due_slots(connection, NOW), NOW)
    assert len(counted(connection)) == prefix_sums.MONTHS
    assert list(differences(connection, quiet)) == []


ALWAYS, NEVER = datetime(2200, 1, 1), datetime(1900, 1, 1)
# What is counted up to an instant is left.
CHANGES = [
    ("INSERT INTO \"History\" VALUES (1, '2026-11-23 10:00', 't')", ALWAYS),
    ("INSERT INTO \"History\" VALUES (2, '2026-01-01 00:00', 't')", datetime(2026, 1, 1)),
    ('UPDATE "History" SET track_id = track_id', ALWAYS),
    ("INSERT INTO \"History\" VALUES (2, '2025-12-31 23:59:59.999999', 'new')", datetime(2025, 12, 1)),
    ("INSERT INTO \"History\" VALUES (2, '2001-02-03', 't'), (2, 'infinity', 't')", NEVER),
    ("DELETE FROM \"History\" WHERE played_at > '2026-02-01'", datetime(2026, 2, 1)),
    ('DELETE FROM "History"', NEVER),
    ("UPDATE \"History\" SET track_id = 'new' WHERE user_id = 1", NEVER),
    ("UPDATE \"History\" SET played_at = played_at + interval '33 days' WHERE track_id = 'late'", datetime(2026, 5, 1)),
    ('DELETE FROM "Users" WHERE id = 1', NEVER),
    ("DELETE FROM \"Tracks\" WHERE id = 'late'", datetime(2026, 5, 1)),
    ("UPDATE \"Tracks\" SET duration_ms = 1 WHERE id = 't'", NEVER),
    ("UPDATE \"Tracks\" SET duration_ms = 1 WHERE id = 'late'", datetime(2026, 5, 1)),
    ("UPDATE \"Tracks\" SET duration_ms = 1 WHERE id = 'new'", ALWAYS),
    ("UPDATE \"Tracks\" SET id = 'renamed' WHERE id = 'late'", datetime(2026, 5, 1)),
    ("INSERT INTO \"ArtistTracks\" VALUES ('late', 'unheard', true)", datetime(2026, 5, 1)),
    ("INSERT INTO \"ArtistTracks\" VALUES ('new', 'by t', true)", ALWAYS),
    ("DELETE FROM \"ArtistTracks\" WHERE track_id = 't'", NEVER),
    ("INSERT INTO \"ArtistGenres\" VALUES ('by late', 'a genre of its own')", datetime(2026, 5, 1)),
    ("UPDATE \"ArtistGenres\" SET genre = 'new age' WHERE id = 'unheard'", ALWAYS),
]


@pytest.mark.parametrize(("change", "until"), CHANGES)
def test_what_is_counted_is_right_while_a_change_waits_then_forgotten_and_counted_anew(
    change: str, until: datetime, connection: Connection
) -> None:
    connection.execute(text(change))
    assert list(differences(connection, quiet)) == []
    fold(connection)
    assert counted(connection) == [month for month in MONTHS if month <= until]
    assert list(differences(connection, quiet)) == []
    count_prefixes(connection, due_slots(connection, NOW), NOW)
    assert set(counted(connection)) >= {month for month in MONTHS if month <= until}
    assert list(differences(connection, quiet)) == []


@pytest.mark.parametrize("log", ["listen_changes", "credit_changes", "genre_changes", "duration_changes"])
def test_a_fold_that_knows_nothing_of_them_has_all_forgotten(log: str, connection: Connection) -> None:
    connection.execute(text(f"DELETE FROM insights.{log}"))
    assert counted(connection) == []


def test_after_such_a_fold_they_are_counted_as_they_should_be(
    connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    for change in ("UPDATE \"Tracks\" SET duration_ms = 7 WHERE id <> 't'", 'DELETE FROM "Users" WHERE id = 1'):
        connection.execute(text(change))
    monkeypatch.setattr(folding, "forget_changed", lambda *args, **options: None)
    fold(connection)
    monkeypatch.undo()
    assert counted(connection) == []
    connection.execute(text("INSERT INTO \"History\" VALUES (2, '2026-06-07', 'new')"))
    fold(connection)
    count_prefixes(connection, due_slots(connection, NOW), NOW)
    assert counted(connection) == MONTHS
    assert "0000000001" not in connection.scalars(LISTENERS).all()
    assert list(differences(connection, quiet)) == []


def test_while_old_listens_come_the_months_are_not_counted_each_time(
    make_database: Callable[..., Iterator[Engine]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upkeep, "REST", 1000)
    app = Flask(__name__)
    app.config["CLOCK"] = lambda: NOW
    for engine in make_database("rollups_rest", fill):
        install(engine)
        one, other = (Upkeep(app, threading.Event(), threading.Event()) for _ in range(2))
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            for number, (process, months) in enumerate([(one, MONTHS), (one, []), (other, [])]):
                old = "INSERT INTO \"History\" VALUES (1, timestamp '2025-03-20' + :number * interval '1 s', 't')"
                connection.execute(text(old), {"number": number})
                process.look(connection)
                assert counted(connection) == months


def test_a_count_that_fails_is_not_tried_again_at_once(
    make_database: Callable[..., Iterator[Engine]], monkeypatch: pytest.MonkeyPatch
) -> None:
    tried = []

    def fail(connection: Connection, *_: object) -> None:
        tried.append("sums")
        time.sleep(0.1)
        connection.execute(text("SELECT 1 / 0"))

    monkeypatch.setattr(upkeep, "REST", 1000)
    monkeypatch.setattr(upkeep, "count_due_prefixes", fail)
    monkeypatch.setattr(upkeep, "count_due_users", lambda *_: tried.append("users"))
    app = Flask(__name__)
    app.config["CLOCK"] = lambda: NOW
    for engine in make_database("rollups_failing", fill):
        install(engine)
        process = Upkeep(app, threading.Event(), threading.Event())
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text("INSERT INTO \"History\" VALUES (1, '2025-03-20', 't')"))
            with pytest.raises(DataError):
                process.look(connection)
            process.look(connection)
    assert tried == ["sums", "users"]


@pytest.mark.parametrize(
    ("start", "end", "kind"),
    [
        (datetime(2025, 5, 3), datetime(2026, 9, 28), CountedRelation),
        (None, datetime(2026, 6, 3), CountedRelation),
        (datetime(2025, 6, 3), None, CountedRelation),
        (datetime(2026, 1, 2), None, RankedRelation),
        (datetime(2026, 1, 1, 5, 45), datetime(2027, 1, 1, 5, 45), RankedRelation),
    ],
)
def test_which_questions_are_answered_out_of_them(
    start: datetime | None, end: datetime | None, kind: type, connection: Connection
) -> None:
    assert type(relation(connection, start, end)) is kind


# Windows that lack a first bit of their base, the instant of a listen in that bit, and what they are counted out of.
CUT_OFF = [
    ({"from": "2026-01-02"}, datetime(2026, 1, 1, 7), RankedRelation),
    ({"from": "2025-05-03", "to": "2026-10-01"}, datetime(2025, 5, 1, 7), CountedRelation),
]
LISTS = {
    "tracks": ("track_id", "lone"),
    "artists": ("artist_id", "by lone"),
    "primary-artists": ("artist_id", "by lone"),
    "genres": ("genre", "a genre of its own"),
    "listeners": ("user_id", 3),
}


@pytest.mark.parametrize("by", ["count", "listen_time"])
@pytest.mark.parametrize(("window", "instant", "kind"), CUT_OFF, ids=["ranking", "prefix_sums"])
def test_what_was_played_in_a_subtracted_edge_alone_is_in_no_list(
    window: dict[str, str],
    instant: datetime,
    kind: type,
    by: str,
    connection: Connection,
    client: FlaskClient,
    platform: Platform,
) -> None:
    lone = platform.track("lone", primary=[platform.artist("by lone", genres=["a genre of its own"])])
    platform.listen(platform.user(3), lone, instant)
    fold(connection)
    count_prefixes(connection, due_slots(connection, NOW), NOW)
    bounds = (datetime.fromisoformat(window[end]) if end in window else None for end in ("from", "to"))
    assert type(relation(connection, *bounds)) is kind
    whole = {name: client.get(f"/insights/global/top/{name}?limit=100").json for name in LISTS}
    for name, (column, id_) in LISTS.items():
        answer = client.get(f"/insights/global/top/{name}", query_string=window | {"limit": 100, "by": by})
        found = [row[column] for row in answer.json]
        assert sorted([*found, id_]) == sorted(row[column] for row in whole[name])
        distinct = client.get(f"/insights/global/distinct/{name}", query_string=window).json
        assert (int(answer.headers["X-Total-Count"]), distinct) == (len(found), len(found))


YEAR = Span(datetime(2025, 1, 1), datetime(2026, 1, 1))
LISTENED = Span(datetime(2024, 9, 20), datetime(2026, 7, 1))
PREFIXES = (datetime(2025, 1, 1), datetime(2025, 2, 1), datetime(2026, 1, 1), datetime(2026, 2, 1))


@pytest.mark.parametrize(
    ("span", "window_id", "base", "edges"),
    [
        (YEAR, 1, YEAR, ()),
        (Span(datetime(2025, 1, 31), datetime(2026, 2, 3)), None, Span(PREFIXES[1], PREFIXES[3]), (1, 1)),
        (Span(datetime(2025, 2, 3), datetime(2026, 1, 30)), None, Span(PREFIXES[1], PREFIXES[3]), (-1, -1)),
        (Span(datetime(2024, 10, 1), datetime(2026, 1, 1)), None, Span(EVER.starts, PREFIXES[2]), (-1,)),
        # Not nearer by half.
        (Span(datetime(2025, 1, 20), datetime(2026, 1, 1)), 1, YEAR, (-1,)),
        (Span(datetime(2025, 1, 1), datetime(2026, 1, 2)), 1, YEAR, (1,)),
    ],
)
def test_what_a_span_is_made_of(span: Span, window_id: int | None, base: Span, edges: tuple[int, ...]) -> None:
    found = base_of(span, {1: YEAR}, PREFIXES, LISTENED)
    assert isinstance(found, Base)
    assert (found.window_id, found.span) == (window_id, base)
    assert tuple(edge.sign for edge in found.edges) == edges
    assert all(isinstance(edge, Edge) for edge in found.edges)


@pytest.mark.parametrize(
    "span",
    [
        Span(datetime(2025, 1, 10), datetime(2025, 1, 20)),
        Span(datetime(2025, 5, 1), datetime(2025, 9, 1)),
        Span(datetime(2026, 6, 1), EVER.ends),
    ],
)
def test_a_span_that_is_near_nothing_is_counted_live(span: Span) -> None:
    assert base_of(span, {1: YEAR}, PREFIXES, LISTENED) is None
