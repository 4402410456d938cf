"""How gunicorn serves the API in production, behind a proxy that buffers requests (docs/operations.md).

`gunicorn` reads this file from the working directory, and flags (`--bind` …) win over it. `python gunicorn.conf.py`
does the same, and also takes an empty WEB_CONCURRENCY.
"""

import gc
import os
import shutil
import socket
import sys
import tempfile
from contextlib import suppress

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
# Workers write their metrics here, and whichever is scraped adds them up. prometheus_client reads the name on import;
# SIGHUP reads this file again, and keeps the directory.
if "prometheus_client" not in sys.modules and __name__ != "__main__":
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = tempfile.mkdtemp(prefix="songswap-insights-metrics-", dir=worker_tmp_dir)

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


def post_fork(server, _worker):
    # Memory that nobody writes to stays shared.
    gc.freeze()
    # Two processes must not talk on one connection; close=False leaves the parent's alone.
    app = server.app.wsgi()
    with app.app_context():
        for engine in app.extensions["sqlalchemy"].engines.values():
            engine.dispose(close=False)


def post_worker_init(worker):
    from app.database import deadline
    from app.rollups.upkeep import upkeep

    deadline.install()
    upkeep.start(worker.app.wsgi(), writes=True)


def child_exit(_server, worker):
    # Connections that the worker held are no longer held; what it counted stays.
    from prometheus_client.multiprocess import mark_process_dead

    mark_process_dead(worker.pid)


def on_exit(_server):
    shutil.rmtree(os.environ["PROMETHEUS_MULTIPROC_DIR"], ignore_errors=True)


if __name__ == "__main__":
    # Gunicorn reads this one by itself on import, and fails on an empty one.
    os.environ["WEB_CONCURRENCY"] = str(workers)

    from gunicorn.app.wsgiapp import run

    run()
