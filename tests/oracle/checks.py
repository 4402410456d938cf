"""What the tests over the oracle share: a world for the time of a block, and the comparison of two answers."""

from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import requests.utils
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection
from werkzeug.test import TestResponse

from config import load_settings
from tests.oracle.calendar import Window, instant_text
from tests.oracle.lists import PLACEHOLDER, Asked
from tests.oracle.world import World
from tests.support.depth import is_quick, scaled


def examples(number: int) -> Callable[[Any], Any]:
    """Call a test with `number` random generators in turn, as `rng`, and with fewer in a quick run.

    Each example rolls back what it wrote, so that the fixtures may stand for all examples of a test.
    """

    def decorate(test: Any) -> Any:
        bounded = settings(
            max_examples=scaled(number),
            phases=(Phase.generate,),  # a seed has nothing to be made smaller
            suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
        )
        return given(rng=st.randoms(use_true_random=True))(bounded(test))

    return decorate


class Substance:
    """How many examples of a property were about something: a property over empty histories shows nothing."""

    def __init__(self) -> None:
        self.of: defaultdict[str, list[bool]] = defaultdict(list)

    def note(self, has_substance: bool, name: str = "it") -> None:
        """Count one example."""
        self.of[name].append(has_substance)

    def check(self) -> None:
        """Fail unless two thirds of the examples of each name had substance; a quick run has too few to tell."""
        if is_quick():
            return
        for name, noted in self.of.items():
            assert sum(noted) * 3 >= len(noted) * 2, f"{name}: {sum(noted)} of {len(noted)} examples have substance"


@pytest.fixture(name="settings")
def uncached(database_url: str) -> dict[str, Any]:
    """The service's settings without a cache: every example is another history."""
    return load_settings(
        {"SQLALCHEMY_DATABASE_URI": database_url, "CACHE_TYPE": "NullCache", "DEFAULT_IMAGE_URL": PLACEHOLDER}
    )


def is_about_something(asked: Asked, has_substance: bool) -> bool:
    """Whether an answer shows anything; of a subject, which is less than the whole, there are listens."""
    return has_substance if asked.subject is None else bool(asked.listens)


@contextmanager
def loaded(world: World, connection: Connection) -> Iterator[None]:
    """The world's rows in the database, rolled back at the end.

    `after_loading` in the connection's `info` is what else is to be done with each world.
    """
    savepoint = connection.begin_nested()
    try:
        world.load(connection)
        connection.info.get("after_loading", lambda _connection: None)(connection)
        yield
    finally:
        savepoint.rollback()


def difference(actual: Any, expected: Any, path: str = "answer") -> str | None:
    """Where two JSON values differ, and how; None where they are the same but for the last digits of fractions."""
    if isinstance(expected, dict) and isinstance(actual, dict):
        if actual.keys() != expected.keys():
            return f"{path} has {sorted(actual.keys() ^ expected.keys())} on one side only"
        parts = ((actual[name], expected[name], f"{path}.{name}") for name in expected)
    elif isinstance(expected, list) and isinstance(actual, list):
        if len(actual) != len(expected):
            return f"{path} has {len(actual)} rows, not {len(expected)}: {actual!r}, not {expected!r}"
        parts = ((left, right, f"{path}[{n}]") for n, (left, right) in enumerate(zip(actual, expected, strict=True)))
    elif isinstance(expected, float):
        is_number = isinstance(actual, int | float) and not isinstance(actual, bool)
        same = is_number and actual == pytest.approx(expected, rel=1e-9, abs=1e-9)
        return None if same else f"{path} is {actual!r}, not {expected!r}"
    else:
        same = type(actual) is type(expected) and actual == expected
        return None if same else f"{path} is {actual!r}, not {expected!r}"
    return next((found for part in parts if (found := difference(*part))), None)


def window_headers(window: Window) -> dict[str, str | None]:
    """The headers that tell a list's window; None for one that has to be absent."""
    return {
        "X-Window-From": instant_text(window.start) if window.start else None,
        "X-Window-To": instant_text(window.end) if window.end else None,
    }


def links(answer: TestResponse) -> dict[str, str]:
    """The URLs of a `Link` header by their relation."""
    return {link["rel"]: link["url"] for link in requests.utils.parse_header_links(answer.headers.get("Link", ""))}
