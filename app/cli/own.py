"""`POST /page/own`: somebody's own listening history, dropped on the page of `make run`.

The page's own route, outside the contract: it is there on the embedded database alone.
"""

import hmac
import os
import secrets
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from typing import Any

import orjson
from flask import Blueprint, Flask, Response, abort, current_app, request, stream_with_context
from sqlalchemy import Engine, delete, exists, insert
from werkzeug.datastructures import FileStorage
from werkzeug.utils import secure_filename

from app.cache import generations
from app.cache.backends import backend
from app.cli.embedded.database import PROJECT, engine_for
from app.cli.ingest.history import ANALYZE
from app.domain.timezones import timezone
from app.models.history import History, User
from app.routes.page import UPLOAD_TOKEN
from app.web.errors import BadParameter, BadParametersError

LONGEST_NAME = 20
# Bytes, and files: more than anybody's history has.
LARGEST, MOST_FILES = 10 << 30, 100_000

own_bp = Blueprint("own", __name__)


def init_app(app: Flask) -> None:
    """Add the route, and the token by which the page shows that it is the one that asks."""
    app.config[UPLOAD_TOKEN] = secrets.token_urlsafe()
    app.register_blueprint(own_bp)


@own_bp.url_value_preprocessor
def _take_large_bodies(_endpoint: str | None, _values: dict[str, Any] | None) -> None:
    request.max_content_length = LARGEST
    request.max_form_parts = MOST_FILES


@own_bp.post("/page/own")
def load_own() -> Response:
    """Load the form's `files` as the listens of a new user of that `name`; `tz` is for players that know no zone.

    Gives the lines of `flask ingest history --json`, each when its file is loaded or refused, as a whole. The last one
    has the `user_id`, null where nothing was loaded.
    """
    if not hmac.compare_digest(request.headers.get("X-Upload-Token", ""), current_app.config[UPLOAD_TOKEN]):
        abort(403, "Files are taken from the page itself alone")
    name = request.form.get("name", "").strip()
    if not 0 < len(name) <= LONGEST_NAME or "\0" in name:
        raise BadParametersError([BadParameter("name", f"name must have 1 to {LONGEST_NAME} characters")])
    files = request.files.getlist("files")
    if not files:
        raise BadParametersError([BadParameter("files", "files must be one file or more")])
    zone = timezone(request.form.get("tz") or "UTC").key
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory()))
        for number, file in enumerate(files):
            _save(file, folder, number)
        lines = _load(folder, name, zone, stack.pop_all())
    return Response(stream_with_context(lines), mimetype="application/x-ndjson", headers={"Cache-Control": "no-store"})


def _save(file: FileStorage, folder: Path, number: int) -> None:
    """Put a file below a folder, under the path that it had, as far as that is safe; a second one of it elsewhere."""
    parts = [part for part in map(secure_filename, PurePosixPath(file.filename or "").parts) if part] or ["file"]
    path = folder.joinpath(*parts)
    if path.exists():
        path = folder.joinpath(str(number), *parts)
    path.parent.mkdir(parents=True, exist_ok=True)
    file.save(path)


def _load(folder: Path, name: str, zone: str, stack: ExitStack) -> Iterator[bytes]:
    """Load all files below a folder. In a process of its own: here psycopg2 waits in a way in which it cannot COPY."""
    with stack:
        uri = current_app.config["SQLALCHEMY_DATABASE_URI"]
        engine = engine_for(uri)
        user_id = _make_user(engine, name)
        stack.callback(_remove_if_silent, engine, user_id)
        options = [f"--user={user_id}", f"--tz={zone}", "--json", "--write-platform-tables"]
        child = subprocess.Popen(
            [sys.executable, "-m", "flask", "--app", "app.cli", "ingest", "history", *options, str(folder)],
            cwd=PROJECT,
            env=os.environ | {"SQLALCHEMY_DATABASE_URI": uri},
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,  # errors are lines, too
        )
        stack.callback(child.wait)
        stack.callback(child.terminate)  # the page may have been closed
        assert child.stdout is not None
        is_anything_loaded = False
        for line in stack.enter_context(child.stdout):
            is_anything_loaded |= "file" in orjson.loads(line)
            yield line.replace(f"{folder}/".encode(), b"")
        with engine.begin() as connection:
            connection.exec_driver_sql(ANALYZE)
        generations.end(backend())
        yield orjson.dumps({"user_id": user_id if is_anything_loaded else None}) + b"\n"


def _make_user(engine: Engine, name: str) -> int:
    mark = secrets.token_hex()
    row = {"username": name, "email": f"{mark}@example.com", "spotify_id": mark}
    with engine.begin() as connection:
        return connection.execute(insert(User).values(row).returning(User.id)).scalar_one()


def _remove_if_silent(engine: Engine, user_id: int) -> None:
    with engine.begin() as connection:
        connection.execute(delete(User).where(User.id == user_id, ~exists().where(History.user_id == User.id)))
