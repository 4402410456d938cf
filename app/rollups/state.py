"""What the rollups can answer for, as a transaction sees them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from weakref import WeakSet

from sqlalchemy import Engine, text
from sqlalchemy.exc import ProgrammingError
from sqlalchemy.orm import Session

from app.domain.slots import start_of_slot
from app.domain.timezones import DAY
from app.rollups.installation.triggers import ARE_ON
from app.rollups.spans import EVER, Span

# Whether the role may read the newest table. It is not there before an older version is brought up to date; and neither
# may the schema be, or the right to enter it.
IS_CURRENT = text("""
    SELECT EXISTS (
        SELECT FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE n.nspname = 'insights' AND c.relname = 'unannounced'
            AND has_schema_privilege(n.oid, 'USAGE') AND has_table_privilege(c.oid, 'SELECT')
    )
""")
STATE = text(f"""
    SELECT trusted, reason, slots_built, firsts_built,
        {ARE_ON} AS watched,
        EXISTS (SELECT FROM insights.truncations) AS truncated,
        EXISTS (SELECT FROM insights.listen_changes) AS listens_changed,
        EXISTS (SELECT FROM insights.credit_changes) OR EXISTS (SELECT FROM insights.genre_changes)
            OR EXISTS (SELECT FROM insights.duration_changes) AS catalogue_changed,
        (SELECT json_agg(json_build_array(id, starts, ends)) FROM insights.windows) AS windows,
        (SELECT min(slot) FROM insights.slots) AS first_slot
    FROM insights.state
""")


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

# The databases that had rollups of this version when they were last asked. To ask takes half as long as to read them;
# most of them have them all their lives.
known_current: WeakSet[Engine] = WeakSet()


def rollups_of(session: Session) -> Rollups:
    """The rollups as the session's transaction sees them; none where none are installed or to be believed."""
    transaction = session.get_transaction()
    known: tuple[object, Rollups] | None = session.info.get("rollups")
    if known is None or known[0] is not transaction or transaction is None:
        found = read(session)
        known = session.info["rollups"] = (session.get_transaction(), found or NONE)
    return known[1] if known[1].distrust is None else NONE


def read(session: Session) -> Rollups | None:
    """The rollups as the session's transaction sees them, believed or not; None where none of this version are.

    Where they have been there, and are not any more, the session is left with a new transaction.
    """
    engine = session.connection().engine
    if engine not in known_current and not session.scalar(IS_CURRENT):
        return None
    try:
        state = session.execute(STATE).one()
    except ProgrammingError:
        if engine not in known_current:
            raise
        known_current.discard(engine)
        session.rollback()
        return read(session)
    known_current.add(engine)
    distrust = None
    if not state.trusted:
        distrust = state.reason
    elif not state.watched:
        distrust = "a trigger is missing or switched off"
    elif state.truncated:
        distrust = "a table was truncated"
    return Rollups(
        windows={id_: Span(*map(datetime.fromisoformat, bounds)) for id_, *bounds in state.windows or ()},
        has_slots=state.slots_built,
        first_slot=state.first_slot,
        has_firsts=state.firsts_built,
        listens_changed=state.listens_changed,
        catalogue_changed=state.catalogue_changed,
        distrust=distrust,
    )
