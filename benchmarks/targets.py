"""The targets, and what was measured against each."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from statistics import median
from typing import Any, NamedTuple

from benchmarks.questions import GROUPS

Results = dict[str, Any]


class Limit(NamedTuple):
    """By how much the median question and the slowest of a group may exceed the floor; None: no target.

    `pattern` is found in the paths of those that the target is about.
    """

    group: str
    median: float | None
    slowest: float
    what: str = ""
    pattern: str = ""


LIMITS = (
    Limit("everyone", 2, 5),
    Limit("typical", 2.5, 6),
    Limit("measures", 4, 10),
    Limit("heaviest", 8, 50),
    Limit("zones", 20, 50),
    Limit("charts", None, 6, "a typical user: charts of three years by month", "bucket=month"),
    Limit("charts", None, 10, "a typical user: charts of 830 days by week", "bucket=week"),
    Limit("alike", None, 3, "a typical user: who listens alike, of all", r"/similar/{typical}$"),
    Limit("alike", None, 20, "a typical user: recommendations", "/recommendations/"),
)
GROWTH = 1.2, 2
SPAN, FEATURES = "top tracks of 13 months", "features"
LOADED = 2, 4
KEPT = 0.75
BUILD = 25
BUILT_FROM = "top tracks", "top artists"
DISK = 2
MEGABYTES = 150

# What the targets are about. Another size is held against the same, which then says less.
LISTENS = 10_000_000


@dataclass(frozen=True)
class Row:
    """A target and what was measured; `excess` is by what factor it was missed, 1 or less where it was met."""

    what: str
    target: str
    measured: str
    excess: float

    @property
    def met(self) -> bool:
        return self.excess <= 1

    @property
    def verdict(self) -> str:
        return "ok" if self.met else f"missed, {times(self.excess)}"


def largest(results: Results) -> str:
    """The name of the size that is held against the targets."""
    sizes: Results = results["platforms"]
    return max(sizes, key=lambda size: int(sizes[size]["listens"]))


def smallest(results: Results) -> str:
    sizes: Results = results["platforms"]
    return min(sizes, key=lambda size: int(sizes[size]["listens"]))


def rows(results: Results) -> list[Row]:
    """Every target, in the order in which they were set."""
    return [
        *(_latency(results, limit) for limit in LIMITS),
        *_against_others(results),
        _under_load(results),
        *_growth(results),
        *_writing(results),
        *_room(results),
    ]


def _latency(results: Results, limit: Limit) -> Row:
    size = largest(results)
    group = next(group for group in results["latency"] if group["group"] == limit.group)
    floor = group["floor"]["p50"]
    asked = [question for question in group["questions"] if re.search(limit.pattern, question["path"])]
    each = [question["times"][size]["p50"] / floor for question in asked]
    target, measured, excess = (
        f"≤ {limit.slowest:g} × floor",
        f"{times(max(each))} the slowest",
        max(each) / limit.slowest,
    )
    if limit.median is not None:
        target = f"median ≤ {limit.median:g} ×, slowest ≤ {limit.slowest:g} × floor"
        measured = f"{times(median(each))} the median, {measured}"
        excess = max(excess, median(each) / limit.median)
    within = sum(one <= limit.slowest for one in each)
    measured += f"; {within} of {len(each)} within"
    return Row(limit.what or GROUPS[limit.group], target, measured, excess)


def growth(results: Results) -> list[tuple[float, str]]:
    """By what factor p50 grows from the smallest to the largest size, for each question that has a target."""
    first, last = smallest(results), largest(results)
    limited = {limit.group for limit in LIMITS}
    found = [
        (question["times"][last]["p50"] / question["times"][first]["p50"], question["path"])
        for group in results["latency"]
        for question in group["questions"]
        if group["group"] in limited
    ]
    return sorted(found)


def _growth(results: Results) -> Iterator[Row]:
    if smallest(results) == largest(results):
        return
    found = growth(results)
    factors = [factor for factor, _ in found]
    within = sum(factor <= GROWTH[1] for factor in factors)
    yield Row(
        f"growth of these p50 from {smallest(results)} to {largest(results)}",
        f"median ≤ {GROWTH[0]} ×, the most ≤ {GROWTH[1]} ×",
        f"{times(median(factors))} the median, {times(factors[-1])} the most; {within} of {len(found)} within",
        max(median(factors) / GROWTH[0], factors[-1] / GROWTH[1]),
    )


def _against_others(results: Results) -> Iterator[Row]:
    found = {one["name"]: one for one in results["plain"]}
    for name, other, key in ((SPAN, "the plain aggregate", "plain_ms"), (FEATURES, "DuckDB", "duckdb_ms")):
        one = found[name]
        ratio = one["service_ms"] / one[key]
        measured = f"{times(ratio)} ({milliseconds(one['service_ms'])} to {milliseconds(one[key])})"
        if not one["same"]:
            measured, ratio = "the answers differ", 1000
        yield Row(f"everyone: {name}, against {other}", "≤ 1 ×", measured, ratio)


def _under_load(results: Results) -> Row:
    each = [both["busy"]["p50"] / both["idle"]["p50"] for both in results["under_load"].values()]
    return Row(
        "answers while a loader commits 1,000 listens a second, against quiet ones",
        f"median ≤ {LOADED[0]} ×, the most ≤ {LOADED[1]} ×",
        f"{times(median(each))} the median, {times(max(each))} the most",
        max(median(each) / LOADED[0], max(each) / LOADED[1]),
    )


def _writing(results: Results) -> Iterator[Row]:
    for name, rates in results["writing"].items():
        # What is kept is the median of neighbouring runs, and not the medians' ratio: the machine is another in each.
        medians = f"{rates['without']:,.0f} and {rates['with_rollups']:,.0f} listens/s"
        measured = f"{rates['kept']:.0%}, the median of pairs (medians: {medians})"
        excess = KEPT / rates["kept"]
        target = f"≥ {KEPT:.0%}"
        if name.startswith("8 "):
            target += ", no deadlock"
            measured += f", {rates['deadlocks'] or 'no'} deadlock{'s' if rates['deadlocks'] > 1 else ''}"
            excess = max(excess, 1 + rates["deadlocks"]) if rates["deadlocks"] else excess
        yield Row(f"insert rate kept, {name}", target, measured, excess)


def _room(results: Results) -> Iterator[Row]:
    size = results["platforms"][largest(results)]
    seconds = size["build"]["seconds"]
    plain = sum(one["plain_ms"] / 1000 for one in results["plain"] if one["name"] in BUILT_FROM)
    yield Row(
        f"build for {million(size['listens'])} listens, against plain top tracks and plain top artists",
        f"≤ {BUILD} ×",
        f"{times(seconds / plain)} ({seconds:.0f} s to {plain:.1f} s)",
        seconds / plain / BUILD,
    )
    disk = size["disk"]["added"] / size["disk"]["history"]
    yield Row(
        'disk, rollups and indexes against "History" with its index',
        f"≤ {DISK} ×",
        f"{times(disk)} ({megabytes(size['disk']['added'])} to {megabytes(size['disk']['history'])})",
        disk / DISK,
    )
    memory = results["memory"]
    most = memory["most"] + max(memory["growth"] or 0, 0)
    measured = f"{most:.0f} MB: {memory['most']:.0f} MB at most over {memory['keys'][-1]:,} keys"
    if memory["growth"] is not None:
        measured += f", and {memory['growth']:.1f} MB that a million more would add at the pace of the last half"
    yield Row(
        "memory of a gunicorn worker",
        f"bounded, ≤ {MEGABYTES} MB",
        measured,
        most / MEGABYTES,
    )


def milliseconds(ms: float) -> str:
    """A time in the unit and with the digits that it can be read with."""
    if ms >= 1000:
        return f"{ms / 1000:.3g} s" if ms < 100_000 else f"{ms / 1000:,.0f} s"
    return f"{ms:.3g} ms" if ms < 100 else f"{ms:.0f} ms"


def times(factor: float) -> str:
    """A factor, for people."""
    return f"{factor:,.0f} ×" if factor >= 100 else f"{factor:.3g} ×"


def megabytes(size: int) -> str:
    return f"{size / (1 << 20):,.0f} MB"


def million(number: int) -> str:
    """A number of listens, for people."""
    return f"{number / 1_000_000:.3g} M" if number >= 1_000_000 else f"{number:,}"
