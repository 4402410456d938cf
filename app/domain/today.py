"""Today: what "now" means to a measure that goes by days."""

from dataclasses import dataclass
from datetime import date, datetime
from zoneinfo import ZoneInfo

from app.domain.timezones import DAY, first_instant, local_date


@dataclass(frozen=True)
class Today:
    """A local day, and the instant `until` at which it is no longer today; None for a day that was asked for."""

    date: date
    until: datetime | None = None

    @classmethod
    def at(cls, now: datetime, tz: ZoneInfo) -> "Today":
        """The local day of an instant."""
        day = local_date(now, tz)
        return cls(day, first_instant(day + DAY, tz))
