"""Statements that are made once hold nothing of those who asked first: no user, no window, no page."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy.dialects import postgresql

from app.domain.audience import EVERYONE, Audience
from app.domain.ranking import SortBy
from app.domain.subject import Subject, SubjectKind
from app.domain.timezones import timezone
from app.domain.windows import Window
from app.listens.counted.everyone import RolledUpListens
from app.listens.live import Listens
from app.rollups.spans import Span
from app.rollups.state import Rollups
from app.services import rankings, totals
from app.services.activity import _clock_query
from app.services.comparison import _query as comparison_query
from app.services.features import _query as features_query
from app.services.rankings import BY_ARTIST, BY_GENRE, BY_LISTENER, BY_TRACK
from app.services.streaks import _days_query
from app.services.summary import _summary_query
from app.services.wrapped import _days_and_hours_query, _listeners_query

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
WINDOWS = [Window.named(name, timezone("UTC"), NOW) for name in ("all_time", "last_month", "30d")]
PAGES = [
    (rankings._page_query, relation, BY_TRACK, by) for relation in (BY_TRACK, BY_ARTIST, BY_GENRE) for by in SortBy
]
LISTENERS = (rankings._page_query, BY_LISTENER, BY_LISTENER, SortBy.COUNT)
NUMBERS = [(query,) for query in (totals.LISTENS, totals.LISTEN_TIME, totals.TRACKS, totals.GENRES, totals.LISTENERS)]
BY_TIME = [(_days_query,), (_clock_query,), (_days_and_hours_query,)]

Source = Callable[[int, Window, str], Listens]


def parameters(statement: tuple[Any, ...], *listens: Listens) -> tuple[str, dict[str, Any]]:
    """A statement, and the values that are in it; None where one is yet to be given."""
    make, *args = statement
    compiled = make(*listens, *args).compile(dialect=postgresql.dialect())  # type: ignore[no-untyped-call]
    return str(compiled), compiled.params


def rolled_up(window: Window, *, changed: bool, window_id: int = 7123) -> RolledUpListens:
    rollups = Rollups(windows={window_id: Span.of(window)}, listens_changed=changed, catalogue_changed=changed)
    return RolledUpListens(window, rollups)


def live(user_id: int, window: Window, name: str = "") -> Listens:
    return Listens(Audience.user(user_id), window, name=name)


def of_a_group(user_id: int, window: Window) -> Listens:
    return Listens(Audience.group((user_id, 7)), window)


def of_everyone(_user_id: int, window: Window) -> Listens:
    return Listens(EVERYONE, window)


def of_a_track(user_id: int, window: Window) -> Listens:
    return Listens(EVERYONE.about(Subject(SubjectKind.TRACK, f"track {user_id}")), window)


def of_an_artist(user_id: int, window: Window) -> Listens:
    return Listens(Audience.user(user_id).about(Subject(SubjectKind.ARTIST, f"artist {user_id}")), window)


def of_a_genre(user_id: int, window: Window) -> Listens:
    return Listens(Audience.user(user_id).about(Subject(SubjectKind.GENRE, f"genre {user_id}")), window)


@pytest.mark.parametrize("source", [live, of_a_group, of_everyone, of_a_track, of_an_artist, of_a_genre])
@pytest.mark.parametrize("statement", [*PAGES, *NUMBERS, (features_query,), (_summary_query, True), *BY_TIME])
def test_statements_over_listens_of_one_shape_are_the_same(source: Any, statement: Any) -> None:
    one, other = source(1234, WINDOWS[0]), source(5678, WINDOWS[2])
    assert one.shape == other.shape
    assert one.shape_by_time == other.shape_by_time
    assert parameters(statement, one) == parameters(statement, other)


@pytest.mark.parametrize("changed", [False, True])
@pytest.mark.parametrize("statement", [*PAGES, LISTENERS, *NUMBERS, (features_query,), (_listeners_query,)])
def test_statements_over_rollups_of_one_shape_are_the_same(changed: bool, statement: Any) -> None:
    one, other = (rolled_up(WINDOWS[id_], changed=changed, window_id=id_) for id_ in (1, 2))
    assert one.shape == other.shape is not None
    assert parameters(statement, one) == parameters(statement, other)


def test_comparisons_of_one_pair_of_shapes_are_the_same() -> None:
    pairs = [
        (live(first, WINDOWS[0], "one_"), live(second, WINDOWS[0], "other_")) for first, second in ((1, 2), (3, 3))
    ]
    assert [listens.shape for listens in pairs[0]] == [listens.shape for listens in pairs[1]]
    assert not pairs[0][0].values.keys() & pairs[0][1].values.keys()
    assert parameters((comparison_query,), *pairs[0]) == parameters((comparison_query,), *pairs[1])


@pytest.mark.parametrize("source", [live, of_a_group, of_everyone, of_a_track, of_an_artist, of_a_genre])
@pytest.mark.parametrize("statement", [*PAGES, *NUMBERS, (features_query,)])
def test_what_a_statement_is_yet_to_be_given_is_among_the_values(source: Any, statement: Any) -> None:
    listens = source(1234, WINDOWS[0])
    _, values = parameters(statement, listens)
    given = listens.values.keys() | {"limit", "offset"}
    assert {name for name, value in values.items() if value is None} == values.keys() & given


def test_listens_of_different_shapes_are_told_apart() -> None:
    window = WINDOWS[1]
    listens = [source(1, window) for source in (live, of_a_group, of_everyone, of_a_track, of_an_artist, of_a_genre)]
    listens += [live(1, window, "one_"), rolled_up(window, changed=False), rolled_up(window, changed=True)]
    assert len({one.shape for one in listens}) == len(listens)


def test_statements_over_slots_are_made_for_each_question() -> None:
    listens = rolled_up(WINDOWS[1], changed=False)
    assert listens.shape is not None
    assert listens.shape_by_time is None


def test_statements_over_the_edges_of_a_window_are_made_for_each_question() -> None:
    tokyo = Window.named("last_month", timezone("Asia/Tokyo"), NOW)
    kept = [Span.of(Window.named(name, timezone("UTC"), NOW)) for name in ("last_month", "today")]
    listens = RolledUpListens(tokyo, Rollups(windows=dict(enumerate(kept))))
    assert listens.is_counted
    assert listens.shape is None
