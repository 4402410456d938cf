"""The same month and day of earlier years."""

from contextlib import suppress
from dataclasses import dataclass
from datetime import date
from operator import methodcaller
from typing import Any

from sqlalchemy import Integer, Select, bindparam, column, func, select, true
from sqlalchemy.dialects.postgresql import ARRAY, TIMESTAMP
from sqlalchemy.orm import Session

from app.domain.audience import Audience
from app.domain.timezones import DAY, aware, first_instant, local_date, naive
from app.domain.today import Today
from app.domain.windows import Window
from app.listens.expressions import between, byte_order
from app.listens.live import Listens
from app.listens.statements import run
from app.models.history import History
from app.services import catalogue
from app.services.rankings import RankedTrack

TOP = 3
FIRST = methodcaller("first")


@dataclass(frozen=True)
class Anniversary:
    """The day in one year: its listens, and its top tracks with rank and share of that day alone."""

    year: int
    count: int
    top_tracks: list[RankedTrack]


@dataclass(frozen=True)
class OnThisDay:
    """The years before `date` in which its month and day has listens, newest first."""

    date: date
    tz: str
    years: list[Anniversary]


def on_this_day(session: Session, audience: Audience, window: Window, today: Today) -> OnThisDay:
    """The same month and day of earlier years; 29 February meets leap years alone."""
    listens = Listens(audience, window)
    first = run(session, FIRST, listens).scalar()
    if first is None:
        return OnThisDay(today.date, window.tz.key, [])
    spans = {}
    for year in range(local_date(aware(first), window.tz).year, today.date.year):
        with suppress(ValueError):  # 29 February
            day = today.date.replace(year=year)
            spans[year] = (first_instant(day, window.tz), first_instant(day + DAY, window.tz))
    starts, ends = ([naive(span[side]) for span in spans.values()] for side in (0, 1))
    rows = run(session, _query, listens, years=list(spans), starts=starts, ends=ends).all()
    tracks = catalogue.tracks(session, list({row.track_id for row in rows}))
    years: dict[int, Anniversary] = {}
    for row in rows:
        track = tracks[row.track_id]
        anniversary = years.setdefault(row.year, Anniversary(row.year, int(row.all_listens), []))
        anniversary.top_tracks.append(
            RankedTrack(
                rank=row.rank,
                count=row.plays,
                listen_time_ms=row.plays * track.duration_ms,
                share=row.plays / anniversary.count,
                **vars(track),
            )
        )
    return OnThisDay(today.date, window.tz.key, list(years.values()))


def _query(listens: Listens) -> Select[Any]:
    """The top tracks of each year's span."""
    plays = _plays(listens).cte("plays")
    ranked = select(
        plays,
        func.rank().over(partition_by=plays.c.year, order_by=plays.c.plays.desc()).label("rank"),
        func.row_number()
        .over(partition_by=plays.c.year, order_by=(plays.c.plays.desc(), byte_order(plays.c.track_id)))
        .label("position"),
        func.sum(plays.c.plays).over(partition_by=plays.c.year).label("all_listens"),
    ).cte("ranked")
    return select(ranked).where(ranked.c.position <= TOP).order_by(ranked.c.year.desc(), ranked.c.position)


def _plays(listens: Listens) -> Select[int, str, int]:
    """`year`, `track_id` and `plays`: the listens by track in each year's span."""
    types = {"years": Integer, "starts": TIMESTAMP, "ends": TIMESTAMP}
    span = (
        func.unnest(*(bindparam(name, type_=ARRAY(type_)) for name, type_ in types.items()))
        .table_valued(column("year", Integer), column("start", TIMESTAMP), column("end", TIMESTAMP), name="span")
        .render_derived()
    )
    # OFFSET 0 keeps the planner from taking the subquery apart: each span is a range of the index on "History".
    plays = (
        select(History.track_id)
        .where(*listens.conditions, between(History.played_at, span.c.start, span.c.end))
        .offset(0)
        .lateral()
    )
    return (
        select(span.c.year, plays.c.track_id, func.count().label("plays"))
        .join_from(span, plays, true())
        .group_by(span.c.year, plays.c.track_id)
    )
