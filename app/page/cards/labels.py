"""What cards say of windows, numbers and lengths of time, in English."""

from datetime import date, timedelta

from app.domain.timezones import local_date
from app.domain.windows import Window

UNITS = (("d", 86_400_000), ("h", 3_600_000), ("min", 60_000))


def number(value: int) -> str:
    """A number with its thousands set apart."""
    return f"{value:,}"


def duration(milliseconds: int) -> str:
    """A length of time in its two largest units: `3 d 4 h`."""
    parts = []
    for unit, size in UNITS:
        whole, milliseconds = divmod(milliseconds, size)
        if whole:
            parts.append(f"{number(whole)} {unit}")
    return " ".join(parts[:2]) or "0 min"


def day(value: date) -> str:
    """A calendar day: `3 Nov 2026`."""
    return f"{value.day} {value:%b %Y}"


def span(window: Window) -> str:
    """A window's days in its time zone; a whole month or year by its name. It is true for as long as the card is."""
    first = None if window.start is None else local_date(window.start, window.tz)
    last = None if window.end is None else local_date(window.end - timedelta(microseconds=1), window.tz)
    if first is None or last is None:
        return f"since {day(first)}" if first else f"until {day(last)}" if last else "All time"
    after = last + timedelta(days=1)
    if first.day == after.day == 1:
        months = (after.year - first.year) * 12 + after.month - first.month
        if months == 1:
            return f"{first:%B %Y}"
        if months == 12 and first.month == 1:
            return str(first.year)
    if first == last:
        return day(first)
    start = f"{first.day} {first:%b}" if first.year == last.year else day(first)
    return f"{start} \u2013 {day(last)}"  # an en dash
