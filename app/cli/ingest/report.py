"""What became of the files, as a table."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import click
import orjson

from app.cli.ingest.load import Counts

HEADER = ("file", "format", "read", "added", "there before", "passed over")


class Line(NamedTuple):
    """What became of a file."""

    name: str
    format: str
    counts: Counts


def table(lines: Sequence[Line], unknown: int) -> str:
    """The table, its totals, and why entries were passed over; `unknown` is the number of files of no known format."""
    total = Counts()
    for line in lines:
        total += line.counts
    rows = [HEADER, *(_row(*line) for line in lines)]
    if len(lines) != 1:
        rows.append(_row("all", "", total))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    layout = "{:<%d}  {:<%d}  {:>%d}  {:>%d}  {:>%d}  {:>%d}" % tuple(widths)  # noqa: UP031
    text = [layout.format(*row) for row in rows]
    reasons = [f"{number} {reason}" for reason, number in total.passed.most_common()]
    if reasons:
        text.append(f"passed over: {', '.join(reasons)}")
    if total.cut:
        text.append(f"{total.cut} names cut to the length of their columns")
    if unknown:
        text.append(f"{unknown} files of no known format passed over")
    return "\n".join(text)


def print_json(name: str, outcome: Line | str | None) -> None:
    """What became of a file, as a line of JSON: `file` and its numbers, `error`, or `unknown`."""
    told: dict[str, Any] = {"unknown": name} if outcome is None else {"error": outcome}
    if isinstance(outcome, Line):
        counts = outcome.counts
        passed = {str(reason): number for reason, number in counts.passed.items()}
        told = {"file": name, "format": outcome.format, "read": counts.read, "added": counts.added}
        told |= {"there": counts.there, "cut": counts.cut, "passed": passed}
    click.echo(orjson.dumps(told))


def ignore(_name: str, _outcome: Line | str | None) -> None:
    """Tell nobody."""


def _row(name: str, format: str, counts: Counts) -> tuple[str, ...]:
    numbers = (counts.read, counts.added, counts.there, counts.passed.total())
    return name, format, *map(str, numbers)
