"""`python -m postman.check`: send every request of the collection to the service, and check what it answers.

The service is gunicorn with a key, a secret and the demo data, on a free port of this machine alone; it ends with the
check. newman, which sends the requests, comes from npm.
"""

import hashlib
import http.client
import os
import secrets
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from app.cli.embedded.database import DATABASE
from app.cli.embedded.server import EmbeddedPostgres
from app.cli.serving import demo_database, exit_on_signals
from postman.generate import COLLECTION

HERE = Path(__file__).parent
NEWMAN = HERE / "node_modules" / ".bin" / "newman"
HOST = "127.0.0.1"
PATIENCE = 30  # seconds for the service to come up, and to end


def main() -> int:
    """Run newman, and give its exit code."""
    exit_on_signals()
    _install_newman()
    key, secret = secrets.token_urlsafe(), secrets.token_urlsafe()
    with EmbeddedPostgres.temporary({"fsync": "off"}) as server, demo_database(server):
        settings = {
            "SQLALCHEMY_DATABASE_URI": server.uri(DATABASE),
            "API_KEYS": f"newman:{hashlib.sha256(key.encode()).hexdigest()}",
            "CACHE_INVALIDATION_SECRET": secret,
            "EXPLORER": "true",
        }
        with _service(settings) as url:
            return _newman(baseUrl=url, apiKey=key, invalidationSecret=secret)


def _install_newman() -> None:
    npm = shutil.which("npm")
    if npm is None:
        sys.exit(
            "The Postman collection was not checked: newman needs Node.js 18 or newer with npm, and there is no npm."
        )
    installed = HERE / "node_modules" / ".package-lock.json"  # npm writes it last
    if not installed.exists() or installed.stat().st_mtime < (HERE / "package-lock.json").stat().st_mtime:
        subprocess.run([npm, "ci", "--no-progress"], cwd=HERE, check=True)


@contextmanager
def _service(settings: dict[str, str]) -> Iterator[str]:
    """The URL of the service with these settings and no others, up for the length of the block."""
    with socket.create_server((HOST, 0)) as free:
        port = free.getsockname()[1]
    with subprocess.Popen(
        [sys.executable, "gunicorn.conf.py", "--bind", f"{HOST}:{port}"],
        cwd=HERE.parent,
        # An empty setting is an unset one, and wins over a `.env`.
        env=os.environ | _no_settings() | settings | {"LOG_LEVEL": "WARNING"},
    ) as process:
        try:
            _wait_until_up(process, port)
            yield f"http://{HOST}:{port}"
        finally:
            process.terminate()
            process.wait(PATIENCE)


def _no_settings() -> dict[str, str]:
    lines = (HERE.parent / ".env.example").read_text().splitlines()
    return {line.removesuffix("="): "" for line in lines if line.endswith("=") and not line.startswith("#")}


def _wait_until_up(process: subprocess.Popen[bytes], port: int) -> None:
    deadline = time.monotonic() + PATIENCE
    while process.poll() is None and time.monotonic() < deadline:
        connection = http.client.HTTPConnection(HOST, port, timeout=PATIENCE)
        try:
            connection.request("GET", "/health")
            connection.getresponse()
        except ConnectionError:
            time.sleep(0.1)
        else:
            return
        finally:
            connection.close()
    sys.exit("The Postman collection was not checked: the service did not come up.")


def _newman(**variables: str) -> int:
    given = [word for name, value in variables.items() for word in ("--env-var", f"{name}={value}")]
    quiet = ["--reporter-cli-no-success-assertions", "--reporter-cli-no-banner", "--color", "off"]
    command: list[str | Path] = [NEWMAN, "run", COLLECTION, "--timeout-request", "10000", *quiet, *given]
    # Without proxies: the service is on this machine.
    environ = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
    return subprocess.run(command, env=environ, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
