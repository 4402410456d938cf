"""The report: docs/reliability.md, whose table and figures are replaced."""

import os
import platform
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from benchmarks.faults.trials import Fault, Outcome

REPORT = Path(__file__).parents[2] / "docs" / "reliability.md"
FROM, TO = "<!-- make faults writes from here -->\n", "<!-- make faults writes to here -->\n"
COLUMNS = """
| fault | expected | answers | statuses | stale | longest (s) | recovery (s) | held |
| --- | --- | --- | --- | --- | --- | --- | --- |
"""


def write(results: Sequence[tuple[Fault, Outcome]], postgresql: str) -> None:
    """Write what happened; `postgresql` is the server's version."""
    before, _, rest = REPORT.read_text().partition(FROM)
    after = rest.partition(TO)[2]
    made = (
        f"Made on {datetime.now(UTC):%Y-%m-%d}: {os.cpu_count()} cores; Python {platform.python_version()}, "
        f"gunicorn {version('gunicorn')}, PostgreSQL {postgresql}.\n"
    )
    rows = "".join(_row(fault, outcome) for fault, outcome in results)
    REPORT.write_text(f"{before}{FROM}{made}{COLUMNS}{rows}{TO}{after}")


def _row(fault: Fault, outcome: Outcome) -> str:
    statuses = ", ".join(f"{status}: {number}" for status, number in sorted(outcome.statuses.items()))
    stale = sum(sample.cache == "STALE" for sample in outcome.samples)
    held = "no: " + "; ".join(outcome.failures).replace("|", " ") if outcome.failures else "yes"
    return (
        f"| **{fault.name}**: {fault.what} | {fault.expected} | {len(outcome.samples)} | {statuses} | {stale} | "
        f"{outcome.longest:.2f} | {outcome.recovery:.1f} | {held} |\n"
    )
