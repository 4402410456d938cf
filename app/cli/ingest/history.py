"""`flask ingest history` and `flask ingest forget`: somebody's listens out of other programs' files, and away again."""

import csv
import lzma
import sys
import time
import zipfile
import zlib
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import click
from flask import current_app
from flask.cli import with_appcontext
from ijson.common import JSONError
from sqlalchemy import Connection, delete
from sqlalchemy.exc import DBAPIError

from app.cli.embedded.database import database_of_command, engine_for
from app.cli.ingest.command import check_database, ensure_user, store_details
from app.cli.ingest.formats import recognise
from app.cli.ingest.load import Counts, Rules, load, prepare
from app.cli.ingest.page import PageError, parse_page
from app.cli.ingest.plays import Format
from app.cli.ingest.reading import FileError, Reader
from app.cli.ingest.report import Line, ignore, print_json, table
from app.cli.ingest.sources import Source, sources
from app.domain.timezones import WindowError, naive, timezone
from app.models.history import History

# What reading may raise where a file, or a zip, is not what it says.
BROKEN = (FileError, OSError, EOFError, ValueError, RuntimeError, csv.Error, JSONError, lzma.LZMAError, zlib.error,
          zipfile.BadZipFile)  # fmt: skip
# Spotify's videos look like its music.
VIDEOS = "Streaming_History_Video_"

ANALYZE = 'ANALYZE "History", "Tracks", "Artists", "ArtistTracks"'

USER = click.option("--user", "user_id", type=click.IntRange(1, 2**31 - 1), required=True, help="Whose listens.")


def _zone(_context: click.Context, _parameter: click.Parameter, name: str) -> ZoneInfo:
    try:
        return timezone(name)
    except WindowError as error:
        raise click.BadParameter(error.detail) from error


@click.command("history")
@click.argument("paths", nargs=-1, required=True, metavar="PATH...")
@USER
@click.option(
    "--min-seconds", type=click.IntRange(0, 3600), default=30, show_default=True, help="Shorter plays do not count."
)
@click.option("--skip-incognito", is_flag=True, help="Leave out what was played in a private session.")
@click.option(
    "--tz", default="UTC", show_default=True, callback=_zone, help="The zone of players that do not know theirs."
)
@click.option("--write-platform-tables", is_flag=True, help="Write to a database that is not the embedded one.")
@click.option("--json", "as_json", is_flag=True, help="Print a line of JSON a file, once it is done, and no table.")
@with_appcontext
def load_history(
    paths: tuple[str, ...], user_id: int, min_seconds: int, skip_incognito: bool, tz: ZoneInfo,
    write_platform_tables: bool, as_json: bool,
) -> None:  # fmt: skip
    """Load listening histories: files, folders, zips, or - for standard input.

    docs/history.md has the formats, and what counts as a listen. Each file, and each entry of a zip, is loaded as a
    whole or not at all, and nothing twice.
    """
    embedded = check_database(write_platform_tables)
    rules = Rules(user_id, naive(datetime.now(UTC)), tz, min_seconds * 1000, skip_incognito)
    with ExitStack() as stack:
        stack.enter_context(database_of_command())
        connection = stack.enter_context(engine_for(current_app.config["SQLALCHEMY_DATABASE_URI"]).connect())
        try:
            with connection.begin():
                if not embedded:
                    ensure_user(connection, user_id, create=False)
                prepare(connection)
        except (DBAPIError, PageError) as error:
            raise click.ClickException(_reason(error)) from error
        found = {path: sources(path, stack) for path in paths}
        loading = Loading(connection, rules, creates_user=embedded, tell=print_json if as_json else ignore)
        loading.run(found)
        if embedded and loading.lines:  # the planner has no statistics on the new rows until autovacuum comes round
            with connection.begin():
                connection.exec_driver_sql(ANALYZE)
    if loading.lines and not as_json:
        click.echo(table(loading.lines, loading.unknown))
    for line in loading.errors:
        click.echo(f"Error: {line}", err=True)
    if loading.errors:
        raise click.exceptions.Exit(1)


@dataclass
class Loading:
    """Files loaded one after the other: a line for each, errors for those that were not, and how many were unknown.

    `tell` is called with each file's name and its line, its error, or None where it is unknown.
    """

    connection: Connection
    rules: Rules
    creates_user: bool
    tell: Callable[[str, Line | str | None], object]
    lines: list[Line] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    unknown: int = 0

    def run(self, found: dict[str, list[Source]]) -> None:
        """Load all files, with a bar that shows how far it is. Raises nothing for files that are broken."""
        self.read, self.started = 0, time.monotonic()
        size = sum(source.size for files in found.values() for source in files)
        with click.progressbar(
            length=size,
            label="Loading",
            file=sys.stderr,
            hidden=not sys.stderr.isatty(),
            item_show_func=self._speed,
        ) as bar:
            for path, files in found.items():
                before = len(self.lines) + len(self.errors)
                for source in files:
                    self.tell(source.name, self._try(source, bar.update))
                if len(self.lines) + len(self.errors) == before:
                    self.errors.append(f"{path}: no listening history of a known format")
                    self.unknown -= len(files) == 1 and files[0].name == path

    def _try(self, source: Source, advance: Callable[[int], object]) -> Line | str | None:
        reader = None
        try:
            format = _format(source)
            if format is None:
                self.unknown += 1
                advance(source.size)
                return None
            with Reader(source.open()) as reader, self.connection.begin():
                counts = self._load(format, reader, source, advance)
            self.lines.append(Line(source.name, format.name, counts))
            return self.lines[-1]
        except (*BROKEN, PageError, DBAPIError) as error:
            place = f"{reader.place}: " if reader and reader.place and not isinstance(error, DBAPIError) else ""
            self.errors.append(f"{source.name}: {place}{_reason(error)}")
            return self.errors[-1]

    def _load(self, format: Format, reader: Reader, source: Source, advance: Callable[[int], object]) -> Counts:
        before, done = self.read, 0

        def note(read: int) -> None:
            nonlocal done
            self.read = before + read
            advance(reader.position - done)
            done = reader.position

        page = None
        if format.page:
            with source.open() as file:
                page = parse_page(file.read(), self.rules.now.replace(tzinfo=UTC))
        if self.creates_user:
            ensure_user(self.connection, self.rules.user_id, create=True)
        counts = load(self.connection, format, reader, self.rules, note)
        if page:
            store_details(self.connection, page)
        self.read = before + counts.read
        advance(source.size - done)
        return counts

    def _speed(self, _item: int | None) -> str:
        return f"{self.read / (time.monotonic() - self.started):,.0f} plays/s"


def _format(source: Source) -> Format | None:
    if Path(source.name).name.startswith(VIDEOS):
        return None
    with Reader(source.open(), errors="replace") as reader:
        return recognise(reader.head())


def _reason(error: BaseException) -> str:
    """The first line of what an error says."""
    text = str(getattr(error, "orig", None) or getattr(error, "strerror", None) or error)
    return text.strip().partition("\n")[0] or type(error).__name__


@click.command()
@USER
@click.confirmation_option(prompt="Delete all listens of this user from the embedded database?")
@with_appcontext
def forget(user_id: int) -> None:
    """Delete a user's listens from the embedded database."""
    if not current_app.config["EMBEDDED"]:
        raise click.ClickException("SQLALCHEMY_DATABASE_URI names a database that is not the embedded one")
    with database_of_command(), engine_for(current_app.config["SQLALCHEMY_DATABASE_URI"]).begin() as connection:
        deleted = connection.execute(delete(History).where(History.user_id == user_id)).rowcount
    click.echo(f"{deleted} listens of user {user_id} deleted")
