"""The listens themselves, one by one."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Integer, Select, bindparam, select
from sqlalchemy.orm import Session

from app.domain.audience import Audience
from app.domain.timezones import aware, timezone
from app.domain.windows import CUSTOM, Window
from app.listens.live import Listens
from app.listens.statements import run
from app.services import catalogue


@dataclass(frozen=True, kw_only=True)
class Listen(catalogue.Track):
    """A track, and when it was played."""

    played_at: datetime


@dataclass(frozen=True)
class Playback:
    """Listens, newest first. `next` is what to give as `before` to go on; None at the end."""

    items: list[Listen]
    next: datetime | None


def history(session: Session, audience: Audience, before: datetime | None, limit: int) -> Playback:
    """One user's listens, newest first, in pages that hold while listens arrive: those before an instant."""
    listens = Listens(audience, Window(CUSTOM, None, before, timezone("UTC")))
    # One more than asked for tells whether there is another page.
    rows = run(session, _query, listens, limit=limit + 1).all()
    page = rows[:limit]
    tracks = catalogue.tracks(session, [row.track_id for row in page])
    items = [Listen(played_at=aware(row.played_at), **vars(tracks[row.track_id])) for row in page]
    return Playback(items, items[-1].played_at if len(rows) > limit else None)


def _query(listens: Listens) -> Select[Any]:
    rows = listens.rows.c
    newest = select(rows.played_at, rows.track_id).order_by(rows.played_at.desc())
    return newest.limit(bindparam("limit", type_=Integer))
