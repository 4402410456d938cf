"""Statements that are made once hold nothing of those who asked first: no user, no window, no page."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy.dialects import postgresql

from app.audience import Audience
from app.ranking import SortBy
from app.rollups.spans import Span
from app.rollups.state import Rollups
from app.services import rankings, totals
from app.services.comparison import _query as comparison_query
from app.services.features import _query as features_query
from app.services.heavy_user import heavy_user_listens
from app.services.listens import Listens
from app.services.rankings import BY_ARTIST, BY_GENRE, BY_LISTENER, BY_TRACK
from app.services.rolled_up import RolledUpListens
from app.services.series import _clock_query
from app.services.streaks import _days_query
from app.services.summary import _summary_query
from app.services.wrapped import _days_and_hours_query, _listeners_query
from app.timezones import timezone
from app.windows import Window

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
COUNTED_UNTIL = datetime(2026, 11, 22)
WINDOWS = [Window.named(name, timezone("UTC"), NOW) for name in ("all_time", "last_month", "30d")]
PAGES = [
    (rankings._page_query, relation, BY_TRACK, by) for relation in (BY_TRACK, BY_ARTIST, BY_GENRE) for by in SortBy
]
LISTENERS = (rankings._page_query, BY_LISTENER, BY_LISTENER, SortBy.COUNT)
NUMBERS = [(query,) for query in (totals.LISTENS, totals.LISTEN_TIME, totals.TRACKS, totals.GENRES, totals.LISTENERS)]
BY_TIME = [(_days_query,), (_clock_query,), (_days_and_hours_query,)]
OF_USERS = [*PAGES, *NUMBERS, (features_query,), (_summary_query,), *BY_TIME]
ZONE = {"clock_starts", "clock_offsets", "day_starts", "day_offsets"}

Source = Callable[[int, Window, str], Listens]


def parameters(statement: tuple[Any, ...], *listens: Listens) -> tuple[str, dict[str, Any]]:
    """An open statement, and the values that are in it; None where one is yet to be given."""
    shapes = [one.shape for one in listens if one.shape is not None]
    assert len(shapes) == len(listens)
    make, *args = statement
    compiled = make(*(shape.listens() for shape in shapes), *args).compile(dialect=postgresql.dialect())
    return str(compiled), compiled.params


def rolled_up(window: Window, *, changed: bool) -> RolledUpListens:
    rollups = Rollups(windows={7123: Span.of(window)}, listens_changed=changed, catalogue_changed=changed)
    return RolledUpListens(window, rollups)


def live(user_id: int, window: Window, name: str) -> Listens:
    return Listens(Audience.user(user_id), window, name=name)


def counted(user_id: int, window: Window, name: str) -> Listens:
    return heavy_user_listens(Audience.user(user_id), window, COUNTED_UNTIL, name)


@pytest.mark.parametrize("window", WINDOWS, ids=str)
@pytest.mark.parametrize("users", [(1234,), (1234, 5678)], ids=["user", "group"])
@pytest.mark.parametrize("statement", OF_USERS)
def test_a_statement_over_users_holds_no_values(window: Window, users: tuple[int, ...], statement: Any) -> None:
    listens = Listens(Audience(users), window)
    _, values = parameters(statement, listens)
    by_time = statement in BY_TIME
    given = (listens.values_by_time if by_time else listens.values) | {"limit": 10, "offset": 0}
    assert {name for name, value in values.items() if value is None} == values.keys() & given.keys()
    assert set(listens.values) <= values.keys()
    assert bool(ZONE & values.keys()) == by_time
    others = [value for name, value in values.items() if name not in given]
    assert all(isinstance(value, int | float | str | list) for value in others)
    assert not any(value in others for value in (1234, 5678, [1234, 5678]))


@pytest.mark.parametrize("window", WINDOWS, ids=str)
@pytest.mark.parametrize("changed", [False, True])
@pytest.mark.parametrize("statement", [*PAGES, LISTENERS, *NUMBERS, (features_query,), (_listeners_query,)])
def test_a_statement_over_rollups_holds_no_values(window: Window, changed: bool, statement: Any) -> None:
    listens = rolled_up(window, changed=changed)
    _, values = parameters(statement, listens)
    given = listens.values | {"limit": 10, "offset": 0, "plays": 5}
    assert values["window_id"] is None
    assert {name for name, value in values.items() if value is None} == values.keys() & given.keys()
    assert not any(value == 7123 for name, value in values.items() if name not in given)


@pytest.mark.parametrize("statement", [*PAGES, *NUMBERS, *BY_TIME])
def test_statements_of_one_shape_are_the_same(statement: Any) -> None:
    one = Listens(Audience((1,)), WINDOWS[1])
    other = Listens(Audience((2,)), WINDOWS[2])
    assert one.shape == other.shape
    assert hash(one.shape) == hash(other.shape)
    assert parameters(statement, one) == parameters(statement, other)


@pytest.mark.parametrize("window", WINDOWS, ids=str)
@pytest.mark.parametrize("one", [live, counted])
@pytest.mark.parametrize("other", [live, counted])
def test_a_comparison_holds_no_values_of_either_user(window: Window, one: Source, other: Source) -> None:
    both = one(1234, window, "one_"), other(5678, window, "other_")
    _, values = parameters((comparison_query,), *both)
    assert not both[0].values.keys() & both[1].values.keys()
    given = both[0].values | both[1].values | {"limit": 10}
    assert {name for name, value in values.items() if value is None} == given.keys()
    others = [value for name, value in values.items() if name not in given]
    assert all(isinstance(value, int | str) for value in others)
    assert not any(value in others for value in (1234, 5678))


@pytest.mark.parametrize("one", [live, counted])
@pytest.mark.parametrize("other", [live, counted])
def test_comparisons_of_one_pair_of_shapes_are_the_same(one: Source, other: Source) -> None:
    pairs = [
        (one(first, WINDOWS[0], "one_"), other(second, WINDOWS[0], "other_")) for first, second in ((1, 2), (3, 3))
    ]
    shapes = [tuple(listens.shape for listens in pair) for pair in pairs]
    assert shapes[0] == shapes[1]
    assert hash(shapes[0]) == hash(shapes[1])
    assert parameters((comparison_query,), *pairs[0]) == parameters((comparison_query,), *pairs[1])


def test_a_statement_over_slots_cannot_be_made_of_open_listens() -> None:
    for listens in rolled_up(WINDOWS[1], changed=False), counted(1, WINDOWS[0], ""):
        assert listens.shape is not None
        assert listens.shape_by_time is None
        for part in "by_hour", "by_hour_of_week", "days":
            with pytest.raises(NotImplementedError):
                getattr(listens.shape.listens(), part)


def test_a_statement_over_buckets_cannot_be_made_of_open_listens() -> None:
    for listens in Listens(Audience((1,)), WINDOWS[1]), rolled_up(WINDOWS[1], changed=False):
        assert listens.shape is not None
        with pytest.raises(NotImplementedError):
            listens.shape.listens().by_bucket([NOW])


def test_a_statement_that_hangs_on_live_listens_cannot_be_made_of_everyones_open_listens() -> None:
    shape = rolled_up(WINDOWS[1], changed=False).shape
    assert shape is not None
    with pytest.raises(NotImplementedError):
        shape.listens().first()
