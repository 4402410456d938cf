"""What is known about the demo's artists and tracks: pictures, genres, audio features, popularity over time."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from random import Random
from typing import Any

from app.cli.demo.catalogue import Artist, Catalogue, Track
from app.cli.demo.scenes import SCENES
from app.models.base import Base
from app.models.history import (
    ArtistFollowers,
    ArtistGenre,
    ArtistImage,
    ArtistPopularity,
    TrackFeatures,
    TrackImage,
    TrackPopularity,
    TrackPreview,
)

Row = tuple[Any, ...]

QUARTER = timedelta(days=91)

# A square of one colour: a picture that shows without a network.
PICTURE = (
    "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' width='{width}' height='{height}'%3E"
    "%3Crect width='100%25' height='100%25' fill='%23{colour:06x}'/%3E%3C/svg%3E"
)
# Sizes as (height, width), and how usual they are. Of the last kind two are of equal width.
TRACK_PICTURES = ((((640, 640), (300, 300), (64, 64)), 85), (((300, 300),), 4), ((), 7), (((360, 640), (640, 640)), 4))
ARTIST_PICTURES = ((((640, 640), (320, 320), (160, 160)), 84), ((), 12), (((667, 1000), (1000, 1000)), 4))

Pictures = tuple[tuple[tuple[tuple[int, int], ...], int], ...]


def details(
    rng: Random, catalogue: Catalogue, start: datetime, end: datetime
) -> Iterator[tuple[type[Base], list[Row]]]:
    """The rows of each table that describes artists and tracks, columns in the table's order."""
    artists, tracks = catalogue
    quarters = [end - QUARTER * count for count in range((end - start) // QUARTER, -1, -1)]
    yield ArtistGenre, [(artist.id, genre) for artist in artists for genre in artist.genres]
    yield ArtistImage, [row for artist in artists for row in _pictures(rng, artist.id, ARTIST_PICTURES)]
    yield ArtistPopularity, [row for artist in artists for row in _popularity(rng, artist.id, artist.fame, quarters)]
    yield ArtistFollowers, [row for artist in artists for row in _followers(rng, artist, quarters)]
    yield TrackImage, [row for track in tracks for row in _pictures(rng, track.id, TRACK_PICTURES)]
    yield TrackPreview, [(track.id, _preview(track)) for track in tracks if rng.random() < 0.75]
    yield TrackFeatures, [_features(rng, track, artists) for track in tracks if rng.random() < 0.85]
    halves = quarters[::-2][::-1]
    yield TrackPopularity, [row for track in tracks for row in _popularity(rng, track.id, track.weight, halves)]


def _pictures(rng: Random, owner: str, kinds: Pictures) -> Iterator[Row]:
    sizes = rng.choices([sizes for sizes, _ in kinds], [weight for _, weight in kinds])[0]
    colour = rng.randrange(0x1000000)
    return (
        (owner, height, width, PICTURE.format(height=height, width=width, colour=colour)) for height, width in sizes
    )


def _preview(track: Track) -> str:
    return f"https://previews.example/{track.id}.mp3"  # .example is nobody's, ever


def _popularity(rng: Random, owner: str, fame: float, dates: list[datetime]) -> Iterator[Row]:
    """A walk around what the fame deserves; every twentieth has no record."""
    if rng.random() < 0.05:
        return
    popularity = 25 + 60 * fame**0.3 * rng.uniform(0.6, 1.1)
    for date in dates:
        popularity = min(max(popularity + rng.gauss(0, 3), 0), 100)
        yield owner, date, round(popularity)


def _followers(rng: Random, artist: Artist, dates: list[datetime]) -> Iterator[Row]:
    if rng.random() < 0.05:
        return
    followers = 500 + 2_000_000 * artist.fame * rng.lognormvariate(0, 0.5)
    for date in dates:
        followers *= rng.lognormvariate(0.03, 0.04)
        yield artist.id, date, round(followers)


def _features(rng: Random, track: Track, artists: list[Artist]) -> Row:
    scene = SCENES[artists[track.artist].scene]

    def share(mean: float) -> float:
        return round(min(max(rng.gauss(mean, 0.14), 0), 1), 3)

    # Spotify gives 0 for the tempo and the time signature of a track without a beat.
    beat = rng.random() > 0.004
    return (
        track.id,
        share(scene.acousticness),
        share(scene.danceability),
        share(scene.energy),
        share(scene.instrumentalness),
        rng.randrange(12),
        share(0.18),
        round(min(max(rng.gauss(scene.loudness, 3), -60), 0), 3),
        int(rng.random() < 0.62),
        share(0.08),
        round(min(max(rng.gauss(scene.tempo, 22), 45), 220), 3) if beat else 0.0,
        rng.choices((4, 3, 5), (90, 8, 2))[0] if beat else 0,
        share(scene.valence),
    )
