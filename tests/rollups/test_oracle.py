"""The tests over the oracle once more, on a database with rollups: with changes that wait, and folded in."""

from collections.abc import Callable, Iterator
from itertools import count
from types import FunctionType
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import Connection, Engine

from app.rollups.upkeep.folding import fold
from tests.oracle import test_measures as test_oracle_measures
from tests.oracle import test_pages as test_oracle_pages
from tests.oracle.checks import examples, uncached
from tests.rollups.conftest import install
from tests.support.factories import Platform
from tests.support.servers import url_of

settings = uncached  # the fixture of conftest.py, overridden


@pytest.fixture(scope="module")
def engine(make_database: Callable[..., Iterator[Engine]]) -> Iterator[Engine]:
    """A database with rollups of nothing, built for the instant of the tests."""
    for engine in make_database("rollups_oracle"):
        install(engine)
        yield engine


@pytest.fixture(scope="module")
def database_url(engine: Engine) -> str:
    return url_of(engine)


@pytest.fixture(autouse=True)
def folded_now_and_then(connection: Connection) -> Iterator[None]:
    """Every other world is folded in before it is asked about."""
    numbers = count()

    def fold_some(connection: Connection) -> None:
        if next(numbers) % 2:
            fold(connection)

    connection.info["after_loading"] = fold_some
    yield
    del connection.info["after_loading"]


def again(test: Any) -> Any:
    """A property with fewer examples: most of what it is about does not depend on where listens come from."""
    inner = test.hypothesis.inner_test
    # Without the settings, which are the function's and can be given once.
    repeated = examples(12)(FunctionType(inner.__code__, inner.__globals__, inner.__name__))
    repeated.pytestmark = getattr(test, "pytestmark", [])
    return repeated


test_users = again(test_oracle_measures.test_a_users_answers_are_the_oracles)
test_everyone = again(test_oracle_measures.test_everyones_or_a_groups_answers_are_the_oracles)
test_years = again(test_oracle_pages.test_a_year_is_the_oracles)
test_comparisons = again(test_oracle_pages.test_compare_is_the_oracles)
test_pages = again(test_oracle_pages.test_a_tracks_or_artists_page_is_the_oracles)


def test_a_clock_that_shows_full_hours_within_a_slot_is_read_live(client: FlaskClient, platform: Platform) -> None:
    # Liberia was 44 minutes and 30 seconds behind until 1972: the day began half a minute before a slot ends.
    platform.listen(platform.user(1), platform.track(), "1971-06-01T00:44:45")
    query = {"tz": "Africa/Monrovia"}

    clock = client.get("/insights/global/clock", query_string=query).json["count"]
    series = client.get("/insights/global/activity", query_string=query | {"bucket": "day"}).json["buckets"]

    assert [(day, hour) for day in range(7) for hour in range(24) if clock[day][hour]] == [(1, 0)]
    assert [bucket["start"] for bucket in series] == ["1971-06-01T00:44:30Z"]
