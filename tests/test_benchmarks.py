"""The benchmarks: that they still run, and ask about everything."""

import json
import os
import subprocess
import sys
from datetime import datetime
from pathlib import Path

import pytest
from flask import Flask

from benchmarks.questions import questions
from benchmarks.service import ROOT
from benchmarks.targets import rows

END = datetime(2026, 11, 23, 8)


@pytest.mark.thorough
def test_a_quick_run_measures_everything_and_writes_its_report(server_url: str, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "benchmarks", "--quick", "--sizes", "10000,20000", "--output", str(tmp_path)]

    done = subprocess.run(
        command, cwd=ROOT, env=os.environ | {"BENCH_DATABASE_URL": server_url}, capture_output=True, text=True
    )

    assert done.returncode == 0, done.stdout + done.stderr
    results = json.loads((tmp_path / "results.json").read_text())
    assert len(rows(results)) == 19
    assert all(comparison["same"] for comparison in results["plain"]), results["plain"]
    assert results["verified"]
    assert all(load["deadlocks"] == 0 for load in results["writing"].values())
    assert "| target |" in (tmp_path / "README.md").read_text()
    assert (tmp_path / "chart.svg").read_text().startswith("<svg")


def test_every_insight_is_asked_for(app: Flask) -> None:
    asked = {question.path.partition("?")[0] for quick in (True, False) for question in questions(END, quick=quick)}
    ids = {"typical": 1, "other": 2, "heaviest": 3, "track": "t", "artist": "a"}
    urls = app.url_map.bind("localhost")

    found = {urls.match(path.format(**ids))[0] for path in asked}

    assert found >= {rule.endpoint for rule in app.url_map.iter_rules() if rule.rule.startswith("/insights/")}
