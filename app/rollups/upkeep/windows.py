"""The rankings of windows: which there should be, counting and dropping them."""

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import Connection, text

from app.domain.slots import start_of_slot
from app.domain.timezones import DAY, naive
from app.rollups.spans import EVER, Base, Edge, Span, base_of, kept
from app.rollups.sql import load, within
from app.rollups.upkeep.folding import WINDOWS


def missing_windows(connection: Connection, now: datetime) -> list[Span]:
    """The spans that are to have rankings and have none, the longest first."""
    built = {Span(*row) for row in connection.execute(text("SELECT starts, ends FROM insights.windows"))}
    return sorted(kept(now) - built, key=lambda span: span.length, reverse=True)


def build_window(connection: Connection, span: Span, now: datetime) -> None:
    """Count a window, in the transaction that is open, in whose snapshot the logs are empty.

    Out of the nearest window that has rankings, where one is near: that of a day before, as a rule.
    """
    windows = {row.id: Span(row.starts, row.ends) for row in connection.execute(text(WINDOWS))}
    first = connection.scalar(text("SELECT min(slot) FROM insights.slots"))
    listened = Span(EVER.starts if first is None else start_of_slot(first), naive(now) + DAY)
    base = base_of(span, windows, listened) or Base(0, span, (Edge(span, 1),))
    listens = " UNION ALL ".join(map(_listens, base.edges))
    window_id = connection.scalar(
        text("INSERT INTO insights.windows (starts, ends) VALUES (:starts, :ends) RETURNING id"), span._asdict()
    )
    connection.exec_driver_sql(TUNING)
    count = load("count_window", counted=load("count_listens", listens=listens))
    connection.execute(text(count), {"window_id": window_id, "base_id": base.window_id})
    connection.execute(text(load("measure_window")), {"window_id": window_id})


def _listens(edge: Edge) -> str:
    return load("listens_of_span", sign=f"{edge.sign:d}", during=within("played_at", edge.span))


# Everything is joined as hashes: the planner takes the listens of a span for fewer than they are. There are a dozen of
# them at a time, and they may spill: with less memory they take no longer.
TUNING = "SET LOCAL enable_nestloop = off; SET LOCAL enable_mergejoin = off; SET LOCAL work_mem = '32MB'"


def drop_windows(connection: Connection, spans: Collection[Span]) -> None:
    """Drop the rankings of all windows but the given ones."""
    stale = [row.id for row in connection.execute(text(WINDOWS)) if Span(row.starts, row.ends) not in spans]
    connection.execute(text(load("drop_windows")), {"ids": stale})
