"""The targets, and what was measured against each."""

from collections.abc import Iterator
from dataclasses import dataclass
from statistics import median
from typing import Any, NamedTuple

from benchmarks.questions import GROUPS

Results = dict[str, Any]


class Limit(NamedTuple):
    """The most ms that a group's slowest question may take."""

    p50: float
    p99: float | None = None


LIMITS = {
    "everyone": Limit(5, 25),
    "typical": Limit(5, 25),
    "heaviest": Limit(25),
    "zones": Limit(100),
    "spans": Limit(500),
    "patterns": Limit(50),
}
GROWTH = 1.3
RATIO = 1000
RATIOS = ("top tracks", "top artists", "listen time")
KEPT = 0.7
BUILD_SECONDS = 120
DISK = 1.5
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
    return [*_latency(results), *_growth(results), *_ratios(results), *_writing(results), *_room(results)]


def _latency(results: Results) -> Iterator[Row]:
    size = largest(results)
    for group in results["latency"]:
        if (limit := LIMITS.get(group["group"])) is None:
            continue
        yield _slowest(group, size, "p50", limit.p50)
        if limit.p99 is not None:
            yield _slowest(group, size, "p99", limit.p99)


def _slowest(group: Results, size: str, percentile: str, limit: float) -> Row:
    each = [question["times"][size][percentile] for question in group["questions"]]
    within = sum(time <= limit for time in each)
    return Row(
        f"{GROUPS[group['group']]}, {percentile}",
        f"≤ {limit:g} ms",
        f"{milliseconds(max(each))} the slowest, {milliseconds(group['times'][size][percentile])} over all; "
        f"{within} of {len(each)} within",
        max(each) / limit,
    )


def growth(results: Results) -> list[tuple[float, str]]:
    """By what factor p50 grows from the smallest to the largest size, for each question that has a target."""
    first, last = smallest(results), largest(results)
    found = [
        (question["times"][last]["p50"] / question["times"][first]["p50"], question["path"])
        for group in results["latency"]
        for question in group["questions"]
        if group["group"] in LIMITS
    ]
    return sorted(found)


def _growth(results: Results) -> Iterator[Row]:
    if smallest(results) == largest(results):
        return
    found = growth(results)
    factors = [factor for factor, _ in found]
    within = sum(factor <= GROWTH for factor in factors)
    yield Row(
        f"growth of these p50 from {smallest(results)} to {largest(results)}",
        f"≤ {GROWTH} ×",
        f"{times(factors[-1])} the most, {times(median(factors))} the median; {within} of {len(found)} within",
        factors[-1] / GROWTH,
    )


def _ratios(results: Results) -> Iterator[Row]:
    for comparison in results["plain"]:
        if comparison["name"] in RATIOS:
            ratio = comparison["plain_ms"] / comparison["service_ms"]
            measured = (
                f"{times(ratio)} ({milliseconds(comparison['plain_ms'])} to {milliseconds(comparison['service_ms'])})"
            )
            if not comparison["same"]:
                measured, ratio = "the answers differ", 0.001
            what = f"against the plain aggregate, global {comparison['name']}"
            yield Row(what, f"≥ {RATIO:,} ×", measured, RATIO / ratio)


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
    yield Row(
        f"build for {million(size['listens'])} listens",
        f"≤ {BUILD_SECONDS} s",
        f"{seconds:.0f} s" if seconds >= 10 else f"{seconds:.1f} s",
        seconds / BUILD_SECONDS,
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
