"""How gunicorn serves the API in production, behind a proxy that buffers requests (docs/operations.md).

`gunicorn` reads this file from the working directory, and flags (`--bind` …) win over it. `python gunicorn.conf.py`
does the same, and also takes an empty WEB_CONCURRENCY.
"""

import gc
import os
import socket
from contextlib import suppress
from itertools import count

from config import SHARED_CACHES, SettingsError, check_access, check_database, load_settings

# Before a worker exists: a wrong setting ends the start with one line.
try:
    settings = load_settings()
    check_access(settings)
    check_database(settings)
except SettingsError as error:
    raise SystemExit(str(error)) from None

# Memory, where there is some: a heartbeat on a disk can block a worker until it looks dead.
worker_tmp_dir = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None  # nosec B108

wsgi_app = "app:create_app()"


def any_address():
    """Every address of this machine: in a container the network decides who reaches it."""
    with suppress(OSError), socket.socket(socket.AF_INET6) as trial:
        trial.bind(("::", 0))
        if not trial.getsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY):
            return "[::]"  # IPv4, too
    return "0.0.0.0"  # nosec B104


bind = f"{any_address()}:{settings['FLASK_RUN_PORT']}"
worker_class = "gthread"
# A SimpleCache is each worker's own, and `POST /cache/invalidate` reaches only one of them.
workers = settings["WEB_CONCURRENCY"] or (2 if settings["CACHE_TYPE"] in SHARED_CACHES else 1)
# Processes that count for /metrics: during a reload the old workers and the new ones, and gunicorn's own process.
os.environ["METRICS_PROCESSES"] = str(2 * workers + 1)
# No more than the pool has connections, or threads wait for each other.
threads = settings["GUNICORN_THREADS"]
# Load the app before the fork: workers share its memory, and an app that cannot load fails the start.
preload_app = True
# Seconds; longer than the 60 that a load balancer keeps an idle connection, or it sends requests down closed ones.
keepalive = 75
# Seconds without a heartbeat. Long requests do not stop it; DATABASE_STATEMENT_TIMEOUT ends those.
timeout = 30
# Seconds for requests in flight at SIGTERM; less than the 30 after which ECS kills.
graceful_timeout = 25
# Bytes; gunicorn's maximum. A longer line is a 414.
limit_request_line = 8190
# A client's dozen headers, and those that proxies add.
limit_request_fields = 64
# No header stands for a part of the path, and none for the scheme: by default those of a proxy on this machine do
# (SCRIPT_NAME, PATH_INFO, X-Forwarded-Proto …). The app itself reads what TRUSTED_PROXIES add.
forwarder_headers = ""
secure_scheme_headers = {}
# Gunicorn would open a socket for commands under the home directory.
control_socket_disable = True
# The app logs one line for each request; gunicorn's own messages go to the root logger.
accesslog = errorlog = None
loglevel = settings["LOG_LEVEL"].lower()
logger_class = "app.telemetry.gunicorn.GunicornLogger"


def on_starting(server):
    if workers > 1 and settings["CACHE_TYPE"] == "SimpleCache":
        server.log.warning("POST /cache/invalidate clears one worker of %d: CACHE_TYPE is SimpleCache", workers)
    from app.telemetry import processes

    if not processes.folder:
        server.log.warning("No space for metrics: each worker counts for itself, and /metrics shows one of them")


def pre_fork(server, worker):
    taken = {other.number for other in server.WORKERS.values()}
    worker.number = next(number for number in count(1) if number not in taken)


def post_fork(server, worker):
    from app.telemetry import processes

    processes.number = worker.number
    # Memory that nobody writes to stays shared.
    gc.freeze()
    # Two processes must not talk on one connection; close=False leaves the parent's alone.
    app = server.app.wsgi()
    with app.app_context():
        for engine in app.extensions["sqlalchemy"].engines.values():
            engine.dispose(close=False)


def post_worker_init(worker):
    from app.archive import nightly as exports
    from app.database import deadline
    from app.rollups.upkeep import upkeep
    from app.taste import nightly as models

    deadline.install()
    upkeep.start(worker.app.wsgi(), writes=True)
    models.start(worker.app.wsgi())
    exports.start(worker.app.wsgi())


def child_exit(_server, worker):
    from app.telemetry import processes

    processes.end(worker.number)


def on_exit(_server):
    from app.telemetry import processes

    processes.remove(processes.folder)


if __name__ == "__main__":
    # Gunicorn reads this one by itself on import, and fails on an empty one.
    os.environ["WEB_CONCURRENCY"] = str(workers)

    from gunicorn.app.wsgiapp import run

    run()
