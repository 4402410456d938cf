"""`flask taste`: build, look at and drop the model of who listens alike, on an operator's word."""

import os

import click
from flask.cli import AppGroup, with_appcontext
from sqlalchemy.orm import Session

from app.cli.operators import database, operator, progress
from app.domain.timezones import format_instant
from app.taste import installation, model

taste = AppGroup("taste", help="Who listens alike, computed ahead for platforms of more than 2,000 listeners.")


@taste.command()
@click.option("--nice", is_flag=True, help="Give way to every other process on this machine.")
@with_appcontext
def build(nice: bool) -> None:
    """Compare everyone's listens; `similar` and `recommendations` answer from the result for 48 hours."""
    if nice:
        os.nice(19)
    try:
        from app.taste.building import build as build_model
    except ModuleNotFoundError as error:
        raise click.ClickException(f"{error.name} is missing: pip install -r requirements-batch.txt") from None
    with operator() as connection, progress() as tell:
        installation.install(connection)
        listeners = build_model(connection.engine, tell)
    click.echo(f"The model is built, of {listeners:,} listeners.")


@taste.command()
@with_appcontext
def status() -> None:
    """Show what there is, and how old it is."""
    with database() as engine, Session(engine) as session:
        found = model.status(session)
    if found is None:
        click.echo("There is no model: flask taste build")
        return
    click.echo(f"computed   {format_instant(found.computed_at)}")
    click.echo(f"age        {found.age.total_seconds() / 3600:.1f} h of {model.MAX_AGE.total_seconds() / 3600:.0f} h")
    click.echo(f"listeners  {found.listeners:,}")


@taste.command()
@with_appcontext
def drop() -> None:
    """Take the model away: the database is as it was before."""
    with operator() as connection:
        installation.drop(connection)
    click.echo("The model is dropped.")
