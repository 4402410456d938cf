"""Windows with rankings: what a question's window is made of, and how a new day's windows are counted."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import Connection, Engine
from sqlalchemy.orm import Session

from app.domain.audience import EVERYONE
from app.domain.timezones import timezone
from app.domain.windows import CUSTOM, Window
from app.listens.counted.rankings import RankedRelation
from app.listens.relations import LiveRelation
from app.listens.sources import listens_of
from app.rollups.spans import Base, Span, base_of
from app.rollups.upkeep.folding import fold
from app.rollups.upkeep.verification import differences
from app.rollups.upkeep.windows import build_window, missing_windows
from tests.conftest import NOW
from tests.rollups.conftest import install, quiet
from tests.support.factories import Platform
from tests.support.servers import url_of

FIRST = datetime(2025, 3, 14, 15)


def fill(platform: Platform) -> None:
    genres = {"t": ["pop"], "other": ["pop", "rock"]}
    tracks = [platform.track(id_, primary=[platform.artist(f"by {id_}", genres=genres[id_])]) for id_ in genres]
    both = platform.track("both", primary=[platform.artist("a", genres=["pop"]), platform.artist("b", genres=["pop"])])
    for user_id in (1, 2):
        user = platform.user(user_id)
        for days in range(0, 625, 5 * user_id):
            platform.listen(user, [*tracks, both][days % 3], FIRST.replace(tzinfo=UTC) + timedelta(days=days))


@pytest.fixture(scope="module")
def engine(make_database: Callable[..., Iterator[Engine]]) -> Iterator[Engine]:
    """A database with rollups, and listens of twenty months."""
    for engine in make_database("rollups_windows", fill):
        install(engine)
        yield engine


@pytest.fixture(scope="module")
def database_url(engine: Engine) -> str:
    return url_of(engine)


def relation(connection: Connection, start: datetime | None, end: datetime | None) -> Any:
    """Everyone's listens by track."""
    start, end = (bound and bound.replace(tzinfo=UTC) for bound in (start, end))
    window = Window(CUSTOM, start, end, timezone("UTC"))
    with Session(connection, join_transaction_mode="create_savepoint") as session:
        return listens_of(session, EVERYONE, window).by_track


@pytest.mark.parametrize("days", [1, 2, 40, 400])
def test_the_windows_of_a_later_day_are_made_of_those_that_there_are(days: int, connection: Connection) -> None:
    later = NOW + timedelta(days=days)
    missing = missing_windows(connection, later)
    assert missing
    for span in missing:
        build_window(connection, span, later)
    assert missing_windows(connection, later) == []
    assert list(differences(connection, quiet)) == []


@pytest.mark.parametrize(
    ("start", "end", "kind"),
    [
        (datetime(2026, 1, 2), None, RankedRelation),
        (datetime(2026, 1, 1, 5, 45), datetime(2027, 1, 1, 5, 45), RankedRelation),
        (None, datetime(2026, 11, 3), RankedRelation),
        (datetime(2025, 6, 3), datetime(2026, 6, 3), LiveRelation),
    ],
)
def test_which_questions_are_answered_out_of_rankings(
    start: datetime | None, end: datetime | None, kind: type, connection: Connection
) -> None:
    assert type(relation(connection, start, end)) is kind


LISTS = {
    "tracks": ("track_id", "lone"),
    "artists": ("artist_id", "by lone"),
    "primary-artists": ("artist_id", "by lone"),
    "genres": ("genre", "a genre of its own"),
    "listeners": ("user_id", 3),
}


@pytest.mark.parametrize("by", ["count", "listen_time"])
def test_what_was_played_in_a_subtracted_edge_alone_is_in_no_list(
    by: str, connection: Connection, client: FlaskClient, platform: Platform
) -> None:
    lone = platform.track("lone", primary=[platform.artist("by lone", genres=["a genre of its own"])])
    platform.listen(platform.user(3), lone, datetime(2026, 1, 1, 7))
    fold(connection)
    window = {"from": "2026-01-02"}
    assert type(relation(connection, datetime(2026, 1, 2), None)) is RankedRelation
    whole = {name: client.get(f"/insights/global/top/{name}?limit=100").json for name in LISTS}
    for name, (column, id_) in LISTS.items():
        answer = client.get(f"/insights/global/top/{name}", query_string=window | {"limit": 100, "by": by})
        found = [row[column] for row in answer.json]
        assert sorted([*found, id_]) == sorted(row[column] for row in whole[name])
        distinct = client.get(f"/insights/global/distinct/{name}", query_string=window).json
        assert (int(answer.headers["X-Total-Count"]), distinct) == (len(found), len(found))


YEAR = Span(datetime(2025, 1, 1), datetime(2026, 1, 1))
LISTENED = Span(datetime(2024, 9, 20), datetime(2026, 7, 1))


@pytest.mark.parametrize(
    ("span", "edges"),
    [
        (YEAR, ()),
        (Span(datetime(2025, 1, 20), datetime(2026, 1, 1)), (-1,)),
        (Span(datetime(2025, 1, 1), datetime(2026, 1, 2)), (1,)),
        (Span(datetime(2024, 12, 31), datetime(2025, 12, 31)), (1, -1)),
        (Span(datetime(2024, 12, 1), datetime(2026, 1, 1)), (1,)),
    ],
)
def test_what_a_span_is_made_of(span: Span, edges: tuple[int, ...]) -> None:
    found = base_of(span, {1: YEAR}, LISTENED)
    assert isinstance(found, Base)
    assert (found.window_id, found.span) == (1, YEAR)
    assert tuple(edge.sign for edge in found.edges) == edges


@pytest.mark.parametrize(
    "span",
    [
        Span(datetime(2025, 1, 10), datetime(2025, 1, 20)),
        Span(datetime(2025, 5, 1), datetime(2025, 9, 1)),
        Span(datetime(2026, 6, 1), datetime(2101, 1, 1)),
    ],
)
def test_a_span_that_is_near_nothing_is_counted_live(span: Span) -> None:
    assert base_of(span, {1: YEAR}, LISTENED) is None
