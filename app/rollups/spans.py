"""Which windows have rankings, and how a question's window is made of one of them. Pure.

Instants are naive and in UTC here, as in the platform's tables.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import NamedTuple

from app.domain.timezones import naive, timezone
from app.domain.windows import MAX_BOUND, MIN_BOUND, Window

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

    starts: datetime
    ends: datetime

    @classmethod
    def of(cls, window: Window) -> "Span":
        """The span of a window, within `EVER`: an open end is where that ends."""
        starts, ends = window.start or MIN_BOUND, window.end or MAX_BOUND
        return cls(max(naive(starts), EVER.starts), min(naive(ends), EVER.ends))

    @property
    def length(self) -> timedelta:
        """How long the span is."""
        return self.ends - self.starts


# The dates of listens. What is read live and what is counted are spans within this one, so a row of "History" with
# another date is in no answer.
EVER = Span(naive(MIN_BOUND), naive(MAX_BOUND))


class Edge(NamedTuple):
    """A span that a window has more than its base (`sign` 1), or that the base has more than it (-1)."""

    span: Span
    sign: int


class Base(NamedTuple):
    """A window with rankings, and what makes another span of it."""

    window_id: int
    span: Span
    edges: tuple[Edge, ...]


def kept(now: datetime) -> set[Span]:
    """The spans that have rankings at an instant: those of `NAMES` in UTC, and the year that last year follows."""
    windows = {name: Window.named(name, timezone("UTC"), now) for name in NAMES}
    return {Span.of(window) for window in (*windows.values(), windows["last_year"].previous())}


def base_of(span: Span, windows: Mapping[int, Span], listened: Span) -> Base | None:
    """The window with rankings that is nearest to a span; None where none is near.

    Near is one whose edges are together at most a quarter of the span: beyond that, to count the span itself is as
    quick. Of a span or an edge only what lies in the span `listened` counts, from the first listen to the end of today:
    there is hardly a listen beyond.
    """

    def length(one: Span) -> timedelta:
        return max(min(one.ends, listened.ends) - max(one.starts, listened.starts), timedelta())

    def distance(base: Base) -> timedelta:
        return sum((length(edge.span) for edge in base.edges), timedelta())

    bases = [Base(id_, own, edges) for id_, own in windows.items() if (edges := _edges(span, own)) is not None]
    nearest = min(bases, key=lambda base: (distance(base), len(base.edges)), default=None)
    return nearest if nearest and distance(nearest) <= length(span) / 4 else None


def _edges(span: Span, base: Span) -> tuple[Edge, ...] | None:
    """What makes a span of a base; None where they do not overlap."""
    if span.starts >= base.ends or base.starts >= span.ends:
        return None
    # At either end: the span has more where it goes further than the base.
    ends = (Span(span.starts, base.starts), Span(base.ends, span.ends))
    return tuple(Edge(Span(*sorted(end)), 1 if end.starts < end.ends else -1) for end in ends if end.starts != end.ends)
