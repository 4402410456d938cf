"""What the tests over the oracle share: a world for the time of a block, and the comparison of two answers."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import requests.utils
from hypothesis import HealthCheck, Phase, settings
from sqlalchemy import Connection
from werkzeug.test import TestResponse

from app.windows import Window, format_instant
from config import load_settings
from tests.oracle.lists import PLACEHOLDER
from tests.oracle.world import World

# How thorough the search is: ORACLE_EXAMPLES=20 makes it twenty times as long, and random.
FACTOR = int(os.environ.get("ORACLE_EXAMPLES", "1"))


def bounded(examples: int) -> Callable[[Any], Any]:
    """The settings of a property: so many examples, the same ones every time.

    Every example rolls back what it wrote, so that fixtures may stand for all examples of a test.
    """
    return settings(
        max_examples=examples * FACTOR,
        deadline=None,
        derandomize=FACTOR == 1,
        database=None,
        phases=(Phase.explicit, Phase.generate, Phase.shrink),  # to explain a failure takes minutes
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    )


@pytest.fixture(name="settings")
def uncached(database_url: str) -> dict[str, Any]:
    """The service's settings without a cache: every example is another history."""
    return load_settings(
        {"SQLALCHEMY_DATABASE_URI": database_url, "CACHE_TYPE": "NullCache", "DEFAULT_IMAGE_URL": PLACEHOLDER}
    )


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
        "X-Window-From": window.start and format_instant(window.start),
        "X-Window-To": window.end and format_instant(window.end),
    }


def links(answer: TestResponse) -> dict[str, str]:
    """The URLs of a `Link` header by their relation."""
    return {link["rel"]: link["url"] for link in requests.utils.parse_header_links(answer.headers.get("Link", ""))}
