"""The listening of one person: sessions of consecutive plays, by day and night, with favourites that come back."""

import math
from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import accumulate
from random import Random
from typing import NamedTuple

from app.cli.demo.catalogue import Track
from app.cli.demo.people import WEEKEND, WORKDAY, Person

MEAN_SESSION = 8  # listens
SATURDAY = 5


class Listen(NamedTuple):
    played_at: datetime  # the end of the play
    track: Track


def listen(rng: Random, person: Person, tracks: list[Track]) -> Iterator[Listen]:
    """The person's listens, oldest first, no two at one instant; those that would pass `until` are left out.

    Somebody plays either a track by taste or one that they know, rather from lately than from long ago. Half of the
    time they pick it from their listens, so that what is played often is played more often still.
    """
    new = iter(rng.choices(tracks, cum_weights=list(accumulate(person.taste)), k=person.listens))
    heard: list[Track] = []
    known: set[str] = set()
    collection: list[Track] = []
    now = person.since
    for start, length in _sessions(rng, person):
        now = max(now, start)
        for _ in range(length):
            if not heard or rng.random() < person.novelty:
                track = next(new)
            else:
                track = _rather_lately(rng, heard if rng.random() < 0.5 else collection)
            heard.append(track)
            if track.id not in known:
                known.add(track.id)
                collection.append(track)
            played = 1 if rng.random() < 0.88 else rng.uniform(0.05, 0.6)  # the rest is skipped
            now += timedelta(milliseconds=int(track.duration_ms * played))
            if now > person.until:
                return
            yield Listen(now, track)
            now += timedelta(milliseconds=rng.randint(150, 2500))


def _rather_lately(rng: Random, tracks: list[Track]) -> Track:
    return tracks[-1 - int(len(tracks) * rng.random() ** 2)]


def _sessions(rng: Random, person: Person) -> list[tuple[datetime, int]]:
    """When sessions start and how many listens they have, in order."""
    lengths = _lengths(rng, person.listens)
    midnight = person.since.replace(hour=0, minute=0, second=0, microsecond=0)
    days = list(range((person.until - midnight).days + 1))
    weights = _day_weights(rng, midnight, len(days))
    starts = []
    for day in rng.choices(days, weights, k=len(lengths)):
        date = midnight + timedelta(days=day)
        hour = rng.choices(range(24), WEEKEND if date.weekday() >= SATURDAY else WORKDAY)[0]
        local = date + timedelta(hours=hour, milliseconds=rng.randrange(3_600_000))
        starts.append(local - timedelta(hours=person.shift))
    return list(zip(sorted(starts), lengths, strict=True))


def _lengths(rng: Random, listens: int) -> list[int]:
    lengths = []
    while listens > 0:
        lengths.append(min(listens, 1 + int(rng.expovariate(1 / MEAN_SESSION))))
        listens -= lengths[-1]
    return lengths


def _day_weights(rng: Random, first: datetime, days: int) -> list[float]:
    """How much somebody listens on each day: weekends, moods of some weeks, and holidays without music."""
    phase, period = rng.random(), rng.uniform(60, 200)
    weights = []
    for day in range(days):
        mood = 1 + 0.5 * math.sin(2 * math.pi * (day / period + phase))
        weekend = 1.35 if (first + timedelta(days=day)).weekday() >= SATURDAY - 1 else 1.0
        weights.append(mood * weekend * rng.uniform(0.3, 1.7))
    for _ in range(days // 120):
        holiday = rng.randrange(days)
        length = min(rng.randint(4, 14), days - holiday)
        weights[holiday : holiday + length] = [0.0] * length
    return weights if any(weights) else [1.0] * days
