"""The music of the demo data: a few famous artists, a long tail of others, and some of every awkward kind."""

import string
from collections.abc import Callable
from random import Random
from typing import NamedTuple

from app.cli.demo import scenes
from app.cli.demo.scenes import SCENES

ID_CHARACTERS = string.ascii_letters + string.digits  # of Spotify's ids, which are 22 long
TRACKS_OF_THE_BEST = 30


class Artist(NamedTuple):
    """`scene` is an index into SCENES; `fame` is 1 for the best known artist of a scene, and falls towards 0."""

    id: str
    name: str
    scene: int
    genres: tuple[str, ...]
    fame: float


class Track(NamedTuple):
    """`artist` (an index) made it; `credits` are the artists named on it, and whether each is primary.

    `weight` is how much it is played.
    """

    id: str
    name: str
    duration_ms: int
    artist: int
    credits: tuple[tuple[str, bool], ...]
    weight: float


class Catalogue(NamedTuple):
    artists: list[Artist]
    tracks: list[Track]


def make_catalogue(rng: Random, artists: int) -> Catalogue:
    """A catalogue with `artists` artists, and about ten tracks of each."""
    people = _artists(rng, artists)
    return Catalogue(people, _tracks(rng, people))


def spotify_id(rng: Random) -> str:
    return "".join(rng.choices(ID_CHARACTERS, k=22))


def _artists(rng: Random, count: int) -> list[Artist]:
    artists = []
    for index in range(count):
        scene = index % len(SCENES)
        genres = SCENES[scene].genres
        chosen = rng.sample(genres, rng.choices((0, 1, 2, 3), (0.07, 0.4, 0.38, 0.15))[0])
        if rng.random() < 0.08:  # somebody between two scenes
            chosen.append(rng.choice(SCENES[(scene + 1) % len(SCENES)].genres))
        fame = 1 / (index // len(SCENES) + 1) ** 0.9
        artists.append(Artist(spotify_id(rng), _artist_name(rng), scene, tuple(chosen), fame))
    # Two well-known artists of one name, in different scenes.
    namesake = len(SCENES) + 1
    if count > namesake:
        artists[namesake] = artists[namesake]._replace(name=artists[0].name)
    return artists


def _tracks(rng: Random, artists: list[Artist]) -> list[Track]:
    tracks = []
    by_scene = [[artist for artist in artists if artist.scene == scene] for scene in range(len(SCENES))]
    for index, artist in enumerate(artists):
        for rank in range(rng.randint(3, 8) + int(TRACKS_OF_THE_BEST * artist.fame**0.7)):
            weight = artist.fame / (rank + 1) ** 0.8
            name = _track_name(rng, classical=artist.scene == len(SCENES) - 1)
            seconds = min(max(rng.lognormvariate(0, 0.28) * SCENES[artist.scene].seconds, 35), 1500)
            credited = _credits(rng, artist, by_scene[artist.scene] if rng.random() < 0.8 else artists)
            tracks.append(Track(spotify_id(rng), name, int(seconds * 1000), index, credited, weight))
    return tracks


def _credits(rng: Random, artist: Artist, company: list[Artist]) -> tuple[tuple[str, bool], ...]:
    chance = rng.random()
    if chance < 0.005:  # nobody knows who made it
        return ()
    guests = 0 if chance < 0.80 else 1 if chance < 0.95 else 2
    others = dict.fromkeys(rng.choice(company).id for _ in range(guests))
    others.pop(artist.id, None)
    together = rng.random() < 0.2  # as equals, rather than as guests
    return ((artist.id, True), *((other, together) for other in others))


def _artist_name(rng: Random) -> str:
    kinds: tuple[Callable[[], str], ...] = (
        lambda: f"{rng.choice(scenes.FIRST_NAMES)} {rng.choice(scenes.LAST_NAMES)}",
        lambda: f"The {rng.choice(scenes.ADJECTIVES)} {rng.choice(scenes.NOUNS)}s",
        lambda: f"{rng.choice(scenes.ADJECTIVES)} {rng.choice(scenes.NOUNS)}",
        lambda: f"{rng.choice(scenes.FIRST_NAMES)} & the {rng.choice(scenes.NOUNS)}s",
        lambda: f"{rng.choice(scenes.NOUNS)} {rng.choice(scenes.NOUNS)}".upper(),
    )
    return rng.choice(kinds)()


def _track_name(rng: Random, classical: bool) -> str:
    if classical:
        key = f"{rng.choice('ABCDEFG')}{rng.choice(('', '-flat', '-sharp'))} {rng.choice(('major', 'minor'))}"
        tempo = rng.choice(("Allegro ma non troppo", "Adagio", "Andante con moto", "Presto", "Largo"))
        return f"Suite No. {rng.randint(1, 40)} in {key}, Op. {rng.randint(1, 120)}: {rng.randint(1, 6)}. {tempo}"
    kinds: tuple[Callable[[], str], ...] = (
        lambda: f"{rng.choice(scenes.ADJECTIVES)} {rng.choice(scenes.NOUNS)}",
        lambda: f"{rng.choice(scenes.VERBS)} Me",
        lambda: f"{rng.choice(scenes.NOUNS)} in {rng.choice(scenes.PLACES)}",
        lambda: f"{rng.choice(scenes.VERBS)} the {rng.choice(scenes.NOUNS)}",
        lambda: rng.choice(scenes.NOUNS),
        lambda: rng.choice(("Intro", "Interlude", "Outro", "Untitled")),
    )
    name = rng.choices(kinds, (6, 2, 4, 4, 2, 0.4))[0]()
    return f"{name} - {rng.choice(('Live', 'Remix', 'Acoustic', 'Radio Edit'))}" if rng.random() < 0.08 else name
