"""`flask archive`: the listens of closed days as Parquet files, on an operator's word.

What it takes is in requirements-batch.txt, and imported when a command runs.
"""

import os
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Any

import click
from flask import current_app
from flask.cli import AppGroup, with_appcontext

from app.cli.operators import database, operator

if TYPE_CHECKING:
    from app.archive.manifest import Manifest
    from app.archive.store import Store

archive = AppGroup("archive", help="The listens of closed days as Parquet files, for engines that count any span.")

NOTHING_YET = "There is no archive yet: flask archive export"


@contextmanager
def _store() -> Iterator["Store"]:
    """Where the archive lies. What is missing, or refused, is one line and exit code 1."""
    url = current_app.config["ARCHIVE_URL"]
    if not url:
        raise click.ClickException("ARCHIVE_URL must be set: a folder, or s3://bucket/prefix")
    try:
        from app.archive.log import NoLogError
        from app.archive.store import Store
    except ModuleNotFoundError as error:
        raise click.ClickException(f"{error.name} is missing: pip install -r requirements-batch.txt") from None
    try:
        yield Store(url)
    except (NoLogError, OSError) as error:
        raise click.ClickException(str(error)) from None


def _progress(months: Sequence[Any]) -> AbstractContextManager[Any]:
    return click.progressbar(
        months, label=f"{len(months)} months", item_show_func=lambda month: month.name if month else ""
    )


@archive.command()
@click.option("--all", "everything", is_flag=True, help="Write all months, not only those that have changed.")
@click.option("--nice", is_flag=True, help="Give way to every other process on this machine.")
@click.option("--unless-since", type=click.DateTime(), help="Nothing, where there is an export of since then (UTC).")
@with_appcontext
def export(everything: bool, nice: bool, unless_since: datetime | None) -> None:
    """Write the listens of closed days, and the catalogue; months that have not changed stay."""
    if nice:
        os.nice(19)
    with _store() as store, operator() as connection:
        from app.archive import export as exporting

        found = store.manifest()
        if unless_since is not None and found is not None and found.taken_at >= unless_since:
            return
        now = current_app.config["CLOCK"]()
        written = exporting.export(connection, store, now, _progress, everything=everything)
    _describe(written)


@archive.command()
@with_appcontext
def status() -> None:
    """Show what the archive holds, and what has changed since."""
    with _store() as store, database() as engine:
        from app.archive.log import read_log
        from app.archive.manifest import UNFINISHED

        if (unfinished := store.manifest(UNFINISHED)) is not None:
            click.echo(
                f"unfinished  an export has {len(unfinished.months)} months; flask archive export goes on with it"
            )
        if (found := store.manifest()) is None:
            click.echo(NOTHING_YET)
            return
        _describe(found)
        with engine.connect() as connection:
            log = read_log(connection)
        if log.epoch != found.epoch:
            click.echo("changed     unknown: the rollups were built again, and an export writes everything")
            return
        touched = [log.touched_since(month) for month in found.months.values()]
        click.echo(f"changed     {sum(map(len, touched))} days since, in {sum(map(bool, touched))} months")


@archive.command()
@with_appcontext
def verify() -> None:
    """Compare the files with their manifest and the live table; exit code 1 where they differ."""
    with _store() as store, operator() as connection:
        from app.archive.verification import broken_files, wrong_months

        found = _manifest(store)
        faults = list(broken_files(store, found)) or list(wrong_months(connection, store, found, _progress))
    for fault in faults:
        click.echo(fault, err=True)
    if faults:
        raise SystemExit(1)
    click.echo("The archive is what its manifest and the live table say.")


@archive.command()
@with_appcontext
def prune() -> None:
    """Delete what the manifest does not name, such as what exports that were broken off have written."""
    with _store() as store, operator():
        click.echo(f"{len(store.prune(store.manifest()))} files deleted.")


def _manifest(store: "Store") -> "Manifest":
    if (found := store.manifest()) is None:
        raise click.ClickException(NOTHING_YET)
    return found


def _describe(found: "Manifest") -> None:
    listens = sum(file.rows for file in found.listens)
    size = sum(file.bytes for file in found.files)
    click.echo(f"snapshot    of {found.taken_at:%Y-%m-%d %H:%M:%S} UTC, of the days before {found.closed:%Y-%m-%d}")
    click.echo(f"listens     {listens} in {len(found.months)} months, {size / 1e6:.1f} MB with the catalogue")
