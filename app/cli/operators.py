"""What operators' commands share: the database that is written to, one operator at a time, and progress."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import perf_counter

import click
from flask import current_app
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import SQLAlchemyError

from app.cli.embedded.database import database_of_command
from app.database.engine import for_commands, own_engine
from app.rollups.upkeep.transactions import one_operator


@contextmanager
def database() -> Iterator[Engine]:
    """The database that is written to; the embedded one is up for as long as this takes."""
    with database_of_command():
        engine = for_commands(own_engine(current_app.config, writes=True))
        try:
            yield engine
        except SQLAlchemyError as error:
            raise click.ClickException(str(getattr(error, "orig", None) or error).strip()) from None
        finally:
            engine.dispose()


@contextmanager
def operator() -> Iterator[Connection]:
    """A connection in autocommit: a second operator waits for the first."""
    with database() as engine, one_operator(engine) as connection:
        yield connection


@contextmanager
def progress() -> Iterator[Callable[[str], None]]:
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
