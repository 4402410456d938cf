"""`POST /own`: somebody's own listening history, dropped on the page of `make run`.

The page's own route, outside the contract: it is there on the embedded database alone.
"""

import hmac
import os
import re
import secrets
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from ipaddress import ip_address
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory, TemporaryFile
from typing import Any
from urllib.parse import urlsplit

import orjson
from flask import Blueprint, Flask, Response, abort, current_app, request, stream_with_context
from sqlalchemy import Engine, delete, insert, select
from werkzeug.datastructures import FileStorage

from app.cache import generations
from app.cache.backends import CacheUnavailableError, backend
from app.cli.embedded.database import PROJECT, engine_for
from app.cli.ingest.history import ANALYZE
from app.domain.timezones import timezone
from app.models.history import History, User
from app.routes.page import UPLOAD_TOKEN
from app.web.errors import BadParameter, BadParametersError

LONGEST_NAME = 20
# Bytes, and files: more than anybody's history has.
LARGEST, MOST_FILES = 10 << 30, 100_000
LONGEST_PART = 255  # bytes of a part of a path, on most file systems

own_bp = Blueprint("own", __name__)


def init_app(app: Flask) -> None:
    """Add the route, and the token by which the page shows that it is the one that asks."""
    app.config[UPLOAD_TOKEN] = secrets.token_urlsafe()
    app.register_blueprint(own_bp)


@own_bp.url_value_preprocessor
def _take_large_bodies(_endpoint: str | None, _values: dict[str, Any] | None) -> None:
    if "Transfer-Encoding" not in request.headers:  # those are read into memory, to measure them; browsers send none
        request.max_content_length = LARGEST
    request.max_form_parts = MOST_FILES


@own_bp.post("/own")
def load_own() -> Response:
    """Load the form's `files` as the listens of a new user of that `name`; `tz` is for players that know no zone.

    Gives the lines of `flask ingest history --json`, each when its file is loaded or refused, as a whole. The last one
    has the `user_id`, null where nothing was loaded. Where nobody waits for that one, nothing stays loaded.
    """
    if not _is_from_the_page():
        abort(403, "Files are taken from the page itself alone: load it again, and then the files")
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


def _is_from_the_page() -> bool:
    """Whether a request has the page's token, and comes from where the page is."""
    token = request.headers.get("X-Upload-Token", "")
    if not hmac.compare_digest(token.encode(), current_app.config[UPLOAD_TOKEN].encode()):
        return False
    origin = urlsplit(request.headers.get("Origin", request.host_url))
    return origin.netloc == request.host and _is_address(request.host)


def _is_address(host: str) -> bool:
    """Whether a host is `localhost` or an address. Anybody may have another name lead to this machine."""
    name = urlsplit(f"//{host}").hostname or ""
    try:
        ip_address(name)
    except ValueError:
        return name == "localhost"
    return True


def _save(file: FileStorage, folder: Path, number: int) -> None:
    """Put a file below a folder, in one of its own, under the path that it had."""
    parts = PurePosixPath((file.filename or "").replace("\0", "")).parts
    safe = [part.encode()[:LONGEST_PART].decode(errors="ignore") for part in parts if part.strip("/") not in {"", ".."}]
    path = folder.joinpath(f"{number:06}", *safe or ["file"])
    path.parent.mkdir(parents=True)
    file.save(path)


def _load(folder: Path, name: str, zone: str, stack: ExitStack) -> Iterator[bytes]:
    """Load all files below a folder. In a process of its own: here psycopg2 waits in a way in which it cannot COPY."""
    uri = current_app.config["SQLALCHEMY_DATABASE_URI"]
    engine = engine_for(uri)
    own_folder = re.compile(rb"%s/\d+/" % re.escape(os.fsencode(folder)))
    with stack, ExitStack() as unfinished:
        stack.callback(_drop_answers)
        user_id = _make_user(engine, name)
        unfinished.callback(_remove_user, engine, user_id)
        options = [f"--user={user_id}", f"--tz={zone}", "--json", "--write-platform-tables"]
        said = stack.enter_context(TemporaryFile())
        child = subprocess.Popen(
            [sys.executable, "-m", "flask", "--app", "app.cli", "ingest", "history", *options, str(folder)],
            cwd=PROJECT,
            env=os.environ | {"SQLALCHEMY_DATABASE_URI": uri},
            stdout=subprocess.PIPE,
            stderr=said,
        )
        unfinished.callback(child.wait)
        unfinished.callback(child.terminate)  # the page may have been closed
        assert child.stdout is not None
        told = {"file": 0, "error": 0, "unknown": 0}
        for line in stack.enter_context(child.stdout):
            told[next(iter(orjson.loads(line)))] += 1
            yield own_folder.sub(b"", line)
        if not any(told.values()):
            said.seek(0)
            yield _line(error=said.read().decode(errors="replace").strip().rpartition("\n")[2] or "Nothing was read")
        if not told["file"]:
            yield _line(user_id=None)
            return
        with engine.begin() as connection:
            connection.exec_driver_sql(ANALYZE)
        _drop_answers()
        yield _line(user_id=user_id)
        child.wait()
        unfinished.pop_all()


def _line(**told: object) -> bytes:
    return orjson.dumps(told) + b"\n"


def _make_user(engine: Engine, name: str) -> int:
    mark = secrets.token_hex()
    row = {"username": name, "email": f"{mark}@example.com", "spotify_id": mark}
    with engine.begin() as connection:
        return connection.execute(insert(User).values(row).returning(User.id)).scalar_one()


def _remove_user(engine: Engine, user_id: int) -> None:
    with engine.begin() as connection:
        # Waits for what a loader that has just been stopped is still about to write.
        connection.execute(select(User.id).where(User.id == user_id).with_for_update())
        connection.execute(delete(History).where(History.user_id == user_id))
        connection.execute(delete(User).where(User.id == user_id))


def _drop_answers() -> None:
    with suppress(CacheUnavailableError):
        generations.end(backend())
