"""`python run.py`: the service on this machine, with a database of its own where none is named."""

import os
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from datetime import UTC, datetime
from types import FrameType
from typing import NoReturn

from flask import Flask
from sqlalchemy import Engine, func, select
from sqlalchemy.exc import SQLAlchemyError
from werkzeug.serving import WSGIRequestHandler, is_running_from_reloader, make_server, run_simple

from app import create_app, deadline
from app.cli.binaries import EmbeddedPostgresError
from app.cli.database import (
    DATABASE,
    embedded_database,
    embedded_server,
    engine_for,
    is_embedded,
    is_empty,
    lock_builders,
)
from app.cli.demo import Size, fill
from app.cli.embedded import EmbeddedPostgres
from app.models.history import History
from app.rollups import upkeep
from config import SettingsError, load_settings

HOST = "127.0.0.1"
SEED = 20

WRONG_SETTING = 2  # exit codes
CANNOT_SERVE = 1


class _RequestHandler(WSGIRequestHandler):
    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Nothing: the service logs its requests itself."""

    def version_string(self) -> str:
        return "songswap-insights"  # no versions for a scanner to look up


def main(server: EmbeddedPostgres | None = None, size: Size | None = None) -> None:
    """Serve until a signal comes. `server` and `size` are the embedded database and the demo data to put into it."""
    exit_on_signals()
    try:
        _serve(server or embedded_server(), size or Size())
    except SettingsError as error:
        _fail(str(error), WRONG_SETTING)
    except EmbeddedPostgresError as error:
        _fail(error.message, CANNOT_SERVE)


def exit_on_signals() -> None:
    """Let the first of SIGINT, SIGTERM and SIGHUP end the process in good order, and further ones not disturb it."""
    signals = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

    def leave(_number: int, _frame: FrameType | None) -> None:
        for number in signals:
            signal.signal(number, signal.SIG_IGN)
        raise SystemExit(0)

    for number in signals:
        signal.signal(number, leave)


@contextmanager
def demo_database(server: EmbeddedPostgres, size: Size | None = None) -> Iterator[Engine]:
    """The embedded database, up for the length of the block; filled with demo data where it has no users and no tracks.

    A database that already has data therefore keeps it, and gets no demo data.
    """
    with embedded_database(server) as engine:
        _fill_if_empty(engine, size or Size())
        yield engine


def _serve(server: EmbeddedPostgres, size: Size) -> None:
    settings = load_settings()
    port = settings["FLASK_RUN_PORT"]
    if is_running_from_reloader():
        # The parent process holds the database, and has put its address into the environment.
        app = create_app(settings)
        deadline.install()
        upkeep.start(app, writes=is_embedded(server, settings))
        _serve_reloading(app, port)
        return
    with ExitStack() as stack:
        listener = stack.enter_context(_listen(port))
        if not settings["SQLALCHEMY_DATABASE_URI"]:
            stack.enter_context(demo_database(server, size))
            settings["SQLALCHEMY_DATABASE_URI"] = server.uri(DATABASE)
        app = create_app(settings)
        print(_banner(app, f"http://{HOST}:{port}"), flush=True)
        if settings["DEBUG"]:
            listener.close()
            os.environ["SQLALCHEMY_DATABASE_URI"] = settings["SQLALCHEMY_DATABASE_URI"]
            _serve_reloading(app, port)
        else:
            ended = threading.Event()
            stack.callback(ended.set)  # before there is anything to end, for a signal may come any time
            deadline.install()
            upkeep.start(app, writes=is_embedded(server, settings), ended=ended)
            make_server(
                HOST, port, app, threaded=True, request_handler=_RequestHandler, fd=listener.fileno()
            ).serve_forever()


def _serve_reloading(app: Flask, port: int) -> None:
    run_simple(HOST, port, app, threaded=True, use_reloader=True, use_debugger=True, request_handler=_RequestHandler)


def _listen(port: int) -> socket.socket:
    """Take the port before anything slow begins; callers wait until the service is up."""
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((HOST, port))
        listener.listen(128)
    except OSError as error:
        listener.close()
        _fail(f"Port {port} cannot be used ({error.strerror}): set FLASK_RUN_PORT to another", CANNOT_SERVE)
    return listener


def _fill_if_empty(engine: Engine, size: Size) -> None:
    with engine.begin() as connection:
        lock_builders(connection)
        if not is_empty(connection):
            return
        with _progress("Making demo data") as advance:
            fill(connection, size, SEED, datetime.now(UTC).replace(tzinfo=None), advance)
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql("VACUUM (ANALYZE)")  # the planner has no statistics on the new rows


@contextmanager
def _progress(title: str) -> Iterator[Callable[[float], None]]:
    from rich.progress import Progress  # production has neither this nor demo data

    with Progress() as progress:
        task = progress.add_task(title, total=1.0)
        yield lambda done: progress.update(task, completed=done)


def _banner(app: Flask, url: str) -> str:
    first_user = _first_user(app)
    insight = f"/insights/top/tracks/{first_user}?limit=3" if first_user else "/insights/global/top/tracks?limit=3"
    return f"""
songswap-insights serves {url}

  {url}/docs    every request, to try in the browser
  {url}{insight}
  {url}/health

Ctrl-C stops it.
"""


def _first_user(app: Flask) -> int | None:
    """Somebody to show an insight of; None where nobody listens, or the database cannot be asked."""
    with suppress(SQLAlchemyError), engine_for(app.config["SQLALCHEMY_DATABASE_URI"]).connect() as connection:
        return connection.scalar(select(func.min(History.user_id)))
    return None


def _fail(message: str, code: int) -> NoReturn:
    print(f"Error: {message}", file=sys.stderr)
    raise SystemExit(code)
