"""Where listens come from: the rollups where they cover the question, the live tables otherwise.

Both give the same rows; the measures do not know which they read.
"""

from sqlalchemy.orm import Session

from app.domain.audience import EVERYONE, Audience
from app.domain.windows import Window
from app.listens.counted.everyone import RolledUpListens
from app.listens.live import Listens
from app.rollups.state import rollups_of


def listens_of(session: Session, audience: Audience, window: Window, name: str = "") -> Listens:
    """The listens of an audience in a window; `name` goes before the names of the CTEs."""
    if audience == EVERYONE:  # nothing is counted ahead of a group or of a subject
        rollups = rollups_of(session)
        if rollups.windows or rollups.has_slots:
            return RolledUpListens(window, rollups, name=name)
    return Listens(audience, window, name=name)
