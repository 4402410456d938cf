"""Comparing the rollups with the live tables, in one snapshot."""

from collections.abc import Callable, Iterator
from typing import Any

from sqlalchemy import Connection, Row, text

from app.models.rollups import Kind
from app.rollups.spans import Span
from app.rollups.sql import load
from app.rollups.sql.changes import first_changes, ranking_changes, slot_changes
from app.rollups.upkeep.building import describe
from app.rollups.upkeep.folding import ALL_TIME

WINDOW = "SELECT id, starts, ends FROM insights.windows WHERE id = :window_id"
# How many differences of one part are named.
NAMED = 5


def differences(connection: Connection, tell: Callable[[str], None]) -> Iterator[str]:
    """Each difference between the rollups with their changes and the live tables, in the transaction that is open.

    `tell` is told each part before it is compared. Nothing where all is right.
    """

    def compare(part: str, sql: str, say: Callable[[Row[Any]], str], **values: Any) -> Iterator[str]:
        tell(part)
        found = connection.execute(text(sql), values).all()
        for row in found[:NAMED]:
            yield f"{part}: {say(row)}"
        if len(found) > NAMED:
            yield f"{part}: {len(found) - NAMED} more"

    changes = ranking_changes(WINDOW, list(Kind), catalogue=True)
    for window in connection.execute(text("SELECT id, starts, ends FROM insights.windows ORDER BY id")).all():
        name = f"window {describe(Span(window.starts, window.ends))}"
        yield from compare(name, load("compare_window", changes=changes), _place, window_id=window.id)
        for row in connection.execute(text(load("compare_sizes")), {"window_id": window.id}):
            yield f"{name}: the size of the ranking of kind {Kind(row.kind).name.lower()} is not that of its rows"
    state = connection.execute(text("SELECT slots_built, firsts_built FROM insights.state")).one()
    if state.slots_built:
        slots = load("compare_slots", changes=slot_changes(ALL_TIME, catalogue=True))
        yield from compare("slots", slots, lambda row: f"slot {row.slot} {_counts(row)}")
    if state.firsts_built:
        tracks, artists = first_changes(Kind.TRACK), first_changes(Kind.PRIMARY_ARTIST)
        firsts = load("compare_firsts", tracks=tracks, artists=artists)
        yield from compare("first listens", firsts, _instants)


def _place(row: Row[Any]) -> str:
    return f"{_name(row.kind)} {row.id!r} {_counts(row)}"


def _instants(row: Row[Any]) -> str:
    return f"{_name(row.kind)} {row.id!r} {row.kept}, not {row.live}"


def _name(kind: int) -> str:
    return Kind(kind).name.lower().replace("_", " ")


def _counts(row: Row[Any]) -> str:
    return f"has {row.kept_plays} listens and {row.kept_time} ms, not {row.live_plays} and {row.live_time}"
