"""`flask embedded`: look after the embedded PostgreSQL."""

import os
import signal
import time

import click
from flask import current_app
from flask.cli import AppGroup

from app.cli.database import DATABASE
from app.cli.embedded import EmbeddedPostgres

PATIENCE = 20  # seconds for the processes that use the server to end

embedded = AppGroup("embedded", help="Look after the embedded PostgreSQL.")


def _server() -> EmbeddedPostgres:
    server: EmbeddedPostgres = current_app.extensions["embedded_postgres"]
    return server


@embedded.command()
def status() -> None:
    """Show whether it runs, for whom, and where its data is."""
    server = _server()
    users = ", ".join(map(str, sorted(server.other_users()))) or "none"
    click.echo(f"server    {f'process {server.pid}' if server.running else 'not running'}")
    click.echo(f"used by   {users}")
    click.echo(f"data      {server.data if server.data.exists() else 'none'}")
    # In the form that both psql and SQLALCHEMY_DATABASE_URI take.
    click.echo(f"database  {server.uri(DATABASE).replace('+psycopg2', '', 1)}")


@embedded.command()
def stop() -> None:
    """Stop it, and whatever serves from it: `make run` in another terminal, or what a killed one left behind."""
    click.echo("Stopped." if _stop(_server()) else "The embedded PostgreSQL is not running.")


@embedded.command()
@click.confirmation_option(prompt="Delete the embedded database and everything in it?")
def reset() -> None:
    """Stop it and delete its data. The next `make run` fills it again."""
    server = _server()
    _stop(server)
    server.remove()
    click.echo("Deleted.")


def _stop(server: EmbeddedPostgres) -> bool:
    """Ask the server's users to end, give them time, and stop it; True where there was anything to stop."""
    running = server.running
    for pid in server.other_users():
        os.kill(pid, signal.SIGTERM)
    deadline = time.monotonic() + PATIENCE
    while server.other_users() and time.monotonic() < deadline:
        time.sleep(0.05)
    server.stop()
    return running
