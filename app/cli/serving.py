"""`flask run` and `python run.py`: the service on this machine, with a database of its own where none is named."""

import logging
import os
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from types import FrameType

import click
from flask import Flask
from flask.helpers import get_debug_flag
from sqlalchemy import Engine, func, select
from sqlalchemy.exc import SQLAlchemyError
from werkzeug.serving import is_running_from_reloader

from app.cli.demo import Size, fill
from app.cli.embedded.database import embedded_database, engine_for, is_empty, lock_builders
from app.cli.embedded.server import EmbeddedPostgres
from app.database import deadline
from app.models.history import History
from app.rollups.upkeep import upkeep

SEED = 20


def prepare_to_serve(context: click.Context, app: Flask, size: Size) -> None:
    """Bring what the service needs, for as long as the context of `flask run` lasts, and tell where it will be."""
    exit_on_signals()
    if not is_running_from_reloader():
        _check_port(context.params["host"], context.params["port"])
    embedded = app.config["EMBEDDED"]
    if embedded:
        context.with_resource(demo_database(app.extensions["embedded_postgres"], size))
    logging.getLogger("werkzeug").setLevel(logging.WARNING)  # the service logs its requests itself
    if not is_running_from_reloader():
        click.echo(_banner(app, f"http://{context.params['host']}:{context.params['port']}"))
    reloads = context.params["reload"]
    if is_running_from_reloader() or not (get_debug_flag() if reloads is None else reloads):
        ended = threading.Event()
        context.call_on_close(ended.set)  # before the database, which was brought earlier, is taken away
        deadline.install()
        # Somebody else's database, with rollups that somebody keeps, is only read here.
        upkeep.start(app, writes=embedded, ended=ended)


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


def _check_port(host: str, port: int) -> None:
    """Raise ClickException for a port that cannot be used, before anything slow begins."""
    try:
        socket.create_server((host, port)).close()
    except OSError as error:
        raise click.ClickException(
            f"Port {port} cannot be used ({os.strerror(error.errno or 0)}): set FLASK_RUN_PORT to another"
        ) from None


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
    explorer = f"  {url}/        everything that was listened to, as pictures\n" if app.config["EXPLORER"] else ""
    return f"""
songswap-insights serves {url}

{explorer}  {url}/docs    every request, to try in the browser
  {url}{insight}
  {url}/health

Ctrl-C stops it.
"""


def _first_user(app: Flask) -> int | None:
    """Somebody to show an insight of; None where nobody listens, or the database cannot be asked."""
    with suppress(SQLAlchemyError), engine_for(app.config["SQLALCHEMY_DATABASE_URI"]).connect() as connection:
        return connection.scalar(select(func.min(History.user_id)))
    return None
