"""The page `/docs` in a real browser, under its content security policy: it takes a key and tries requests out."""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from fcntl import F_DUPFD, fcntl
from itertools import count
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest

from config import NO_SETTINGS
from tests.support.faulty_servers import free_port, wait_until
from tests.web.test_access import KEYS, pairs

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium here")

SWITCHES = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--remote-debugging-pipe",
    # Chromium's own requests to the outside, which a closed network answers late or never.
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]

PROFILE = "--user-data-dir"

WATCH = """
window.broken = [];
document.addEventListener("securitypolicyviolation", (e) => broken.push(`${e.violatedDirective} ${e.blockedURI}`));
window.addEventListener("error", (e) => broken.push(e.message));
window.fill = (field, text) => {
  // As typing does: React looks at the setter that it has put before this one.
  Object.getOwnPropertyDescriptor(HTMLInputElement.prototype, "value").set.call(field, text);
  field.dispatchEvent(new Event("input", {bubbles: true}));
};
"""


class Browser:
    """A page in Chromium, steered by the DevTools protocol over a pipe."""

    def __init__(self, folder: Path) -> None:
        commands, self._commands = os.pipe()
        self._replies, replies = os.pipe()
        assert CHROMIUM is not None
        # Chromium reads from descriptor 3 and writes to 4, which this process may have in use.
        moved = [fcntl(descriptor, F_DUPFD, 10) for descriptor in (commands, replies)]
        self._process = subprocess.Popen(
            [
                "bash",
                "-c",
                f'exec "$@" 3<&{moved[0]} 4>&{moved[1]}',
                "bash",
                CHROMIUM,
                *SWITCHES,
                f"{PROFILE}={folder}",
            ],
            pass_fds=moved,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        for descriptor in (commands, replies, *moved):
            os.close(descriptor)
        self._numbers = count(1)
        self._unread = b""
        self._session: str | None = None
        target = self.send("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.send("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        self.send("Page.enable")
        self.send("Page.addScriptToEvaluateOnNewDocument", source=WATCH)

    def send(self, method: str, **params: Any) -> Any:
        """The reply to a command; events in between are dropped."""
        number = next(self._numbers)
        command = {"id": number, "method": method, "params": params}
        if self._session is not None:
            command["sessionId"] = self._session
        os.write(self._commands, json.dumps(command).encode() + b"\0")
        while (reply := self._read()).get("id") != number:
            pass
        assert "error" not in reply, reply
        return reply["result"]

    def _read(self) -> Any:
        while b"\0" not in self._unread:
            chunk = os.read(self._replies, 1 << 16)
            assert chunk, "Chromium has ended"
            self._unread += chunk
        message, _, self._unread = self._unread.partition(b"\0")
        return json.loads(message)

    def run(self, script: str) -> Any:
        """The value of a script on the page."""
        reply = self.send("Runtime.evaluate", expression=script, returnByValue=True)
        assert "exceptionDetails" not in reply, reply
        return reply["result"].get("value")

    def wait(self, script: str, seconds: float = 60) -> Any:
        """The value of a script as soon as there is one."""
        deadline = time.monotonic() + seconds
        while not (value := self.run(script)):
            if time.monotonic() > deadline:
                raise TimeoutError(f"{script} in {seconds} s; the page shows: {self.run('document.body.innerText')}")
            time.sleep(0.05)
        return value

    def click(self, selector: str) -> None:
        self.wait(f"document.querySelector({selector!r}) !== null")
        self.run(f"document.querySelector({selector!r}).click()")

    def close(self) -> None:
        self._process.kill()
        self._process.wait()
        os.close(self._commands)
        os.close(self._replies)


@pytest.fixture
def browser(tmp_path: Path) -> Iterator[Browser]:
    browser = Browser(tmp_path)
    yield browser
    browser.close()


@pytest.fixture
def serve(database_url: str, tmp_path: Path) -> Iterator[Callable[..., str]]:
    """Serves with some settings; gives the URL."""
    servers = []

    def start(**settings: str) -> str:
        port = free_port()
        environ = NO_SETTINGS | {
            "PATH": os.environ["PATH"],
            "HOME": str(tmp_path),
            "SQLALCHEMY_DATABASE_URI": database_url,
        }
        with (tmp_path / "log").open("wb") as log:
            servers.append(
                subprocess.Popen(
                    [sys.executable, "-m", "gunicorn", "--bind", f"127.0.0.1:{port}"],
                    cwd=Path(__file__).parents[2],
                    env=environ | {"ALLOW_ANONYMOUS": "true"} | settings,
                    stdout=log,
                    stderr=log,
                )
            )
        url = f"http://127.0.0.1:{port}"
        wait_until(lambda: is_up(url), what="the start of gunicorn")
        return url

    yield start
    for server in servers:
        server.terminate()
        server.wait(30)


def is_up(url: str) -> bool:
    with suppress(OSError), urlopen(f"{url}/health", timeout=20) as answer:
        return bool(answer.status == 200)
    return False


def try_out(browser: Browser, operation: str, status: int) -> None:
    """Try a request out, and wait until Swagger UI shows the status of its answer."""
    settle(browser, f"#{operation}")
    browser.click(f"#{operation} .execute")
    shown = f"document.querySelector('#{operation} .live-responses-table tbody td.response-col_status')?.innerText"
    browser.wait(f"({shown} ?? '').startsWith('{status}')")


def settle(browser: Browser, selector: str) -> None:
    """Wait until an element stands still: Swagger UI loses a click that comes while it resolves the operation."""
    seen = None
    while seen != (seen := browser.run(f"document.querySelector({selector!r}).outerHTML")):
        time.sleep(1)


def test_the_page_takes_a_key_and_tries_requests_out(browser: Browser, serve: Callable[..., str]) -> None:
    url = serve(API_KEYS=pairs())
    browser.send("Page.navigate", url=f"{url}/docs")
    browser.wait("document.querySelectorAll('.opblock').length > 45")
    operation = "operations-Insights_Global-insights_global_total_listens"
    browser.click(f"#{operation} .opblock-summary-control")
    try_out(browser, operation, 401)
    browser.click(".scheme-container .authorize")
    browser.wait("document.querySelectorAll('.auth-container').length == 3")
    browser.run(f"fill(document.querySelector('.auth-container input'), {KEYS['airflow']!r})")
    browser.click(".auth-container .authorize")
    browser.click(".btn-done")
    try_out(browser, operation, 200)
    assert browser.run("broken") == []
    assert browser.run("getComputedStyle(document.querySelector('.opblock-summary-method')).fontWeight") == "700"


def test_the_policy_is_in_force(browser: Browser, serve: Callable[..., str]) -> None:
    browser.send("Page.navigate", url=f"{serve()}/docs")
    browser.wait("document.querySelectorAll('.opblock').length > 45")
    for attempt in (
        "document.body.appendChild(Object.assign(document.createElement('script'), {textContent: 'window.evil = 1'}))",
        "document.body.appendChild(Object.assign(document.createElement('img'), {src: 'https://evil.invalid/x.png'}))",
        "fetch('https://evil.invalid/').catch(() => 0)",
        "document.body.appendChild(Object.assign(document.createElement('iframe'), {src: '/health'}))",
    ):
        browser.run(f"broken.length = 0; {attempt}; 0")
        browser.wait("broken.length")
    assert browser.run("window.evil") is None
