"""The rankings of windows: which there should be, counting and dropping them."""

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import Connection, text

from app.domain.slots import start_of_slot
from app.domain.timezones import DAY, naive
from app.models.rollups import Kind
from app.rollups.counts.prefix_sums import difference
from app.rollups.spans import EVER, Span, base_of, kept
from app.rollups.sql.counting import TUNING, counted, listens_at, listens_in


def missing_windows(connection: Connection, now: datetime) -> list[Span]:
    """The spans that are to have rankings and have none, the longest first."""
    built = {Span(*row) for row in connection.execute(text("SELECT starts, ends FROM insights.windows"))}
    return sorted(kept(now) - built, key=lambda span: span.length, reverse=True)


def build_window(connection: Connection, span: Span, now: datetime) -> None:
    """Count a window, in the transaction that is open, in whose snapshot the logs are empty."""
    window_id = connection.scalar(
        text("INSERT INTO insights.windows (starts, ends) VALUES (:starts, :ends) RETURNING id"), span._asdict()
    )
    connection.exec_driver_sql(TUNING)
    connection.execute(text(_count(connection, span, now)), {"window_id": window_id})
    connection.execute(text(MEASURE), {"window_id": window_id})


def _count(connection: Connection, span: Span, now: datetime) -> str:
    """The statement that counts a span: out of prefix sums and its edges, where those are near."""
    slots = connection.scalars(text("SELECT slot FROM insights.prefixes ORDER BY slot")).all()
    first = connection.scalar(text("SELECT min(slot) FROM insights.slots"))
    listened = Span(EVER.starts if first is None else start_of_slot(first), naive(now) + DAY)
    base = base_of(span, {}, [start_of_slot(slot) for slot in slots], listened)
    if base is None:
        ctes, rows = counted(listens_in(span)), "SELECT kind, id, plays, listen_time_ms FROM counted"
    else:
        ctes = counted(listens_at(base.edges), signed=True) if base.edges else NOTHING
        rows = f"""
            SELECT kind, id, sum(plays) AS plays, sum(listen_time_ms) AS listen_time_ms FROM (
                SELECT kind, id, plays, listen_time_ms FROM ({difference(base.span)}) d
                UNION ALL SELECT kind, id, plays, listen_time_ms FROM counted
            ) u GROUP BY kind, id HAVING sum(plays) > 0
        """
    return f"""
        WITH {ctes} INSERT INTO insights.rankings (window_id, kind, id, plays, listen_time_ms)
        SELECT :window_id, kind, id, plays, listen_time_ms FROM ({rows}) r ORDER BY kind, id
    """


NOTHING = "counted AS (SELECT 0 AS kind, '' AS id, 0 AS plays, 0 AS listen_time_ms WHERE false)"

MEASURE = f"""
    INSERT INTO insights.sizes (window_id, kind, rows, plays, listen_time_ms)
    SELECT :window_id, k.kind, count(r.id), coalesce(sum(r.plays), 0), coalesce(sum(r.listen_time_ms), 0)
    FROM unnest(CAST('{{{",".join(str(int(kind)) for kind in Kind)}}}' AS smallint[])) AS k (kind)
    LEFT JOIN insights.rankings r ON r.window_id = :window_id AND r.kind = k.kind
    GROUP BY k.kind
"""


def drop_windows(connection: Connection, spans: Collection[Span]) -> None:
    """Drop the rankings of all windows but the given ones."""
    stale = [
        row.id
        for row in connection.execute(text("SELECT id, starts, ends FROM insights.windows"))
        if Span(row.starts, row.ends) not in spans
    ]
    for table, column in (("windows", "id"), ("sizes", "window_id"), ("rankings", "window_id")):
        connection.execute(text(f"DELETE FROM insights.{table} WHERE {column} = ANY(:ids)"), {"ids": stale})
