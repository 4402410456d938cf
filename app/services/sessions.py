"""Sessions: plays that follow each other without a long gap. A listen's instant is the end of its play."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, Float, Integer, Select, bindparam, cast, func, select
from sqlalchemy.orm import Session

from app.domain.audience import Audience
from app.domain.windows import Window
from app.listens.expressions import MILLISECOND, MINUTE
from app.listens.live import Listens
from app.listens.sources import listens_of
from app.listens.statements import run
from app.services.paging import paged, read


@dataclass(frozen=True)
class ListeningSession:
    """From the earliest start of a play to the latest end; the duration is in whole ms, rounded down."""

    start: datetime
    end: datetime
    listens: int
    duration_ms: int


@dataclass(frozen=True)
class Sessions:
    """The sessions of a window: their number, their means (None without sessions), and the longest, then newest."""

    window: Window
    gap_minutes: int
    sessions: int
    mean_listens: float | None
    mean_duration_ms: float | None
    longest: list[ListeningSession]


def sessions(session: Session, audience: Audience, window: Window, gap_minutes: int, limit: int) -> Sessions:
    """Listening sessions: one begins where a play starts more than the gap after all plays before it have ended.

    A play lasts for its track's duration, and ends at the listen's instant. It counts where it ends: the first session
    may start before the window does.
    """
    listens = listens_of(session, audience, window)
    longest, whole = read(run(session, _query, listens, gap_minutes=gap_minutes, limit=limit, offset=0))
    return Sessions(
        window,
        gap_minutes,
        whole.rows,
        whole.mean_listens,
        whole.mean_duration_ms,
        [ListeningSession(row.start, row.end, row.listens, row.duration_ms) for row in longest],
    )


def _query(listens: Listens) -> Select[Any]:
    """The longest sessions, and figures of all."""
    tracks = listens.durations
    rows = listens.rows.c
    end = rows.played_at
    start = end - tracks.c.duration_ms * MILLISECOND
    plays = (
        select(
            start.label("start"),
            end.label("end"),
            func.max(end).over(order_by=start, rows=(None, -1)).label("ended"),
        )
        .join_from(listens.rows, tracks, tracks.c.id == rows.track_id)
        .cte("ends")
    )
    # The first play has none before it: a comparison with null, which begins nothing.
    begins = cast(plays.c.start > plays.c.ended + bindparam("gap_minutes", type_=Integer) * MINUTE, Integer)
    number = func.sum(func.coalesce(begins, 0)).over(order_by=plays.c.start)
    numbered = select(plays, number.label("id")).cte("numbered")
    duration = func.max(numbered.c.end) - func.min(numbered.c.start)
    found = (
        select(
            numbered.c.id,
            func.min(numbered.c.start).label("start"),
            func.max(numbered.c.end).label("end"),
            func.count().label("listens"),
            cast(func.floor(func.extract("epoch", duration) * 1000), BigInteger).label("duration_ms"),
        )
        .group_by(numbered.c.id)
        .cte("sessions")
    )
    return paged(
        found,
        lambda rows: (rows.c.duration_ms.desc(), rows.c.start.desc()),
        figures={
            "mean_listens": select(cast(func.avg(found.c.listens), Float)),
            "mean_duration_ms": select(cast(func.avg(found.c.duration_ms), Float)),
        },
    )
