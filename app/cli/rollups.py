"""`flask rollups`: install, rebuild, verify, look at and uninstall the rollups, on an operator's word."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import perf_counter
from typing import Any

import click
from flask import current_app
from flask.cli import AppGroup, with_appcontext
from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from app.cli.embedded.database import database_of_command
from app.database.engine import direct_engine
from app.rollups.installation import install as installation
from app.rollups.installation.indexes import build_indexes
from app.rollups.spans import Span
from app.rollups.state import IS_CURRENT, read
from app.rollups.upkeep.building import build_at_once, describe, start_anew
from app.rollups.upkeep.folding import fold
from app.rollups.upkeep.transactions import snapshot, the_only_writer
from app.rollups.upkeep.verification import differences

rollups = AppGroup("rollups", help="Counts kept next to the platform's tables, so that insights take milliseconds.")


@contextmanager
def _database() -> Iterator[Engine]:
    """The database itself, past a pooler; the embedded one is up for as long as this takes."""
    with database_of_command():
        engine = direct_engine(current_app.config)
        try:
            yield engine
        except SQLAlchemyError as error:
            raise click.ClickException(str(getattr(error, "orig", None) or error).strip()) from None
        finally:
            engine.dispose()


@contextmanager
def _writer() -> Iterator[Connection]:
    """The connection that alone may write the rollups: a second operator waits for the first, and for the service."""
    with _database() as engine, _connect(engine) as connection, the_only_writer(connection):
        yield connection


def _connect(engine: Engine) -> Connection:
    return engine.connect().execution_options(isolation_level="AUTOCOMMIT")


@contextmanager
def _progress() -> Iterator[Callable[[str], None]]:
    """Says what is done, and how long it took."""
    begun: list[tuple[str, float]] = []

    def end() -> None:
        if begun:
            click.echo(f"{perf_counter() - begun.pop()[1]:7.1f} s")

    def tell(what: str) -> None:
        end()
        click.echo(f"{what} … ", nl=False)
        begun.append((what, perf_counter()))

    yield tell
    end()


def _now() -> Any:
    return current_app.config["CLOCK"]()


@rollups.command()
@with_appcontext
def install() -> None:
    """Install and build what is missing, while the platform keeps writing."""
    with _writer() as connection, _progress() as tell:
        installation.install(connection, tell)
        build_indexes(connection, tell)
        if not connection.scalar(
            text("SELECT trusted AND NOT EXISTS (SELECT FROM insights.truncations) FROM insights.state")
        ):
            start_anew(connection)
        build_at_once(connection, _now, tell)
    click.echo("The rollups are installed.")


@rollups.command()
@click.option("--resume", is_flag=True, help="Go on with a build that was broken off, rather than begin again.")
@with_appcontext
def rebuild(resume: bool) -> None:
    """Build all rollups again, from the live tables."""
    with _writer() as connection, _progress() as tell:
        _require_installation(connection)
        if not resume:
            tell("forgetting what there is")
            start_anew(connection)
        build_at_once(connection, _now, tell)
    click.echo("The rollups are built.")


@rollups.command()
@with_appcontext
def verify() -> None:
    """Compare the rollups with the live tables; exit code 1 where they differ."""
    with _writer() as connection, _progress() as tell:
        _require_installation(connection)
        with snapshot(connection):
            found = list(differences(connection, tell))
    for difference in found:
        click.echo(difference, err=True)
    if found:
        raise SystemExit(1)
    click.echo("The rollups are what the live tables say.")


@rollups.command("fold")
@with_appcontext
def fold_now() -> None:
    """Fold in the changes that wait; the service does it by itself."""
    with _writer() as connection:
        _require_installation(connection)
        with snapshot(connection):
            changes = fold(connection)
    click.echo(f"{changes} changes folded in.")


@rollups.command()
@with_appcontext
def status() -> None:
    """Show what is installed, built and waiting."""
    with _database() as engine, Session(engine) as session:
        state = read(session)
        if state is None:
            click.echo("The rollups are not installed, or of an older version: flask rollups install")
            return
        connection = session.connection()
        complete = installation.is_complete(connection)
        click.echo(f"triggers  {'all on' if complete else 'missing or switched off: flask rollups install'}")
        click.echo(f"trusted   {'yes' if state.distrust is None else f'no, {state.distrust}: flask rollups rebuild'}")
        click.echo(f"slots     {'built' if state.has_slots else 'not built'}")
        for row in connection.execute(text("SELECT starts, ends FROM insights.windows ORDER BY ends - starts, ends")):
            click.echo(f"window    {describe(Span(row.starts, row.ends))}")
        waiting = connection.scalar(text("SELECT count(*) FROM insights.listen_changes"))
        click.echo(f"waiting   {waiting} changes of listens")


@rollups.command()
@with_appcontext
def uninstall() -> None:
    """Take the rollups, their triggers and indexes away: the database is as it was before."""
    with _writer() as connection, _progress() as tell:
        installation.uninstall(connection, tell)
    click.echo("The rollups are uninstalled.")


def _require_installation(connection: Connection) -> None:
    if not connection.scalar(IS_CURRENT) or not installation.is_complete(connection):
        raise click.ClickException("The rollups are not installed, or not whole: flask rollups install")
