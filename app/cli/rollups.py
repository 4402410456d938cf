"""`flask rollups`: install, rebuild, verify, look at and uninstall the rollups, on an operator's word."""

from typing import Any

import click
from flask import current_app
from flask.cli import AppGroup, with_appcontext
from sqlalchemy import Connection, text
from sqlalchemy.orm import Session

from app.cli.operators import database, operator, progress
from app.rollups.installation import install as installation
from app.rollups.installation.indexes import build_indexes
from app.rollups.spans import Span
from app.rollups.state import read
from app.rollups.upkeep.building import build_at_once, describe, start_anew
from app.rollups.upkeep.folding import fold
from app.rollups.upkeep.transactions import snapshot, writing
from app.rollups.upkeep.verification import differences

rollups = AppGroup("rollups", help="Counts kept next to the platform's tables, so that insights take milliseconds.")


def _now() -> Any:
    return current_app.config["CLOCK"]()


@rollups.command()
@with_appcontext
def install() -> None:
    """Install and build what is missing, while the platform keeps writing."""
    with operator() as connection, progress() as tell:
        installation.install(connection, tell)
        build_indexes(connection, tell)
        with Session(connection) as session:
            rollups = read(session)
        if rollups is None or rollups.distrust is not None:
            start_anew(connection)
        build_at_once(connection, _now, tell)
    click.echo("The rollups are installed.")


@rollups.command()
@click.option("--resume", is_flag=True, help="Go on with a build that was broken off, rather than begin again.")
@with_appcontext
def rebuild(resume: bool) -> None:
    """Build all rollups again, from the live tables."""
    with operator() as connection, progress() as tell:
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
    with operator() as connection, progress() as tell:
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
    with operator() as connection:
        _require_installation(connection)
        with writing(connection):
            changes = fold(connection)
    click.echo(f"{changes} changes folded in.")


@rollups.command()
@with_appcontext
def status() -> None:
    """Show what is installed, built and waiting."""
    with database() as engine, Session(engine) as session:
        state = read(session)
        if state is None:
            click.echo("The rollups are not installed: flask rollups install")
            return
        connection = session.connection()
        remedy = "rebuild" if installation.is_complete(connection) else "install"
        trusted = "yes" if state.distrust is None else f"no, {state.distrust}: flask rollups {remedy}"
        click.echo(f"trusted   {trusted}")
        if not installation.has_tables(connection):
            return
        click.echo(f"slots     {'built' if state.has_slots else 'not built'}")
        for row in connection.execute(text("SELECT starts, ends FROM insights.windows ORDER BY ends - starts, ends")):
            click.echo(f"window    {describe(Span(row.starts, row.ends))}")
        waiting = connection.scalar(text("SELECT count(*) FROM insights.listen_changes"))
        click.echo(f"waiting   {waiting} changes of listens")


@rollups.command()
@with_appcontext
def uninstall() -> None:
    """Take the rollups, their triggers and indexes away: the database is as it was before."""
    with operator() as connection, progress() as tell:
        installation.uninstall(connection, tell)
    click.echo("The rollups are uninstalled.")


def _require_installation(connection: Connection) -> None:
    if not installation.is_complete(connection):
        raise click.ClickException("The rollups are not installed, or not whole: flask rollups install")
