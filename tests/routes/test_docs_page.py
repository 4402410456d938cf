"""The page `/docs` in a real browser, under its content security policy: it takes a key and tries requests out."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.support.browser import chromium, needs_chromium
from tests.support.faulty_servers import wait_until
from tests.support.servers import Start, starting
from tests.web.test_access import KEYS, pairs

pytestmark = needs_chromium

PATIENCE = 60_000  # ms; on a busy machine

WATCH = """
window.broken = [];
document.addEventListener("securitypolicyviolation", (e) => broken.push(`${e.violatedDirective} ${e.blockedURI}`));
window.addEventListener("error", (e) => broken.push(e.message));
"""


@pytest.fixture
def page() -> Iterator[Page]:
    """A page that notes what goes wrong on it, as `broken`."""
    with chromium() as browser:
        page = browser.new_page()
        page.set_default_timeout(PATIENCE)
        page.add_init_script(WATCH)
        yield page


@pytest.fixture
def start(database_url: str, tmp_path: Path) -> Iterator[Start]:
    with starting(tmp_path, database_url) as start:
        yield start


def show(page: Page, port: int) -> None:
    """Open the page, and wait for its operations."""
    page.goto(f"http://127.0.0.1:{port}/docs")
    wait_until(lambda: page.locator(".opblock").count() > 45, 60, "the operations")


def try_out(page: Page, operation: str, status: int) -> None:
    """Try a request out, and wait until Swagger UI shows the status of its answer."""
    settle(page, f"#{operation}")
    page.click(f"#{operation} .execute")
    shown = page.locator(f"#{operation} .live-responses-table tbody td.response-col_status")
    expect(shown).to_contain_text(str(status), timeout=PATIENCE)


def settle(page: Page, selector: str) -> None:
    """Wait until an element stands still: Swagger UI loses a click that comes while it resolves the operation."""
    seen = None
    while seen != (seen := page.locator(selector).evaluate("element => element.outerHTML")):
        time.sleep(1)


def test_the_page_takes_a_key_and_tries_requests_out(page: Page, start: Start) -> None:
    show(page, start(API_KEYS=pairs()).port)
    operation = "operations-Insights_Global-insights_global_total_listens"
    page.click(f"#{operation} .opblock-summary-control")
    try_out(page, operation, 401)
    page.click(".scheme-container .authorize")
    expect(page.locator(".auth-container")).to_have_count(3, timeout=PATIENCE)
    page.locator(".auth-container input").first.fill(KEYS["airflow"])
    page.locator(".auth-container .authorize").first.click()
    page.click(".btn-done")
    try_out(page, operation, 200)
    assert page.evaluate("broken") == []
    weight = "getComputedStyle(document.querySelector('.opblock-summary-method')).fontWeight"
    assert page.evaluate(weight) == "700"


def test_the_policy_is_in_force(page: Page, start: Start) -> None:
    show(page, start().port)
    for attempt in (
        "document.body.appendChild(Object.assign(document.createElement('script'), {textContent: 'window.evil = 1'}))",
        "document.body.appendChild(Object.assign(document.createElement('img'), {src: 'https://evil.invalid/x.png'}))",
        "fetch('https://evil.invalid/').catch(() => 0)",
        "document.body.appendChild(Object.assign(document.createElement('iframe'), {src: '/health'}))",
    ):
        page.evaluate(f"() => {{ broken.length = 0; {attempt}; }}")
        wait_until(lambda: page.evaluate("broken.length"), 60, attempt)
    assert page.evaluate("window.evil") is None
