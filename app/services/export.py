"""All of a user's listens, one after the other."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from app.domain.audience import Audience
from app.domain.windows import Window
from app.listens.expressions import lasting
from app.listens.live import Listens
from app.listens.statements import run
from app.models.history import Track
from app.services.catalogue import Credit, credits_of

ROWS = 500  # of one fetch


class ExportedListen(NamedTuple):
    """A listen with all credited artists, primary ones first, then by id; `played_at` is naive, in UTC."""

    played_at: datetime
    track_id: str
    track_name: str
    artists: list[Credit]
    duration_ms: int


def export(session: Session, audience: Audience, window: Window) -> Iterator[list[ExportedListen]]:
    """One user's listens, oldest first, in parts as a cursor of the server fetches them.

    The cursor is open until the last part has been taken or the iterator is closed. Each fetch is a statement with its
    own timeout.
    """
    with run(session, _query, Listens(audience, window)) as result:
        part: Any
        for part in result.partitions():
            yield [
                ExportedListen(played_at, track_id, name, [Credit(*credit) for credit in credits or ()], duration_ms)
                for played_at, track_id, name, credits, duration_ms in part
            ]


def _query(listens: Listens) -> Select[Any]:
    rows = listens.rows.c
    columns = rows.played_at, Track.id, Track.name, credits_of(Track.id), lasting(Track.duration_ms)
    query = select(*columns).join(Track, Track.id == rows.track_id).order_by(rows.played_at)
    return query.execution_options(yield_per=ROWS)
