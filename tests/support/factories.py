"""Rows of the platform's tables, with sensible values for what a test does not care about."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import count
from typing import Any, TypeVar

from sqlalchemy.orm import Session

from app.models import history as tables

Row = TypeVar("Row")


@dataclass
class Platform:
    """Adds rows, and returns them. Ids count up unless they are given."""

    session: Session
    _ids: Any = field(default_factory=lambda: count(1))

    def add(self, row: Row) -> Row:
        """Add any row."""
        self.session.add(row)
        self.session.flush()
        return row

    def user(self, id: int | None = None, username: str = "listener") -> tables.User:
        """A user."""
        id = next(self._ids) if id is None else id
        return self.add(tables.User(id=id, username=username, email=f"{id}@example.com", spotify_id=f"spotify-{id}"))

    def artist(
        self,
        id: str | None = None,
        name: str = "Artist",
        genres: Iterable[str] = (),
        images: Iterable[tuple[int, int, str]] = (),
    ) -> tables.Artist:
        """An artist, with genres and images of (width, height, URL)."""
        artist = self.add(tables.Artist(id=id or f"artist{next(self._ids)}", name=name))
        for genre in genres:
            self.add(tables.ArtistGenre(id=artist.id, genre=genre))
        for width, height, url in images:
            self.add(tables.ArtistImage(id=artist.id, width=width, height=height, url=url))
        return artist

    def track(
        self,
        id: str | None = None,
        name: str = "Track",
        duration_ms: int = 180_000,
        primary: Iterable[tables.Artist] = (),
        featured: Iterable[tables.Artist] = (),
        images: Iterable[tuple[int, int, str]] = (),
        preview: str | None = None,
        features: dict[str, float] | None = None,
    ) -> tables.Track:
        """A track with its credits; images are (width, height, URL)."""
        track = self.add(tables.Track(id=id or f"track{next(self._ids)}", name=name, duration_ms=duration_ms))
        for artists, is_primary in ((primary, True), (featured, False)):
            for artist in artists:
                self.add(tables.ArtistTrack(track_id=track.id, artist_id=artist.id, is_primary=is_primary))
        for width, height, url in images:
            self.add(tables.TrackImage(id=track.id, width=width, height=height, url=url))
        if preview is not None:
            self.add(tables.TrackPreview(id=track.id, url=preview))
        if features is not None:
            self.add(tables.TrackFeatures(id=track.id, **(FEATURES | features)))
        return track

    def popularity(self, of: tables.Track | tables.Artist, date: str, popularity: int) -> None:
        """What Spotify thought of a track or an artist at an instant in UTC."""
        table = tables.TrackPopularity if isinstance(of, tables.Track) else tables.ArtistPopularity
        self.add(table(id=of.id, date=datetime.fromisoformat(date), popularity=popularity))

    def followers(self, artist: tables.Artist, date: str, followers: int) -> None:
        """An artist's followers at an instant in UTC."""
        self.add(tables.ArtistFollowers(id=artist.id, date=datetime.fromisoformat(date), followers=followers))

    def listen(self, user: tables.User, track: tables.Track, at: str | datetime) -> tables.History:
        """One listen, at an instant in UTC: `2026-01-31T18:30` or a datetime."""
        instant = datetime.fromisoformat(at) if isinstance(at, str) else at
        if instant.tzinfo is not None:
            instant = instant.astimezone(UTC).replace(tzinfo=None)
        return self.add(tables.History(user_id=user.id, track_id=track.id, played_at=instant))

    def listens(self, user: tables.User, track: tables.Track, number: int, day: str = "2026-01-01") -> None:
        """A number of listens of one track, a minute apart, from the day's first hour that the user has free."""
        start = datetime.fromisoformat(day)
        for _ in range(number):
            serial = next(self._ids)
            self.listen(user, track, start.replace(hour=serial // 60 % 24, minute=serial % 60, second=serial // 1440))


FEATURES = {
    "acousticness": 0.5,
    "danceability": 0.5,
    "energy": 0.5,
    "instrumentalness": 0.5,
    "key": 0,
    "liveness": 0.5,
    "loudness": -10.0,
    "mode": 1,
    "speechiness": 0.5,
    "tempo": 120.0,
    "time_signature": 4,
    "valence": 0.5,
}
