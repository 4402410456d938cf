"""The rankings of windows: which there should be, counting and dropping them."""

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import Connection, text

from app.domain.slots import start_of_slot
from app.domain.timezones import DAY, naive
from app.models.rollups import Kind
from app.rollups.spans import EVER, Base, Edge, Span, base_of, kept
from app.rollups.sql.counting import TUNING, counted


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
    window_id = connection.scalar(
        text("INSERT INTO insights.windows (starts, ends) VALUES (:starts, :ends) RETURNING id"), span._asdict()
    )
    connection.exec_driver_sql(TUNING)
    connection.execute(text(_count(base)), {"window_id": window_id, "base_id": base.window_id})
    connection.execute(text(MEASURE), {"window_id": window_id})


WINDOWS = "SELECT id, starts, ends FROM insights.windows"


def _count(base: Base) -> str:
    return f"""
        INSERT INTO insights.rankings (window_id, kind, id, plays, listen_time_ms)
        SELECT :window_id, kind, id, sum(plays), sum(listen_time_ms) FROM (
            SELECT kind, id, plays, listen_time_ms FROM insights.rankings WHERE window_id = :base_id
            UNION ALL SELECT kind, id, plays, listen_time_ms FROM ({counted(base.edges)}) c
        ) u GROUP BY kind, id HAVING sum(plays) > 0 ORDER BY kind, id
    """


MEASURE = f"""
    INSERT INTO insights.sizes (window_id, kind, rows, plays, listen_time_ms)
    SELECT :window_id, k.kind, count(r.id), coalesce(sum(r.plays), 0), coalesce(sum(r.listen_time_ms), 0)
    FROM unnest(CAST('{{{",".join(str(int(kind)) for kind in Kind)}}}' AS smallint[])) AS k (kind)
    LEFT JOIN insights.rankings r ON r.window_id = :window_id AND r.kind = k.kind
    GROUP BY k.kind
"""


def drop_windows(connection: Connection, spans: Collection[Span]) -> None:
    """Drop the rankings of all windows but the given ones."""
    stale = [row.id for row in connection.execute(text(WINDOWS)) if Span(row.starts, row.ends) not in spans]
    for table, column in (("windows", "id"), ("sizes", "window_id"), ("rankings", "window_id")):
        connection.execute(text(f"DELETE FROM insights.{table} WHERE {column} = ANY(:ids)"), {"ids": stale})
