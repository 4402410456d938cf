"""The report: results as JSON, as Markdown tables and as a chart.

python -m benchmarks.report      writes the last two again from docs/benchmarks/results.json
"""

import json
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.chart import chart
from benchmarks.questions import GROUPS
from benchmarks.service import ROOT
from benchmarks.targets import Row, growth, largest, megabytes, million, milliseconds, rows, smallest, times

FOLDER = ROOT / "docs" / "benchmarks"

Results = dict[str, Any]


def write(results: Results, folder: Path = FOLDER) -> None:
    """Write `results.json`, `README.md` and `chart.svg` into the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "results.json").write_text(to_json(results))
    render(results, folder)


def render(results: Results, folder: Path = FOLDER) -> None:
    """Write everything but the JSON."""
    (folder / "README.md").write_text(markdown(results))
    (folder / "chart.svg").write_text(chart(results))


def to_json(results: Results) -> str:
    """The results, with a line for each question."""
    text = json.dumps(results, indent=1, ensure_ascii=False)
    for group in results["latency"]:
        for question in group["questions"]:
            line = json.dumps(question, ensure_ascii=False)
            text = text.replace(_indented(question, 4), line, 1)
    return text + "\n"


def _indented(value: Any, depth: int) -> str:
    return json.dumps(value, indent=1, ensure_ascii=False).replace("\n", "\n" + " " * depth)


def targets_table(targets: list[Row]) -> str:
    return _table(
        ("what", "target", "measured", ""),
        ((row.what, row.target, row.measured, row.verdict if row.met else f"**{row.verdict}**") for row in targets),
    )


def markdown(results: Results) -> str:
    """The whole report."""
    return "\n".join(
        [
            "# Benchmarks",
            "",
            "Written by `make bench`; the numbers behind it are in [results.json](results.json).",
            "",
            _circumstances(results),
            "",
            "![The plain aggregate and the service, and the answers' times by size](chart.svg)",
            "",
            "## Targets",
            "",
            f"On {million(results['platforms'][largest(results)]['listens'])} listens, uncached, over HTTP: the p50 of "
            "each question as a multiple of the floor, which is what one `SELECT 1` takes in the same minutes, by the "
            "same way (gunicorn, Flask, checks, session, snapshot).",
            "",
            targets_table(rows(results)),
            "## Answers",
            "",
            "Of all requests of a group, and of its slowest question; statements and buffers (8 kB) are the most that "
            "a question takes. The floor and the machine's load are those of the same minutes. Times say little by "
            "themselves: the machine is shared.",
            "",
            _groups(results),
            "## The slowest questions",
            "",
            _slowest(results),
            *_growth(results),
            "## Against plain aggregates over the live tables",
            "",
            "The same question, answered by SQL written by hand, on a copy of the database without rollups and without "
            "this service's indexes, and by DuckDB on the same rows (in process, two threads, a native file), in the "
            "same minutes; the service's time has HTTP in it.",
            "",
            _plain(results),
            "## Cached",
            "",
            _cached(results),
            "## Fresh",
            "",
            "Until a committed listen shows in answers that the cache holds; and uncached answers while a loader "
            "commits 1,000 listens a second, 50 by 50, next to those while nobody writes.",
            "",
            _fresh(results),
            "## Writing",
            "",
            "Listens per second into a database without and with the rollups, by turns, while the service folds.",
            "",
            _writing(results),
            "## Building, and what it takes",
            "",
            _building(results),
        ]
    )


def _circumstances(results: Results) -> str:
    machine, server = results["machine"], results["postgresql"]
    settings = ", ".join(f"`{name}` {value}" for name, value in server.items() if name != "server_version")
    return (
        f"{results['made_at'][:10]}: {machine['processor']}, {machine['cores']} cores, {machine['memory_gb']} GB; "
        f"load {machine['load_at_start']} at the start and {machine['load_at_end']} at the end. "
        f"PostgreSQL {server['server_version'].split()[0]} ({settings}), Python {machine['python']}, one gunicorn "
        "worker, client and server on this machine."
    )


def _groups(results: Results) -> str:
    size = largest(results)

    def most(group: Results, of: str) -> str:
        return f"{max(question[of][size] for question in group['questions']):,}"

    def p50s(group: Results) -> list[float]:
        return [question["times"][size]["p50"] for question in group["questions"]]

    return _table(
        (
            "questions",
            "number",
            "p10",
            "p50",
            "p95",
            "p99",
            "slowest p10",
            "slowest p50",
            "slowest p99",
            "statements",
            "buffers",
            "floor p50",
            "median / floor",
            "slowest / floor",
            "load",
        ),
        (
            (
                GROUPS[group["group"]],
                str(len(group["questions"])),
                *(milliseconds(group["times"][size][name]) for name in ("p10", "p50", "p95", "p99")),
                *(
                    milliseconds(max(question["times"][size][name] for question in group["questions"]))
                    for name in ("p10", "p50", "p99")
                ),
                most(group, "statements"),
                most(group, "buffers"),
                milliseconds(group["floor"]["p50"]),
                *(
                    times(of([q["times"][size]["p50"] for q in group["questions"]]) / group["floor"]["p50"])
                    for of in (median, max)
                ),
                str(group["load"]),
            )
            for group in results["latency"]
        ),
    )


def _slowest(results: Results, number: int = 5) -> str:
    size = largest(results)
    lines = []
    for group in results["latency"]:
        questions = sorted(group["questions"], key=lambda question: -question["times"][size]["p50"])
        for question in questions[:number]:
            took = question["times"][size]
            lines.append(
                (
                    f"`{question['path']}`",
                    *(milliseconds(took[name]) for name in ("p10", "p50", "p95", "p99")),
                    str(took["number"]),
                    str(question["statements"][size]),
                    f"{question['buffers'][size]:,}",
                )
            )
    return _table(("question", "p10", "p50", "p95", "p99", "requests", "statements", "buffers"), lines)


def _growth(results: Results, number: int = 10) -> list[str]:
    if smallest(results) == largest(results):
        return []
    found = growth(results)
    head = (
        f"The p50 of {len(found)} questions that have a target, {smallest(results)} to {largest(results)}, asked by "
        "turns. Those that grow most:"
    )
    lines = [(f"`{path}`", times(factor)) for factor, path in reversed(found[-number:])]
    return ["## Growth", "", head, "", _table(("question", "growth"), lines)]


def _plain(results: Results) -> str:
    return _table(
        ("question", "plain aggregate", "DuckDB", "service", "plain / service", "DuckDB / service", "same answer"),
        (
            (
                one["name"],
                milliseconds(one["plain_ms"]),
                milliseconds(one["duckdb_ms"]),
                milliseconds(one["service_ms"]),
                times(one["plain_ms"] / one["service_ms"]),
                times(one["duckdb_ms"] / one["service_ms"]),
                "yes" if one["same"] else "**no**",
            )
            for one in results["plain"]
        ),
    )


def _cached(results: Results) -> str:
    lines = []
    for name, one in results["hits"].items():
        took = [milliseconds(one["times"][percentile]) for percentile in ("p50", "p95", "p99")]
        rate = "wrk is not installed" if one["per_second"] is None else f"{one['per_second']:,.0f}"
        lines.append((name, *took, rate))
    table = _table(("cached hits", "p50", "p95", "p99", "a second, of 8 connections"), lines)
    seconds = results["cold_start_seconds"]
    return (
        f"{table}\n[Hits compared with a bare Flask application](hits.md).\n\n"
        f"From the start of gunicorn to its first answer to an insight: {seconds:.2f} s.\n"
    )


def _fresh(results: Results) -> str:
    shown = [(f"in the answers of {whom}", *_percentiles(times)) for whom, times in results["freshness"].items()]
    loaded = [
        (f"`{path}`", *_percentiles(both["busy"]), milliseconds(both["idle"]["p50"]))
        for path, both in results["under_load"].items()
    ]
    return "\n".join(
        [
            _table(("until a listen shows", "p50", "p95", "p99"), shown),
            _table(("while a loader writes", "p50", "p95", "p99", "p50 while nobody writes"), loaded),
        ]
    )


def _percentiles(times: Results) -> tuple[str, ...]:
    return tuple(milliseconds(times[name]) for name in ("p50", "p95", "p99"))


def _writing(results: Results) -> str:
    verified = "finds no difference" if results["verified"] else "**finds differences**"
    table = _table(
        ("load", "without", "with rollups", "kept", "deadlocks"),
        (
            (name, f"{one['without']:,.0f}", f"{one['with_rollups']:,.0f}", f"{one['kept']:.0%}", str(one["deadlocks"]))
            for name, one in results["writing"].items()
        ),
    )
    return f"{table}\nAfterwards, `flask rollups verify` {verified} between the rollups and the live tables.\n"


def _building(results: Results) -> str:
    lines = []
    for size, one in results["platforms"].items():
        disk = one["disk"]
        lines.append(
            (
                f"{size}, {million(one['listens'])} listens",
                f"{one['build']['seconds']:.1f} s",
                megabytes(disk["added"]),
                megabytes(disk["history"]),
                times(disk["added"] / disk["history"]),
            )
        )
    parts = results["platforms"][largest(results)]
    return "\n".join(
        [
            _table(("size", "build", "rollups and indexes", '"History" with its index', "ratio"), lines),
            f"The longest parts of the build for {largest(results)}:",
            "",
            _table(("part", "seconds"), [(name, f"{took:.1f}") for name, took in _most(parts["build"]["parts"])]),
            "The largest parts on the disk:",
            "",
            _table(
                ("table or index", "size"), [(name, megabytes(took)) for name, took in _most(parts["disk"]["parts"])]
            ),
        ]
    )


def _most(parts: dict[str, Any], number: int = 8) -> list[tuple[str, Any]]:
    return sorted(parts.items(), key=lambda part: -part[1])[:number]


def _table(head: tuple[str, ...], lines: Any) -> str:
    ruled = [head, tuple("---" for _ in head), *lines]
    return "".join(f"| {' | '.join(line)} |\n" for line in ruled)


def main() -> None:
    render(json.loads((FOLDER / "results.json").read_text()))


if __name__ == "__main__":
    main()
