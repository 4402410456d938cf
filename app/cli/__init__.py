"""The `flask` command and `python run.py`. None of it runs in production, except on an operator's word."""

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import click
from flask import Flask
from flask.cli import FlaskGroup

from app import create_app as create_service
from app.cli import own
from app.cli.api_keys import api_keys
from app.cli.archive import archive
from app.cli.cards import cards
from app.cli.demo import Size
from app.cli.embedded.commands import embedded
from app.cli.embedded.database import DATABASE, embedded_server
from app.cli.embedded.server import EmbeddedPostgres
from app.cli.ingest.command import ingest
from app.cli.ingest.history import forget, load_history
from app.cli.rollups import rollups
from app.cli.serving import prepare_to_serve
from app.cli.taste import taste
from config import SettingsError, check_access, load_settings


def main(server: EmbeddedPostgres | None = None, size: Size | None = None) -> None:
    """Do what `python run.py` does: `flask run` with the port and debug mode of the settings, and without keys.

    `server` and `size` are the embedded database and the demo data to put into it.
    """
    with _wrong_setting_ends():
        settings = load_settings() | {"ALLOW_ANONYMOUS": True, "EXPLORER": True}
    flask = FlaskGroup(create_app=lambda: create_app(settings, server, size))
    arguments = ["run", f"--port={settings['FLASK_RUN_PORT']}", "--debug" if settings["DEBUG"] else "--no-debug"]
    flask.main(arguments, prog_name="run.py")


def create_app(
    settings: Mapping[str, Any] | None = None, server: EmbeddedPostgres | None = None, size: Size | None = None
) -> Flask:
    """The service with its commands, for `flask`: on the embedded database where SQLALCHEMY_DATABASE_URI is not set.

    Commands start the embedded server for as long as they need it. A wrong setting is one line and exit code 2.
    """
    server = server or embedded_server()
    context = click.get_current_context(silent=True)
    serves = context is not None and context.info_name == "run"
    with _wrong_setting_ends():
        settings = dict(load_settings() if settings is None else settings)
        if serves:
            check_access(settings)
        uses_embedded = not settings["SQLALCHEMY_DATABASE_URI"]
        if uses_embedded:
            settings["SQLALCHEMY_DATABASE_URI"] = server.uri(DATABASE)
        app = create_service(settings)
    app.config["EMBEDDED"] = uses_embedded
    app.extensions["embedded_postgres"] = server
    ingest.add_command(load_history)
    ingest.add_command(forget)
    for command in (api_keys, archive, cards, embedded, ingest, rollups, taste):
        app.cli.add_command(command)
    if context is not None and serves:
        if uses_embedded:
            own.init_app(app)
        prepare_to_serve(context, app, size or Size())
    return app


@contextmanager
def _wrong_setting_ends() -> Iterator[None]:
    try:
        yield
    except SettingsError as error:
        # SystemExit, for Flask shows any other error with its traceback when it lists the commands.
        print(f"Error: {error}", file=sys.stderr)
        raise SystemExit(2) from None
