"""Which windows have rankings, and how a question's window is made of one of them. Pure.

Instants are naive and in UTC here, as in the platform's tables; None is an open end.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import NamedTuple

from app.services.expressions import naive
from app.timezones import timezone
from app.windows import Window

# The ranges that every insight offers by name, and the usual numbers of days.
NAMES = (
    "all_time",
    "today",
    "yesterday",
    *(f"{which}_{unit}" for unit in ("week", "month", "quarter", "half_year", "year") for which in ("this", "last")),
    *("7d", "30d", "90d", "365d"),
)  # fmt: skip


class Span(NamedTuple):
    """A half-open span of `played_at`."""

    starts: datetime | None
    ends: datetime | None

    @classmethod
    def of(cls, window: Window) -> "Span":
        return cls(
            None if window.start is None else naive(window.start), None if window.end is None else naive(window.end)
        )


class Edge(NamedTuple):
    """A span that a window has more than its base (`sign` 1), or that the base has more than it (-1)."""

    starts: datetime
    ends: datetime
    sign: int


class Base(NamedTuple):
    """A window with rankings, and what makes another one of it."""

    window_id: int
    span: Span
    edges: tuple[Edge, ...]


def kept(now: datetime) -> set[Span]:
    """The spans that have rankings at an instant: those of `NAMES` in UTC, and the year that last year is compared to.

    No other comparison takes as long where the window before has to be counted.
    """
    utc = timezone("UTC")
    windows = [Window.named(name, utc, now) for name in NAMES]
    return {Span.of(window) for window in (*windows, Window.named("last_year", utc, now).previous())}


def base_of(span: Span, windows: Mapping[int, Span]) -> Base | None:
    """The window with rankings that is nearest to a span; None where none is near.

    Near is one whose edges are together at most a sixth of the span: beyond that, to count the span itself is as
    quick. An open end is near to an open end alone.
    """
    found = [
        (length(edges), Base(window_id, own, edges))
        for window_id, own in windows.items()
        if (edges := _edges(span, own)) is not None
    ]
    if not found:
        return None
    distance, base = min(found, key=lambda one: one[0])
    if base.edges and (span.starts is None or span.ends is None):
        return base if distance <= timedelta(days=60) else None
    if base.edges and span.starts and span.ends and distance > (span.ends - span.starts) / 6:
        return None
    return base


def length(edges: Iterable[Edge]) -> timedelta:
    """How long edges are together."""
    return sum((edge.ends - edge.starts for edge in edges), timedelta())


def _edges(span: Span, base: Span) -> tuple[Edge, ...] | None:
    """What makes a span of a base; None where they do not overlap, or one alone is open at an end."""
    if (span.starts is None) != (base.starts is None) or (span.ends is None) != (base.ends is None):
        return None
    if span.starts and base.ends and span.starts >= base.ends:
        return None
    if span.ends and base.starts and span.ends <= base.starts:
        return None
    edges = []
    if span.starts and base.starts and span.starts != base.starts:
        edges.append(Edge(min(span.starts, base.starts), max(span.starts, base.starts),
                          1 if span.starts < base.starts else -1))  # fmt: skip
    if span.ends and base.ends and span.ends != base.ends:
        edges.append(Edge(min(span.ends, base.ends), max(span.ends, base.ends), 1 if span.ends > base.ends else -1))
    return tuple(edges)
