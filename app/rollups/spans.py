"""Which windows have rankings, and how a question's window is made of one of them, or of two prefix sums. Pure.

Instants are naive and in UTC here, as in the platform's tables; None is an open end.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from app.timezones import naive, timezone
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

    @property
    def length(self) -> timedelta:
        """How long the span is: the most there is where an end is open."""
        return self.ends - self.starts if self.starts and self.ends else timedelta.max


class Edge(NamedTuple):
    """A span that a window has more than its base (`sign` 1), or that the base has more than it (-1)."""

    span: Span
    sign: int


class Base(NamedTuple):
    """A span that is counted, and what makes another one of it.

    The span is a window with rankings, or, where `window_id` is None, has prefix sums at its ends.
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
        begins = max(one.starts or MIN, listened.starts or MIN)
        ends = min(one.ends or MAX, listened.ends or MAX)
        return max(ends - begins, timedelta())

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


def _difference(span: Span, prefixes: Sequence[datetime], first: datetime | None) -> Span | None:
    """The span between prefix sums that is nearest to another one; None where that is none."""
    if not prefixes:
        return None
    starts: datetime | None = None
    if span.starts is not None:
        begins = span.starts
        instants: dict[datetime, datetime | None] = dict(zip(prefixes, prefixes, strict=True))
        if first is not None:
            instants[first] = None
        starts = instants[min(instants, key=lambda instant: abs(instant - begins))]
    ends = max(prefixes) if span.ends is None else min(prefixes, key=lambda instant: abs(instant - (span.ends or MAX)))
    return Span(starts, ends) if (starts or MIN) < ends else None


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
