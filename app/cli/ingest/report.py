"""What became of the files, as a table."""

from collections.abc import Sequence
from typing import NamedTuple

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


def _row(name: str, format: str, counts: Counts) -> tuple[str, ...]:
    numbers = (counts.read, counts.added, counts.there, counts.passed.total())
    return name, format, *map(str, numbers)
