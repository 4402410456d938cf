"""What the rollups can answer for, as a transaction sees them: the one place that decides whether they are believed."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from weakref import WeakSet

from sqlalchemy import Engine, Row, text
from sqlalchemy.exc import ProgrammingError
from sqlalchemy.orm import Session

from app.domain.slots import start_of_slot
from app.domain.timezones import DAY
from app.models.rollups import TABLES, VERSION
from app.rollups.installation.triggers import ARE_ON
from app.rollups.spans import EVER, Span
from app.rollups.sql import load

# Why rollups are not believed, besides what the table `state` says.
LACKING = "a table of the schema insights is missing or not granted"
OTHER_VERSION = "the schema insights is of another version"
EMPTIED = "the schema insights has lost its rows"
UNWATCHED = "a trigger is missing or switched off"
TRUNCATED = "a table was truncated"

QUOTED_TABLES = ", ".join(f"'{table}'" for table in TABLES)
READABLE = load("readable", tables=QUOTED_TABLES)
INSTALLED = text(load("installed", tables=QUOTED_TABLES, readable=READABLE))
STATE = text(load("state", readable=READABLE, watched=ARE_ON, waiting=load("waiting")))


@dataclass(frozen=True)
class Rollups:
    """The windows that have rankings, which of the other rollups are there, and whether changes wait to be folded in.

    `first_slot` is that of the first listen, None where it is not known. `distrust` is why nothing here is believed,
    None where all is.
    """

    windows: Mapping[int, Span] = field(default_factory=dict)
    has_slots: bool = False
    first_slot: int | None = None
    has_firsts: bool = False
    listens_changed: bool = False
    catalogue_changed: bool = False
    distrust: str | None = None

    @property
    def changed(self) -> bool:
        """Whether the rollups alone do not tell the whole."""
        return self.listens_changed or self.catalogue_changed

    @property
    def listened(self) -> Span:
        """From the first listen to the end of today: no window that is kept begins later than that."""
        first = EVER.starts if self.first_slot is None else start_of_slot(self.first_slot)
        today = max((span.starts for span in self.windows.values() if span != EVER), default=None)
        return Span(first, today + DAY if today else EVER.ends)


NONE = Rollups()

# The databases whose tables could be read when they were last asked. To ask takes half as long as to read them; most of
# them have them all their lives.
known_readable: WeakSet[Engine] = WeakSet()


def rollups_of(session: Session) -> Rollups:
    """The rollups as the session's transaction sees them; none where none are installed or to be believed."""
    transaction = session.get_transaction()
    known: tuple[object, Rollups] | None = session.info.get("rollups")
    if known is None or known[0] is not transaction or transaction is None:
        found = read(session)
        known = session.info["rollups"] = (session.get_transaction(), found or NONE)
    return known[1] if known[1].distrust is None else NONE


def read(session: Session) -> Rollups | None:
    """The rollups as the session's transaction sees them, believed or not; None where none are installed.

    Where they could be read before, and cannot any more, the session is left with a new transaction.
    """
    engine = session.connection().engine
    if engine not in known_readable:
        found = session.execute(INSTALLED).one()
        if not found.readable:
            return Rollups(distrust=LACKING) if found.installed else None
    try:
        state = session.execute(STATE).one()
    except ProgrammingError:
        session.rollback()
        if engine not in known_readable:
            return Rollups(distrust=OTHER_VERSION)
        known_readable.discard(engine)
        return read(session)
    known_readable.add(engine)
    return Rollups(
        windows={id_: Span(*map(datetime.fromisoformat, bounds)) for id_, *bounds in state.windows or ()},
        has_slots=bool(state.slots_built),
        first_slot=state.first_slot,
        has_firsts=bool(state.firsts_built),
        listens_changed=state.listens_changed,
        catalogue_changed=state.catalogue_changed,
        distrust=_distrust(state),
    )


def _distrust(state: Row[Any]) -> str | None:
    reasons = {
        LACKING: not state.readable,
        EMPTIED: state.version is None or state.slots_built is None or state.emptied,
        OTHER_VERSION: state.version != VERSION,
        state.distrust: state.distrust is not None,
        UNWATCHED: not state.watched,
        TRUNCATED: state.truncated,
    }
    return next((reason for reason, holds in reasons.items() if holds), None)
