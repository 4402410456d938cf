"""Where listens come from: the rollups where they cover the question, the live tables otherwise.

Both give the same rows; the measures do not know which they read.
"""

import math
import time
from datetime import datetime

from sqlalchemy.orm import Session

from app.domain.audience import Audience
from app.domain.windows import Window
from app.listens.counted.everyone import RolledUpListens
from app.listens.counted.heavy_user import heavy_user_listens
from app.listens.live import Listens
from app.rollups.state import counted_until, rollups_of

# Seconds after which a user who was not counted ahead is checked again. Most users are not, and the check takes as long
# as some of their answers. Live listens are always right.
UNCOUNTED_FOR = 60.0
# The most users that are remembered as such.
MOST_UNCOUNTED = 10_000
# When each of them was checked.
_uncounted: dict[int, float] = {}


def listens_of(session: Session, audience: Audience, window: Window, name: str = "") -> Listens:
    """The listens of an audience in a window; `name` goes before the names of the CTEs."""
    if audience.user_ids is None:
        rollups = rollups_of(session)
        if rollups.windows or rollups.has_slots:
            return RolledUpListens(window, rollups, name=name)
    elif audience.user_id is not None and (until := _counted_until(session, audience.user_id)):
        return heavy_user_listens(audience, window, until, name)
    return Listens(audience, window, name=name)


def _counted_until(session: Session, user_id: int) -> datetime | None:
    now = time.monotonic()
    if now - _uncounted.get(user_id, -math.inf) < UNCOUNTED_FOR:
        return None
    until = counted_until(session, user_id)
    if until is None:
        if len(_uncounted) >= MOST_UNCOUNTED:
            _uncounted.clear()
        _uncounted[user_id] = now
    return until
