"""Try the service in its image's root file system: `image_smoke.py ROOT INSPECTED`, as .ci/image-check calls it.

It runs as the image says (user, folder, environment, command), with a key, on a real PostgreSQL that has the demo data,
under the role of docs/role.sql.
"""

import hashlib
import http.client
import json
import re
import secrets
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

PROJECT = Path(__file__).parents[1]
sys.path.insert(0, str(PROJECT))

from app.cli.embedded.database import DATABASE  # noqa: E402
from app.cli.embedded.server import PORT, EmbeddedPostgres  # noqa: E402
from app.cli.serving import demo_database, exit_on_signals  # noqa: E402

ROLE = "songswap_insights"
# Of this machine alone, and not where another PostgreSQL would listen.
DATABASE_HOST = "127.0.0.54"
PATIENCE = 60  # seconds for the service to come up, and to end

# Fails where any folder can be written to.
WRITE_EVERYWHERE = """
import os, sys
for folder, _, _ in os.walk("/"):
    if not folder.startswith(("/proc", "/dev/shm")):
        try:
            open(os.path.join(folder, "written"), "w")
        except OSError:
            continue
        sys.exit(folder + " can be written to")
"""


class Image(NamedTuple):
    """A root file system, and how the image says to run what is in it."""

    root: str
    user: str
    folder: str
    environment: list[str]
    command: list[str]
    health_check: list[str]

    @classmethod
    def of(cls, root: str, inspected: str) -> "Image":
        config = json.loads(Path(inspected).read_text())["Docker"]["config"]
        health_check = config["Healthcheck"]["Test"][1:]  # after the word CMD
        return cls(root, config["User"], config["WorkingDir"], config["Env"], config["Cmd"], health_check)

    def start(self, command: list[str], **settings: str) -> "subprocess.Popen[bytes]":
        given = [f"{name}={value}" for name, value in settings.items()]
        program = Path(__file__).with_name("run-image")
        return subprocess.Popen([program, self.root, self.user, self.folder, *self.environment, *given, *command])


def main(root: str, inspected: str) -> None:
    """Raise AssertionError, which says what is wrong, where anything is."""
    exit_on_signals()
    image = Image.of(root, inspected)
    assert re.fullmatch(r"[1-9]\d+:[1-9]\d+", image.user), f"its user is {image.user}"
    assert image.start(["python", "-c", WRITE_EVERYWHERE]).wait() == 0, "its file system is not read-only"
    key = secrets.token_urlsafe()
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with _database() as uri:
        service = image.start(
            image.command,
            SQLALCHEMY_DATABASE_URI=uri,
            API_KEYS=f"smoke:{hashlib.sha256(key.encode()).hexdigest()}",
            FLASK_RUN_PORT=str(port),
            WEB_CONCURRENCY="2",
            LOG_LEVEL="WARNING",
        )
        try:
            _wait_until_up(service, port)
            _ask(port, key)
            assert image.start(image.health_check, FLASK_RUN_PORT=str(port)).wait() == 0, "its health check fails"
        finally:
            service.terminate()
            code = service.wait(PATIENCE)
    assert code == 0, f"it ended with {code}"


@contextmanager
def _database() -> Iterator[str]:
    """The URL of the demo data, for the role that may only read them."""
    with (
        EmbeddedPostgres.temporary({"fsync": "off", "listen_addresses": DATABASE_HOST}) as server,
        demo_database(server) as engine,
    ):
        with engine.begin() as connection, connection.connection.cursor() as cursor:
            cursor.execute((PROJECT / "docs" / "role.sql").read_text())
        yield f"postgresql://{ROLE}@{DATABASE_HOST}:{PORT}/{DATABASE}"


def _wait_until_up(service: "subprocess.Popen[bytes]", port: int) -> None:
    deadline = time.monotonic() + PATIENCE
    while service.poll() is None and time.monotonic() < deadline:
        try:
            _get(port, "/health")
        except ConnectionError:
            time.sleep(0.1)
        else:
            return
    raise AssertionError("the service did not come up")


def _ask(port: int, key: str) -> None:
    for path, given, status in (
        ("/health", None, 200),
        ("/ready", None, 200),
        ("/insights/top/tracks/1?limit=3", None, 401),
        ("/insights/top/tracks/1?limit=3", key, 200),
        ("/insights/global/summary", key, 200),
        ("/metrics", key, 200),
        ("/docs", None, 200),
        ("/docs/swagger-ui/swagger-ui.css", None, 200),
        ("/openapi.json", None, 200),
    ):
        found, body = _get(port, path, given)
        print(f"{found}  {len(body):7}  GET {path}{' with a key' if given else ''}")
        assert found == status, f"{path}: {body[:500]!r}"
    _, tracks = _get(port, "/insights/top/tracks/1?limit=3", key)
    assert len(json.loads(tracks)) == 3


def _get(port: int, path: str, key: str | None = None) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    try:
        connection.request("GET", path, headers={"Authorization": f"Bearer {key}"} if key else {})
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except AssertionError as error:
        sys.exit(f"The image is not as it should be: {error}")
    print("The image is as it should be.")
