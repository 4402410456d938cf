"""How gunicorn serves the API in production.

    gunicorn                     reads this file from the working directory
    python gunicorn.conf.py      the same, and checks WEB_CONCURRENCY before gunicorn itself trips over it

Flags (`--bind`, `--workers` ...) win over this file.
"""

import atexit
import gc
import os
import shutil
import signal
import sys
import tempfile
from functools import partial

from gunicorn.glogging import Logger

# By name: gunicorn takes every global here for a setting of its own, and one of those is called `config`.
from config import SettingsError, check_access, load_settings

# Here, before a worker exists: a wrong setting ends the start with one line, and there is nothing to start again.
try:
    settings = load_settings()
    check_access(settings)
except SettingsError as error:
    raise SystemExit(str(error)) from None

# A process of its own has a SimpleCache of its own, and `POST /cache/invalidate` reaches only one of them.
# So one worker, until the cache is one that all of them share.
workers = settings["WEB_CONCURRENCY"] or (2 if settings["CACHE_TYPE"] == "RedisCache" else 1)
# A request waits for the database most of its life and holds one connection: no more threads than the pool has
# (DATABASE_POOL_SIZE + DATABASE_MAX_OVERFLOW), or they wait for each other.
threads = settings["GUNICORN_THREADS"]

# Workers write what they count to files of a directory of this server's own, and the one that `/metrics` reaches adds
# them up. It has to be named before the app imports prometheus_client; SIGHUP reads this file again, and keeps it.
# What is made there has no name that another process could take.
MEMORY = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None  # nosec B108
if "prometheus_client" not in sys.modules:
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = tempfile.mkdtemp(prefix="songswap-insights-metrics-", dir=MEMORY)
    atexit.register(
        # Where the server ends, and not where a worker does.
        lambda server, folder: os.getpid() == server and shutil.rmtree(folder, ignore_errors=True),
        os.getpid(),
        os.environ["PROMETHEUS_MULTIPROC_DIR"],
    )

wsgi_app = "app:create_app()"
bind = f"0.0.0.0:{settings['FLASK_RUN_PORT']}"
# Gunicorn's gthread, whose threads a few slow clients could hold.
worker_class = "app.worker.Worker"

# Load the app once, before the fork: workers share its memory, and an app that cannot load fails the start at once.
# The price is that SIGHUP does not load new code; a container is replaced, not reloaded.
preload_app = True

# Longer than the 60 seconds that a load balancer keeps an idle connection (ALB's default). Were it shorter, the
# balancer would at times send a request down a connection that is just being closed, and answer 502.
# A waiting connection costs a gthread worker a file descriptor, not a thread.
keepalive = 75
# For a worker that hangs as a whole. gthread beats its heart beside the requests, so this does not cut long ones;
# DATABASE_STATEMENT_TIMEOUT does.
timeout = 30
# What a request in flight gets at SIGTERM. Less than the 30 seconds after which ECS kills; `docker stop` waits for
# only 10 unless told `--time 30`.
graceful_timeout = 25
# The heartbeat is a file. On a disk (or an overlay file system) writing it can block a worker until it looks dead.
worker_tmp_dir = MEMORY

# What clients are promised: request lines up to 8,190 bytes are taken, longer ones are a 414. It is gunicorn's maximum.
limit_request_line = 8190
# A balancer adds a handful of headers to a client's dozen.
limit_request_fields = 64

# Nothing here leaks, and a new worker begins with an empty SimpleCache.
max_requests = 0

# Gunicorn 27 would open a socket that takes commands, under the home directory. A container is steered by signals.
control_socket_disable = True

# `forwarded_allow_ips` stays at gunicorn's 127.0.0.1: no answer depends on the scheme (links begin with `/`). What the
# client's address is, TRUSTED_PROXIES tells the app.

# The app logs one line for each request, with its id; a second one would only cost.
accesslog = None
errorlog = None
loglevel = settings["LOG_LEVEL"].lower()


def _one_line(kind, error, traceback):
    print(error, file=sys.stderr) if issubclass(kind, SettingsError) else sys.__excepthook__(kind, error, traceback)


# Nor does create_app() need a traceback to say what is wrong with a setting.
sys.excepthook = _one_line


class logger_class(Logger):  # gunicorn looks for this name
    """Gunicorn's own messages join the app's: the root logger writes them as JSON (app/logs.py)."""

    def setup(self, cfg):
        super().setup(cfg)
        self.error_log.propagate = True
        self.error_log.addFilter(_without_requests)


def _without_requests(record):
    """Keep out of the logs what a caller sent: a query string or a header may hold anything, a key too."""
    kind = type(sys.exc_info()[1]).__name__
    # Gunicorn's own worker classes say these, where a flag names one.
    if str(record.msg).startswith("Invalid request from ip="):
        record.msg = f"Invalid request: {kind}"
    elif str(record.msg).startswith("Error handling request"):
        record.msg, record.args = "Error handling request", ()
    elif record.levelname == "DEBUG" and any(isinstance(value, Exception) for value in record.args or ()):
        record.args = (kind,)  # the text of these quotes the request
    return True


def on_starting(server):
    if workers > 1 and settings["CACHE_TYPE"] == "SimpleCache":
        server.log.warning(
            "WEB_CONCURRENCY is %d and CACHE_TYPE is SimpleCache: POST /cache/invalidate clears one worker of them; "
            "set CACHE_TYPE=RedisCache",
            workers,
        )


STOPS = {signal.SIGTERM, signal.SIGINT, signal.SIGQUIT}


def when_ready(server):
    # What is loaded by now lives as long as the process. Out of the collector's sight it stays in memory that all
    # workers share, and they end in a tenth of the time.
    gc.freeze()
    # A worker that is told to stop between its fork and its being ready for signals would miss it, and be waited for
    # until `graceful_timeout`. So they wait, in either process, until they are heard.
    os.register_at_fork(
        before=lambda: signal.pthread_sigmask(signal.SIG_BLOCK, STOPS),
        after_in_parent=lambda: signal.pthread_sigmask(signal.SIG_UNBLOCK, STOPS),
    )
    server.handle_term = partial(_end, server, server.handle_term)


def _end(server, end):
    """Stop, and let no connection begin from now on; unless another server has the same socket and goes on."""
    from app.syn_filter import take_no_more

    if server.reexec_pid == server.master_pid == 0 and not server.systemd:
        for listener in server.LISTENERS:
            take_no_more(listener)
    end()


def post_worker_init(worker):
    from app.rollups import upkeep

    upkeep.start(worker.app.wsgi(), writes=True)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, STOPS)


def post_fork(server, _worker):
    # Two processes must not talk on one connection. Nothing should have opened any before the fork, but if a line in
    # create_app() ever does, each worker still begins with an empty pool; close=False leaves the parent's alone.
    app = server.app.wsgi()
    with app.app_context():
        for engine in app.extensions["sqlalchemy"].engines.values():
            engine.dispose(close=False)


def pre_request(_worker, _request):
    pass  # gunicorn's own writes the path to the log, at DEBUG


def child_exit(_server, worker):
    # What a worker held when it died (connections) is no longer held; what it had counted stays counted.
    from prometheus_client.multiprocess import mark_process_dead

    mark_process_dead(worker.pid)


if __name__ == "__main__":
    # Gunicorn reads this one itself, on import, and falls over an empty one.
    os.environ["WEB_CONCURRENCY"] = str(workers)

    from gunicorn.app.wsgiapp import run

    run()
