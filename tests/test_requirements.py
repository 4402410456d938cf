"""The locked requirements: what the .in files ask for, each package at one version with hashes, from no given index."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parent.parent
FILES = ["requirements", "requirements-batch", "requirements-dev"]


def asked(name: str) -> list[Requirement]:
    lines = (ROOT / f"{name}.in").read_text().splitlines()
    return [Requirement(line) for line in lines if line and line[0] not in "#-"]


def locked(text: str) -> dict[str, set[tuple[str, str]]]:
    """The pins of each package, with their markers: most have one, and those that differ by platform have several."""
    pins: dict[str, set[tuple[str, str]]] = {}
    for line in re.findall(r"^[A-Za-z0-9][^\\\n]*", text, re.MULTILINE):
        requirement = Requirement(line)
        pins.setdefault(canonicalize_name(requirement.name), set()).add(
            (str(requirement.specifier), str(requirement.marker or ""))
        )
    return pins


@pytest.mark.parametrize("name", FILES)
def test_each_requirement_is_locked_at_the_version_that_is_asked_for(name: str) -> None:
    pins = locked((ROOT / f"{name}.txt").read_text())
    for requirement in asked(name):
        assert re.fullmatch(r"==[\w.]+", str(requirement.specifier)), requirement
        assert {specifier for specifier, _ in pins[canonicalize_name(requirement.name)]} == {str(requirement.specifier)}


@pytest.mark.parametrize("name", FILES)
def test_each_locked_package_has_one_exact_version_and_hashes(name: str) -> None:
    text = (ROOT / f"{name}.txt").read_text().replace("\\\n", "")
    for line in text.splitlines():
        if line.strip() and not line.lstrip().startswith("#"):
            assert re.fullmatch(r"[\w.-]+==[\w.]+( ; [^\\]+?)?(\s+--hash=sha256:[0-9a-f]{64})+", line), line[:80]


@pytest.mark.parametrize("name", FILES)
def test_a_locked_file_names_no_index_and_no_folder(name: str) -> None:
    assert not re.search(r"://|index-url|find-links|(?<![\w.])/\w", (ROOT / f"{name}.txt").read_text())


def test_the_tests_run_on_the_versions_that_the_image_gets() -> None:
    runtime, batch, development = (locked((ROOT / f"{name}.txt").read_text()) for name in FILES)
    assert {package: batch.get(package) for package in runtime} == runtime
    assert {package: development.get(package) for package in batch} == batch


@pytest.mark.thorough
def test_locking_again_changes_no_version(tmp_path: Path) -> None:
    """Versions alone: a release may get more wheels later, and so more hashes."""
    for name in FILES:
        for suffix in (".in", ".txt"):
            shutil.copy(ROOT / f"{name}{suffix}", tmp_path)
    for name in FILES:
        before = (ROOT / f"{name}.txt").read_text()
        arguments = before.splitlines()[1].removeprefix("#    uv ").split()  # the command that `make lock` has given
        done = subprocess.run(
            [Path(sys.executable).parent / "uv", *arguments, "--quiet"],
            cwd=tmp_path,
            env=os.environ | {"UV_HTTP_TIMEOUT": "10", "UV_HTTP_RETRIES": "0"},
            capture_output=True,
            text=True,
            check=False,
        )
        if re.search("failed to fetch|error sending request", done.stderr, re.IGNORECASE):
            pytest.skip("no package index can be reached from here")
        assert done.returncode == 0, done.stderr
        assert locked((tmp_path / f"{name}.txt").read_text()) == locked(before), "make lock"
