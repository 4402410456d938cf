"""`GET /insights/export/<user_id>`: a user's listens as a file, streamed past the cache."""

import csv
import io
from collections.abc import Iterator
from contextlib import ExitStack

import orjson
from apifairy import authenticate, other_responses
from flask import Response

from app.domain.audience import Audience
from app.domain.timezones import format_instant
from app.domain.windows import Window
from app.extensions import db
from app.routes.arguments import checked
from app.schemas.answers.problems import UNAVAILABLE, WRONG_PARAMETERS
from app.schemas.requests.parameters import ExportInWindow
from app.services import insights_service as service
from app.services.export import ExportedListen
from app.web.auth import key

HEADER = ("played_at", "track_id", "track_name", "artist_names", "duration_ms")
MEDIA_TYPES = {"jsonl": "application/x-ndjson", "csv": "text/csv"}

Parts = Iterator[list[ExportedListen]]


@other_responses(WRONG_PARAMETERS | UNAVAILABLE)
@authenticate(key)
@checked(ExportInWindow)
def export(audience: Audience, window: Window, format: str) -> Response:
    """The user's listens as a file: JSON Lines or CSV, oldest first.

    `flask ingest history` reads the JSON Lines. An answer that breaks off is not complete.
    """
    with ExitStack() as opened:
        # The request's own session ends before the answer is sent.
        session = opened.enter_context(db.session.session_factory())
        parts = service.export(session, audience, window)
        lines = _csv(parts) if format == "csv" else _jsonl(parts)
        # What the database refuses now is still a problem document.
        first = next(lines, b"")
        response = Response(_after(first, lines), content_type=MEDIA_TYPES[format])
        response.call_on_close(opened.pop_all().close)
    response.headers["Content-Disposition"] = f"attachment; filename=listens-{audience.user_id}.{format}"
    response.headers["Cache-Control"] = "no-store"
    return response


def _after(first: bytes, others: Iterator[bytes]) -> Iterator[bytes]:
    yield first
    yield from others


def _jsonl(parts: Parts) -> Iterator[bytes]:
    for part in parts:
        yield b"".join(orjson.dumps(_object(listen), option=orjson.OPT_APPEND_NEWLINE) for listen in part)


def _object(listen: ExportedListen) -> dict[str, object]:
    played_at = format_instant(listen.played_at)
    return listen._asdict() | {"played_at": played_at, "artists": [vars(credit) for credit in listen.artists]}


def _csv(parts: Parts) -> Iterator[bytes]:
    """RFC 4180: lines end in CRLF."""
    lines = io.StringIO()
    writer = csv.writer(lines)
    writer.writerow(HEADER)
    for part in parts:
        for at, track_id, name, artists, duration_ms in part:
            names = "; ".join(credit.artist_name for credit in artists)
            writer.writerow((format_instant(at), track_id, name, names, duration_ms))
        yield lines.getvalue().encode()
        lines.seek(0)
        lines.truncate()
    yield lines.getvalue().encode()
