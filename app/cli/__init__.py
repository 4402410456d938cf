"""The `flask` command and `python run.py`. None of it runs in production, except on an operator's word."""

import logging
import os
import sys
import threading
from collections.abc import Mapping
from typing import Any

import click
from flask import Flask
from flask.helpers import get_debug_flag
from werkzeug.serving import is_running_from_reloader

from app import create_app as create_service
from app import deadline
from app.cli.api_keys import api_keys
from app.cli.database import DATABASE, embedded_server, is_embedded
from app.cli.embedded import EmbeddedPostgres
from app.cli.ingest import ingest
from app.cli.rollups import rollups
from app.cli.server_commands import embedded
from app.cli.serving import demo_database, exit_on_signals
from app.rollups import upkeep
from config import SettingsError, check_access, load_settings


def create_app(settings: Mapping[str, Any] | None = None, server: EmbeddedPostgres | None = None) -> Flask:
    """The service with its commands, for `flask`: on the embedded database where SQLALCHEMY_DATABASE_URI is not set.

    Commands start the embedded server for as long as they need it. A wrong setting is one line and exit code 2.
    """
    server = server or embedded_server()
    context = click.get_current_context(silent=True)
    # The reloader's child is told of the embedded database as if it were a real one; its parent has checked.
    serves = context is not None and context.info_name == "run" and not is_running_from_reloader()
    try:
        settings = dict(load_settings() if settings is None else settings)
        if serves:
            check_access(settings)
        uses_embedded = not settings["SQLALCHEMY_DATABASE_URI"]
        if uses_embedded:
            settings["SQLALCHEMY_DATABASE_URI"] = server.uri(DATABASE)
        app = create_service(settings)
    except SettingsError as error:
        # SystemExit, for Flask shows any other error with its traceback when it lists the commands.
        print(f"Error: {error}", file=sys.stderr)
        raise SystemExit(2) from None
    app.config["EMBEDDED"] = uses_embedded
    app.extensions["embedded_postgres"] = server
    for command in (api_keys, embedded, ingest, rollups):
        app.cli.add_command(command)
    if uses_embedded and context is not None and serves:
        _bring_database(context, server)
    if context is not None and context.info_name == "run":
        logging.getLogger("werkzeug").addFilter(_is_no_request)
        if is_running_from_reloader() or not _reloads(context):
            ended = threading.Event()
            context.call_on_close(ended.set)  # before the database, which was brought earlier, is taken away
            deadline.install()
            # Somebody else's database, with rollups that somebody keeps, is only read here.
            upkeep.start(app, writes=is_embedded(server, settings), ended=ended)
    return app


def _reloads(context: click.Context) -> bool:
    """Whether `flask run` only watches the child that serves."""
    reload: bool | None = context.params["reload"]
    return get_debug_flag() if reload is None else reload


def _is_no_request(record: logging.LogRecord) -> bool:
    """Whether the development server tells something else than that it has answered: the service logs that itself.

    (`flask run` takes no handler of requests. What one logs begins with an address and a time.)
    """
    return record.levelno > logging.INFO or " - - [" not in str(record.msg)


def _bring_database(context: click.Context, server: EmbeddedPostgres) -> None:
    """`flask run` brings the same database as `python run.py`, for as long as it runs."""
    exit_on_signals()
    context.with_resource(demo_database(server))
    # For the reloader's child, which must not start another.
    os.environ["SQLALCHEMY_DATABASE_URI"] = server.uri(DATABASE)
