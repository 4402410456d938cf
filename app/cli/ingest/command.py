"""`flask ingest`: load listens from files into the platform's tables, as songswap-airflow does."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
from flask import current_app
from flask.cli import AppGroup
from sqlalchemy import Connection, Table, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import DBAPIError

from app.cli.embedded.database import continue_user_ids, database_of_command, engine_for
from app.cli.ingest.page import Page, PageError, Track, read_page
from app.models import history
from app.models.base import Base

ingest = AppGroup("ingest", help="Load listens from files.")


@ingest.command("recently-played")
@click.argument("files", type=click.Path(path_type=Path), nargs=-1, required=True, metavar="FILE...")
@click.option("--user", "user_id", type=click.IntRange(1, 2**31 - 1), required=True, help="Whose listens they are.")
@click.option("--write-platform-tables", is_flag=True, help="Write to a database that is not the embedded one.")
def recently_played(files: tuple[Path, ...], user_id: int, write_platform_tables: bool) -> None:
    """Load pages of Spotify's "recently played" JSON; `-` is standard input.

    Each file is loaded as a whole or not at all, but for items without a name and texts that are too long. What is
    there already stays as it is.
    """
    embedded = check_database(write_platform_tables)
    failed = False
    with database_of_command():
        engine = engine_for(current_app.config["SQLALCHEMY_DATABASE_URI"])
        for file in files:
            try:
                page = read_page(file, current_app.config["CLOCK"]())
                with engine.begin() as connection:
                    ensure_user(connection, user_id, create=embedded)
                    added = store(connection, user_id, page)
            except PageError as error:
                click.echo(f"Error: {file}: {error}", err=True)
                failed = True
            except DBAPIError as error:
                click.echo(f"Error: {file}: {str(error.orig).splitlines()[0]}", err=True)
                failed = True
            else:
                click.echo(f"{file}: {added} listens added, {len(page.plays) - added} already there{_left_out(page)}")
    if failed:
        raise click.exceptions.Exit(1)


def _left_out(page: Page) -> str:
    """What is not loaded of a page: how much, and where it stood."""
    said = f", {page.skipped} skipped that are no Spotify tracks" if page.skipped else ""
    if page.nameless:
        said += f", {len(page.nameless)} skipped without a name: {' '.join(page.nameless)}"
    if page.unfit:
        said += f", {len(page.unfit)} names cut or addresses left out that are too long: {' '.join(page.unfit)}"
    return said


def store(connection: Connection, user_id: int, page: Page) -> int:
    """Insert what the tables lack of a page, and give the number of listens added."""
    tracks = [play.track for play in page.plays]
    credits = [(track, artist, rank) for track in tracks for rank, artist in enumerate(track.artists)]
    _insert(connection, history.Artist, [{"id": artist.id, "name": artist.name} for _, artist, _ in credits])
    _insert(connection, history.Track, [{"id": it.id, "name": it.name, "duration_ms": it.duration_ms} for it in tracks])
    _insert(
        connection,
        history.ArtistTrack,
        [{"track_id": track.id, "artist_id": artist.id, "is_primary": rank == 0} for track, artist, rank in credits],
    )
    store_details(connection, page)
    return _insert(
        connection,
        history.History,
        [{"user_id": user_id, "played_at": played_at, "track_id": track.id} for played_at, track in page.plays],
    )


def store_details(connection: Connection, page: Page) -> None:
    """Insert pictures, previews and popularity of a page's tracks, where the catalogue has the tracks.

    A track's popularity is dated by the listen it came with, as songswap-airflow dates it: no page says when it was
    read. Images of unknown size have no place in the tables.
    """
    ids = {play.track.id for play in page.plays}
    there = set(connection.scalars(select(history.Track.id).where(history.Track.id.in_(ids))))
    plays = [play for play in page.plays if play.track.id in there]
    tracks = [play.track for play in plays]
    _insert(connection, history.TrackImage, [row for track in tracks for row in _images(track)])
    _insert(connection, history.TrackPreview, [{"id": it.id, "url": it.preview_url} for it in tracks if it.preview_url])
    _insert(
        connection,
        history.TrackPopularity,
        [
            {"id": track.id, "date": played_at, "popularity": track.popularity}
            for played_at, track in plays
            if track.popularity is not None
        ],
    )


def check_database(write_platform_tables: bool) -> bool:
    """Whether the database is the embedded one. Raises ClickException for another that is not to be written to."""
    embedded: bool = current_app.config["EMBEDDED"]
    if not embedded and not write_platform_tables:
        raise click.ClickException(
            "SQLALCHEMY_DATABASE_URI names a database that is not the embedded one; "
            "--write-platform-tables writes to it all the same"
        )
    return embedded


def ensure_user(connection: Connection, user_id: int, create: bool) -> None:
    """See that there is such a user, if need be by making one. Raises PageError where that is not allowed."""
    if connection.scalar(select(history.User.id).where(history.User.id == user_id)) is not None:
        return
    if not create:
        raise PageError(f"there is no user {user_id}, and users are songswap-app's to make")
    name = f"user{user_id}"
    _insert(
        connection,
        history.User,
        [{"id": user_id, "username": name, "email": f"{name}@example.com", "spotify_id": name}],
    )
    continue_user_ids(connection)


def _images(track: Track) -> Iterator[dict[str, Any]]:
    for url, height, width in track.images:
        if url is not None and height is not None and width is not None:
            yield {"id": track.id, "height": height, "width": width, "url": url}


def _insert(connection: Connection, model: type[Base], rows: list[dict[str, Any]]) -> int:
    """Insert the rows whose keys are not there yet; gives their number."""
    if not rows:
        return 0
    table = model.__table__
    assert isinstance(table, Table)
    statement = insert(table).on_conflict_do_nothing().returning(*table.primary_key)
    return len(connection.execute(statement, rows).all())
