"""Slots: quarters of an hour, the finest step of today's time zones, numbered from 1970 on."""

from datetime import datetime, timedelta

from app.domain.timezones import naive
from app.domain.windows import MIN_BOUND

SLOT = timedelta(minutes=15)
EPOCH = naive(MIN_BOUND)


def number_of_slot(instant: datetime) -> int:
    """The number of the slot of an instant, naive and in UTC."""
    return (instant - EPOCH) // SLOT


def start_of_slot(number: int) -> datetime:
    """The instant, naive and in UTC, at which a slot begins."""
    return EPOCH + number * SLOT
