"""Which windows have rankings, and how a question's window is made of one of them. Pure.

Instants are naive and in UTC here, as in the platform's tables; None is an open end.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import NamedTuple

from app.services.expressions import naive
from app.timezones import DAY, timezone
from app.windows import Window

# The ranges that every insight offers by name, and the usual numbers of days.
NAMES = (
    "all_time",
    "today",
    "yesterday",
    *(f"{which}_{unit}" for unit in ("week", "month", "quarter", "half_year", "year") for which in ("this", "last")),
    *("7d", "30d", "90d", "365d"),
)  # fmt: skip


# Open ends, where instants are compared.
MIN, MAX = datetime.min, datetime.max  # noqa: DTZ901  naive, as all instants here


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

    span: Span
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


def base_of(span: Span, windows: Mapping[int, Span], first: datetime | None) -> Base | None:
    """The window with rankings that is nearest to a span; None where none is near.

    Near is one whose edges are together at most a sixth of the span: beyond that, to count the span itself is as
    quick. Where a span or an edge is open, only what lies between the `first` listen and the end of today counts: there
    is hardly a listen beyond.
    """
    starts = [own.starts for own in windows.values() if own.starts is not None]
    last = max(starts) + DAY if starts else None  # none of what is kept begins later than today

    def length(one: Span) -> timedelta:
        begins, ends = max(one.starts or MIN, first or MIN), min(one.ends or MAX, last or MAX)
        return max(ends - begins, timedelta())

    found = [
        (sum((length(edge.span) for edge in edges), timedelta()), Base(window_id, own, edges))
        for window_id, own in windows.items()
        if (edges := _edges(span, own)) is not None
    ]
    if not found:
        return None
    distance, base = min(found, key=lambda one: (one[0], len(one[1].edges)))
    return base if not base.edges or distance <= length(span) / 6 else None


def _edges(span: Span, base: Span) -> tuple[Edge, ...] | None:
    """What makes a span of a base; None where they do not overlap."""
    if (span.starts or MIN) >= (base.ends or MAX) or (base.starts or MIN) >= (span.ends or MAX):
        return None
    edges = []
    if span.starts != base.starts:
        has_more = (span.starts or MIN) < (base.starts or MIN)
        earlier, later = (span, base) if has_more else (base, span)
        edges.append(Edge(Span(earlier.starts, later.starts), 1 if has_more else -1))
    if span.ends != base.ends:
        has_more = (span.ends or MAX) > (base.ends or MAX)
        earlier, later = (base, span) if has_more else (span, base)
        edges.append(Edge(Span(earlier.ends, later.ends), 1 if has_more else -1))
    return tuple(edges)
