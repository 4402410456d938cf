"""A real browser: Debian's Chromium, or another that is installed, steered by Playwright."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")

AXE = Path(__file__).parents[2] / "app/page/node_modules/axe-core/axe.min.js"

needs_axe = pytest.mark.skipif(not AXE.exists(), reason="npm has not installed axe-core (make lint does)")
needs_chromium = pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium here (Debian: apt install chromium)")


@contextmanager
def chromium() -> Iterator[Browser]:
    """A running Chromium, closed at the end of the block."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


def hindrances(page: Page) -> list[tuple[str, list[str]]]:
    """What axe finds that hinders people seriously: its rule, and where."""
    page.evaluate(AXE.read_text() + "; 0")
    found = page.evaluate("axe.run()")["violations"]
    return [
        (it["id"], [node["html"][:120] for node in it["nodes"][:3]])
        for it in found
        if it["impact"] in ("serious", "critical")
    ]
