"""The listens themselves, one by one."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.audience import Audience
from app.models.history import History
from app.services import catalogue
from app.services.expressions import between
from app.services.listens import Listens
from app.services.statements import execute
from app.timezones import FIRST_SHOWN, LAST_SHOWN, aware, naive, timezone
from app.windows import CUSTOM, Window


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
    """One user's listens, newest first, in pages that hold while listens arrive: those before an instant.

    Listens of a time that no clock can show (the first day of the calendar, or its last two) are left out: several
    would be told as of one instant, and no page could begin between them.
    """
    listens = Listens(audience, Window(CUSTOM, None, before, timezone("UTC")))
    # One more than asked for tells whether there is another page.
    rows = execute(
        session,
        select(History.played_at, History.track_id)
        .where(*listens.conditions, *between(History.played_at, naive(FIRST_SHOWN), naive(LAST_SHOWN)))
        .order_by(History.played_at.desc())
        .limit(limit + 1),
    ).all()
    page = rows[:limit]
    tracks = catalogue.tracks(session, [row.track_id for row in page])
    items = [Listen(played_at=aware(row.played_at), **vars(tracks[row.track_id])) for row in page]
    return Playback(items, items[-1].played_at if len(rows) > limit else None)
