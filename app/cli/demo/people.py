"""The people of the demo data: what each likes, how much each listens, and when."""

from datetime import datetime
from random import Random
from typing import NamedTuple

from app.cli.demo.catalogue import Catalogue
from app.cli.demo.scenes import FIRST_NAMES, SCENES

SILENT = 2  # people who never listen
LOUDEST = 6  # times the usual

# How likely a session is to begin in each hour of the day: commutes, evenings, sleep.
WORKDAY = (3, 1, 0, 0, 0, 0, 4, 12, 14, 9, 7, 7, 9, 8, 6, 7, 9, 16, 19, 20, 22, 22, 16, 8)
WEEKEND = (9, 5, 2, 0, 0, 0, 0, 2, 5, 10, 14, 15, 14, 14, 14, 14, 15, 16, 18, 20, 22, 23, 20, 15)


class Person(NamedTuple):
    """Who listens, to what, and when.

    `taste` weighs the catalogue's tracks; `novelty` is the share of listens that go by taste rather than by habit;
    `shift` is the local time less UTC, in hours.
    """

    username: str
    taste: list[float]
    listens: int
    novelty: float
    shift: int
    since: datetime
    until: datetime


def make_people(
    rng: Random, count: int, listens: int, catalogue: Catalogue, start: datetime, end: datetime
) -> list[Person]:
    """`count` people who share `listens` listens: the first has the most, the last `SILENT` have none."""
    loudness = sorted((min(rng.lognormvariate(0, 0.8), LOUDEST) for _ in range(count - SILENT)), reverse=True)
    shares = _share_out(listens, loudness) + [0] * SILENT
    return [_person(rng, index, share, catalogue, start, end) for index, share in enumerate(shares)]


def _share_out(total: int, weights: list[float]) -> list[int]:
    shares = [int(total * weight / sum(weights)) for weight in weights]
    shares[0] += total - sum(shares)
    return shares


def _person(rng: Random, index: int, listens: int, catalogue: Catalogue, start: datetime, end: datetime) -> Person:
    name = FIRST_NAMES[index % len(FIRST_NAMES)].lower()
    # Most were there from early on, some came late; every tenth has stopped listening.
    since = start + (end - start) * 0.9 * rng.random() ** 3
    until = since + (end - since) * rng.uniform(0.3, 0.9) if index % 10 == 7 else end
    return Person(
        username=name if index < len(FIRST_NAMES) else f"{name}{index}",
        taste=_taste(rng, index, catalogue),
        listens=listens,
        novelty=rng.uniform(0.08, 0.35),
        shift=rng.choices((0, 1, 2, -5, 9), (3, 5, 3, 2, 1))[0],
        since=since.replace(microsecond=0),
        until=until.replace(microsecond=0),
    )


def _taste(rng: Random, index: int, catalogue: Catalogue) -> list[float]:
    """How much a person likes each track: much the same for people of one scene, like nobody else's for loners."""
    loner = index % 12 == 5
    main = index % len(SCENES)
    if index % 9 == 4:  # likes everything
        scenes = [1.0] * len(SCENES)
    else:
        scenes = [0.0 if loner else 0.01] * len(SCENES)
        scenes[main] = 1.0
        scenes[rng.randrange(len(SCENES))] += 0.15
    fondness = [
        scenes[artist.scene] * rng.lognormvariate(0, 2.0 if loner else 0.5) / (artist.fame if loner else 1)
        for artist in catalogue.artists
    ]
    return [track.weight * fondness[track.artist] for track in catalogue.tracks]
