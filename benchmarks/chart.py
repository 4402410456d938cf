"""The results as a picture: an SVG that is legible on a light and on a dark page."""

from collections.abc import Iterator
from html import escape
from math import log10
from statistics import median
from typing import Any

from benchmarks.targets import LIMITS, largest, million, milliseconds, smallest, times

WIDTH, LABELS, RIGHT = 960, 300, 90
ROW, BAR, HEAD, FOOT = 34, 9, 74, 40

NAMES = {
    "everyone": "everyone: lists, totals, distincts",
    "typical": "a typical user: the same",
    "measures": "a typical user: all other measures",
    "heaviest": "the heaviest user: every measure",
    "zones": "everyone, any zone: lists, patterns",
    "charts": "a typical user: charts",
    "alike": "a typical user: who listens alike",
}

STYLE = """
    text { font: 13px system-ui, sans-serif; fill: #1f2328; }
    .title { font-size: 16px; font-weight: 600; }
    .quiet { fill: #59636e; }
    .grid { stroke: #d1d9e0; }
    .plain { fill: #9aa4af; }
    .own { fill: #0969da; }
    .small { fill: none; stroke: #0969da; stroke-width: 2; }
    .span { stroke: #0969da; stroke-width: 2; opacity: .45; }
    .limit { stroke: #cf222e; stroke-width: 2; }
    @media (prefers-color-scheme: dark) {
        text { fill: #f0f6fc; }
        .quiet { fill: #9198a1; }
        .grid { stroke: #3d444d; }
        .plain { fill: #656c76; }
        .own { fill: #4493f8; }
        .small, .span { stroke: #4493f8; }
        .limit { stroke: #f85149; }
    }
"""


def chart(results: dict[str, Any]) -> str:
    """Two panels: the service next to the plain aggregates, and the times of each group of questions by size."""
    upper, height = _comparison(results)
    lower, more = _groups(results, height)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height + more}" role="img">\n'
        f"<title>Times of answers, on a logarithmic scale</title>\n<style>{STYLE}</style>\n"
        f"{upper}{lower}</svg>\n"
    )


class Axis:
    """A logarithmic axis of milliseconds, over whole powers of ten."""

    def __init__(self, ms: list[float]) -> None:
        self.low = min(0, *(int(log10(time) // 1) for time in ms))
        self.high = max(1, *(-int(-log10(time) // 1) for time in ms))

    def x(self, ms: float) -> float:
        part = (log10(ms) - self.low) / (self.high - self.low)
        return round(LABELS + part * (WIDTH - LABELS - RIGHT), 1)

    def grid(self, top: float, bottom: float) -> Iterator[str]:
        for power in range(self.low, self.high + 1):
            x = self.x(10.0**power)
            yield f'<line class="grid" x1="{x}" y1="{top}" x2="{x}" y2="{bottom}"/>\n'
            yield _text(x, bottom + 18, milliseconds(10.0**power), "quiet", "middle")


def _comparison(results: dict[str, Any]) -> tuple[str, int]:
    rows = results["plain"]
    axis = Axis([one[name] for one in rows for name in ("plain_ms", "service_ms")])
    bottom = HEAD + ROW * len(rows)
    size = million(results["platforms"][largest(results)]["listens"])
    parts = [
        _text(16, 28, f"The same question to {size} listens", "title"),
        f'<rect class="plain" x="16" y="43" width="12" height="{BAR}"/>\n',
        _text(34, 52, "plain aggregate over the live tables", "quiet"),
        f'<rect class="own" x="280" y="43" width="12" height="{BAR}"/>\n',
        _text(298, 52, "the service over HTTP, uncached", "quiet"),
        *axis.grid(HEAD - 6, bottom),
    ]
    for number, one in enumerate(rows):
        y = HEAD + ROW * number
        left = axis.x(10.0**axis.low)
        parts.append(_text(LABELS - 12, y + 17, one["name"], "", "end"))
        for name, kind, below in (("plain_ms", "plain", 3), ("service_ms", "own", 4 + BAR)):
            width = max(axis.x(one[name]) - left, 1)
            parts.append(f'<rect class="{kind}" x="{left}" y="{y + below}" width="{width:.1f}" height="{BAR}"/>\n')
        ratio = one["plain_ms"] / one["service_ms"]
        parts.append(_text(WIDTH - 12, y + 17, times(ratio), "", "end"))
    return "".join(parts), bottom + FOOT


def _groups(results: dict[str, Any], top: int) -> tuple[str, int]:
    first, last = smallest(results), largest(results)
    groups = [group for group in results["latency"] if group["group"] in NAMES]
    found = {
        (group["group"], size): sorted(question["times"][size]["p50"] for question in group["questions"])
        for group in groups
        for size in (first, last)
    }
    limits = {
        group["group"]: group["floor"]["p50"] * max(one.slowest for one in LIMITS if one.group == group["group"])
        for group in groups
    }
    axis = Axis([time for some in found.values() for time in (some[0], some[-1])] + list(limits.values()))
    bottom = top + HEAD + ROW * len(groups)
    parts = [
        _text(16, top + 28, "p50 of all questions of a group: the quickest, the median, the slowest", "title"),
        *axis.grid(top + HEAD - 6, bottom),
        f'<circle class="own" cx="22" cy="{top + 48}" r="5"/>\n',
        _text(34, top + 52, million(results["platforms"][last]["listens"]) + " listens", "quiet"),
        f'<line class="limit" x1="286" y1="{top + 41}" x2="286" y2="{top + 55}"/>\n',
        _text(298, top + 52, "target of the slowest", "quiet"),
    ]
    if first != last:
        parts.append(f'<circle class="small" cx="156" cy="{top + 48}" r="4"/>\n')
        parts.append(_text(168, top + 52, million(results["platforms"][first]["listens"]), "quiet"))
    for number, group in enumerate(groups):
        name = group["group"]
        y = top + HEAD + ROW * number
        parts.append(_text(LABELS - 12, y + 20, NAMES[name], "", "end"))
        for size, kind, offset, radius in ((first, "small", 9, 4), (last, "own", 21, 5))[first == last :]:
            some = found[name, size]
            ends = axis.x(some[0]), axis.x(some[-1])
            parts.append(f'<line class="span" x1="{ends[0]}" y1="{y + offset}" x2="{ends[1]}" y2="{y + offset}"/>\n')
            parts.append(f'<circle class="{kind}" cx="{axis.x(median(some))}" cy="{y + offset}" r="{radius}"/>\n')
        x = axis.x(limits[name])
        parts.append(f'<line class="limit" x1="{x}" y1="{y + 2}" x2="{x}" y2="{y + 29}"/>\n')
    return "".join(parts), bottom + FOOT - top


def _text(x: float, y: float, text: str, kind: str = "", anchor: str = "start") -> str:
    return f'<text x="{x}" y="{y}" class="{kind}" text-anchor="{anchor}">{escape(text)}</text>\n'
