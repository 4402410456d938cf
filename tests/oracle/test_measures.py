"""Every measure, for every audience, against the oracle: over awkward histories, windows and zones."""

from random import Random
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import Connection
from werkzeug.test import TestResponse

from tests.conftest import NOW
from tests.oracle import Asked
from tests.oracle.calendar import TooManyBucketsError, Window
from tests.oracle.checks import (
    Substance,
    difference,
    examples,
    is_about_something,
    loaded,
    uncached,
    window_headers,
)
from tests.oracle.measures import OF_EVERYONE, OF_USER, RULES, Measure
from tests.support.histories import Listened, any_group, any_subject, any_user, listened

settings = uncached  # the fixture of conftest.py, overridden


def families(measures: list[Measure]) -> list[Any]:
    """The measures family by family, as parameters of a test."""
    found: dict[str, list[Measure]] = {}
    for measure in measures:
        found.setdefault(measure.family, []).append(measure)
    return [pytest.param(family, id=name) for name, family in found.items()]


def parameters(rng: Random, measure: Measure, history: Listened) -> dict[str, Any]:
    """What a measure takes besides its window; `compare` only where there is a window before."""
    found = measure.parameters(rng)
    if measure.is_ranked and history.window.is_bounded and rng.random() < 0.7:
        return found | {"compare": "previous"}
    return found


def in_its_window(asked: Asked, measure: Measure, history: Listened) -> Asked:
    """What is asked of a measure, which has a default of its own where no window is asked for."""
    if history.query.keys() & {"range", "from", "to"}:
        return asked
    return asked.over(Window.named(measure.default_range, history.window.tz, NOW))


def check(answer: TestResponse, measure: Measure, asked: Asked, given: dict[str, Any], substance: Substance) -> None:
    """The body, and what a list says of itself in its headers."""
    try:
        expected = measure.answer(asked, **given)
    except TooManyBucketsError:
        assert (answer.status_code, [item["parameter"] for item in answer.json["errors"]]) == (400, ["bucket"])
        return
    substance.note(is_about_something(asked, measure.has_substance(asked, expected)), measure.path)
    assert answer.status_code == 200, answer.text
    assert difference(answer.json, expected, measure.path) is None
    if measure.total is not None:
        assert answer.headers["X-Total-Count"] == str(measure.total(asked, **given))
        for name, value in window_headers(asked.window).items():
            assert answer.headers.get(name) == value


@pytest.mark.parametrize("family", families(OF_USER))
@examples(40)
def test_a_users_answers_are_the_oracles(
    family: list[Measure], rng: Random, client: FlaskClient, connection: Connection, substance: Substance
) -> None:
    history = listened(rng, everything=family[0].family == "features")
    user_id = any_user(rng, history)
    subject, about = any_subject(rng, history, {user_id})
    asked = history.asked(frozenset({user_id}), subject)
    with loaded(history.world, connection):
        for measure in family:
            given = parameters(rng, measure, history)
            answer = client.get(f"/insights/{measure.path}/{user_id}", query_string=history.query | about | given)
            extra = {"user_id": user_id} if measure.path == "summary" else {}
            check(answer, measure, in_its_window(asked, measure, history), given | extra, substance)


@pytest.mark.parametrize("family", families(OF_EVERYONE))
@examples(40)
def test_everyones_or_a_groups_answers_are_the_oracles(
    family: list[Measure], rng: Random, client: FlaskClient, connection: Connection, substance: Substance
) -> None:
    history = listened(rng, everything=family[0].family == "features")
    group = any_group(rng, history)
    subject, about = any_subject(rng, history, group)
    asked = history.asked(group, subject)
    users = {} if group is None else {"users": ",".join(map(str, group))}
    with loaded(history.world, connection):
        for measure in family:
            given = parameters(rng, measure, history)
            answer = client.get(f"/insights/global/{measure.path}", query_string=history.query | users | about | given)
            check(answer, measure, asked, given, substance)


def test_every_insight_has_an_oracle(app: Flask) -> None:
    routes = {rule.rule for rule in app.url_map.iter_rules() if rule.rule.startswith("/insights/")}
    cards = {rule for rule in routes if rule.startswith("/insights/cards/")}  # which draw what others answer
    assert routes - cards == RULES
