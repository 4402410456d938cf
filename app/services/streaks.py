"""Streaks: runs of calendar days with a listen."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from app.domain.audience import Audience
from app.domain.timezones import DAY
from app.domain.today import Today
from app.domain.windows import Window
from app.listens.live import Listens
from app.listens.sources import listens_of
from app.listens.statements import run


@dataclass(frozen=True)
class Streak:
    """A run of days with a listen, both ends included."""

    start: date
    end: date

    @property
    def days(self) -> int:
        """The number of days."""
        return (self.end - self.start).days + 1


@dataclass(frozen=True)
class Streaks:
    """The runs of a window, longest first, then newest."""

    window: Window
    current: Streak | None
    longest: Streak | None
    streaks: list[Streak]


def streaks(session: Session, audience: Audience, window: Window, today: Today, limit: int) -> Streaks:
    """Runs of days with a listen, longest first, then newest. The current one ends today or yesterday."""
    found = runs(days_of(session, listens_of(session, audience, window)))
    ranked = sorted(found, key=lambda run: (run.days, run.start), reverse=True)
    return Streaks(window, current_of(found, today.date), ranked[0] if ranked else None, ranked[:limit])


def days_of(session: Session, listens: Listens) -> list[date]:
    """The local days with a listen, ascending."""
    return list(run(session, _days_query, listens, by_time=True).scalars())


def _days_query(listens: Listens) -> Select[Any]:
    days = listens.days.c
    return select(days.day).order_by(days.day)


def runs(days: Iterable[date]) -> list[Streak]:
    """The runs of ascending days, ascending."""
    found: list[Streak] = []
    for day in days:
        if found and found[-1].end + DAY == day:
            found[-1] = Streak(found[-1].start, day)
        else:
            found.append(Streak(day, day))
    return found


def current_of(runs: Iterable[Streak], today: date) -> Streak | None:
    """The run that ends today or yesterday."""
    return next((run for run in runs if run.end in (today, today - DAY)), None)
