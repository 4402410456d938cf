"""Which windows have rankings, and how a question's window is made of one of them, or of two prefix sums. Pure.

Instants are naive and in UTC here, as in the platform's tables.
"""

from collections.abc import Mapping, Sequence
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
    """A span that is counted, and what makes another one of it.

    The span is a window with rankings, or, where `window_id` is None, has prefix sums at its ends (none at the
    beginning of `EVER`).
    """

    window_id: int | None
    span: Span
    edges: tuple[Edge, ...]


def kept(now: datetime) -> set[Span]:
    """The spans that have rankings at an instant: those of `NAMES` in UTC."""
    return {Span.of(Window.named(name, timezone("UTC"), now)) for name in NAMES}


def base_of(span: Span, windows: Mapping[int, Span], prefixes: Sequence[datetime], listened: Span) -> Base | None:
    """What is counted that is nearest to a span: a window, or a difference of two prefix sums; None where none is near.

    Near is one whose edges are together at most a quarter of the span: beyond that, to count the span itself is as
    quick. A difference takes longer to be read than a window: it has to have less than half the edges. Of a span or an
    edge only what lies in the span `listened` counts, from the first listen to the end of today: there is hardly a
    listen beyond.
    """

    def length(one: Span) -> timedelta:
        return max(min(one.ends, listened.ends) - max(one.starts, listened.starts), timedelta())

    def distance(base: Base) -> timedelta:
        return sum((length(edge.span) for edge in base.edges), timedelta())

    def cost(base: Base) -> tuple[timedelta, int]:
        return distance(base) * (2 if base.window_id is None else 1), len(base.edges)

    for id_, own in windows.items():
        if own == span:
            return Base(id_, own, ())
    counted: list[tuple[int | None, Span]] = list(windows.items())
    if difference := _difference(span, prefixes, listened.starts):
        counted.append((None, difference))
    bases = [Base(id_, own, edges) for id_, own in counted if (edges := _edges(span, own)) is not None]
    # Of equals the windows: they come first.
    nearest = min(bases, key=cost, default=None)
    return nearest if nearest and distance(nearest) <= length(span) / 4 else None


def _difference(span: Span, prefixes: Sequence[datetime], first: datetime) -> Span | None:
    """The span between prefix sums that is nearest to another one; None where that is none."""
    if not prefixes:
        return None
    starts = min((EVER.starts, first, *prefixes), key=lambda instant: abs(instant - span.starts))
    ends = min(prefixes, key=lambda instant: abs(instant - span.ends))
    # Before the first listen there is nothing to take away.
    return Span(starts if starts in prefixes else EVER.starts, ends) if starts < ends else None


def _edges(span: Span, base: Span) -> tuple[Edge, ...] | None:
    """What makes a span of a base; None where they do not overlap."""
    if span.starts >= base.ends or base.starts >= span.ends:
        return None
    # At either end: the span has more where it goes further than the base.
    ends = (Span(span.starts, base.starts), Span(base.ends, span.ends))
    return tuple(Edge(Span(*sorted(end)), 1 if end.starts < end.ends else -1) for end in ends if end.starts != end.ends)
