"""What checks the code, on a contributor's machine and in CI: one list of tools, one Python."""

import json
import re
import subprocess
from pathlib import Path

import yaml

ROOT = Path(__file__).parent.parent


def test_the_hooks_of_pre_commit_run_what_make_lint_runs() -> None:
    # As an installed one, so that make has nothing to install.
    command = ["make", "--dry-run", "--assume-old=.venv/installed", "lint"]
    dry_run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    (repository,) = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"]
    entries = [hook["entry"] for hook in repository["hooks"]]
    assert entries == [line for line in dry_run.splitlines() if line.startswith(".venv/bin/")]
    assert {(hook["language"], hook["pass_filenames"]) for hook in repository["hooks"]} == {("system", False)}


def test_ci_and_the_development_container_have_the_python_of_the_image() -> None:
    (version,) = set(re.findall(r"/python:([\d.]+)-slim", (ROOT / "Dockerfile").read_text()))
    container = json.loads((ROOT / ".devcontainer/devcontainer.json").read_text())
    (job,) = yaml.safe_load((ROOT / ".github/workflows/ci.yml").read_text())["jobs"].values()
    versions = [step["with"]["python-version"] for step in job["steps"] if "python-version" in step.get("with", {})]
    assert versions == [version]
    assert container["image"].startswith(f"python:{version}-")
    assert job["steps"][-1] == {"run": ".ci/run"}
