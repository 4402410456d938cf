"""What the rollups' log tells of an archive: which of its days later changes have touched."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from sqlalchemy import Connection, text
from sqlalchemy.orm import Session

from app.archive.manifest import Month
from app.archive.sql import load
from app.rollups.state import read

# The greatest number of a fold.
NEXT_FOLD = (1 << 63) - 1


class NoLogError(Exception):
    """There are no rollups, or none to be believed: nothing tells what changes. The text says what to do."""


@dataclass(frozen=True)
class Log:
    """The rollups' log in one snapshot: its epoch, its last fold, and the last fold that touched each day (UTC)."""

    epoch: str
    fold: int
    snapshot: str
    touched: Mapping[date, int]

    def touched_since(self, month: Month) -> set[date]:
        """The days of an archived month that changes have touched since; or may have: a change that waited then."""
        first, end = month.starts.date(), month.ends.date()
        return {day for day, fold in self.touched.items() if fold > month.fold and first <= day < end}


def read_log(connection: Connection) -> Log:
    """The log in the transaction that is open. Raises NoLogError."""
    with Session(connection) as session:
        rollups = read(session)
        if rollups is None:
            raise NoLogError("The archive stands on the rollups, which are not installed: flask rollups install")
        if rollups.distrust is not None:
            raise NoLogError(f"The rollups are not to be believed ({rollups.distrust}): flask rollups status")
        log = session.execute(text(load("log"))).one()
        touched = session.execute(text(load("touched_days", next_fold=str(NEXT_FOLD)))).all()
        return Log(log.epoch, log.fold, log.snapshot, {row.day: row.fold for row in touched})
