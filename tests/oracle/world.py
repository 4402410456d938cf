"""A platform's database as plain rows, and how they get into PostgreSQL."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import Connection


class Track(NamedTuple):
    """A row of "Tracks" without its id."""

    name: str
    duration_ms: int


class Listen(NamedTuple):
    """A row of "History"; the instant is aware, in UTC."""

    user_id: int
    played_at: datetime
    track_id: str


@dataclass
class World:
    """Every table by its primary key. Instants are aware, in UTC; images are by (id, height, width)."""

    users: dict[int, str] = field(default_factory=dict)
    artists: dict[str, str] = field(default_factory=dict)
    tracks: dict[str, Track] = field(default_factory=dict)
    credits: dict[tuple[str, str], bool] = field(default_factory=dict)
    genres: set[tuple[str, str]] = field(default_factory=set)
    track_images: dict[tuple[str, int, int], str] = field(default_factory=dict)
    artist_images: dict[tuple[str, int, int], str] = field(default_factory=dict)
    previews: dict[str, str] = field(default_factory=dict)
    features: dict[str, dict[str, float]] = field(default_factory=dict)
    track_popularity: dict[tuple[str, datetime], int] = field(default_factory=dict)
    artist_popularity: dict[tuple[str, datetime], int] = field(default_factory=dict)
    followers: dict[tuple[str, datetime], int] = field(default_factory=dict)
    history: dict[tuple[int, datetime], str] = field(default_factory=dict)

    @property
    def listens(self) -> list[Listen]:
        """Every listen of 1970 to 2100, oldest first: what lies beyond is in no answer."""
        rows = [
            Listen(user_id, played_at, track_id)
            for (user_id, played_at), track_id in self.history.items()
            if 1970 <= played_at.year <= 2100
        ]
        return sorted(rows, key=lambda listen: (listen.played_at, listen.user_id))

    def load(self, connection: Connection) -> None:
        """Write every row, in one round trip."""
        cursor = connection.connection.cursor()
        script = b";".join(
            f'INSERT INTO "{table}" ({", ".join(columns)}) VALUES '.encode()
            + b",".join(cursor.mogrify("(" + ", ".join(["%s"] * len(columns)) + ")", _naive(row)) for row in rows)
            for table, columns, rows in self._tables()
            if rows
        )
        if script:
            cursor.execute(script)
        cursor.close()

    def _tables(self) -> list[tuple[str, list[str], list[tuple[Any, ...]]]]:
        """Table, columns and rows, each table after those that it refers to."""
        names = ["key", "mode", "time_signature", *FEATURES]
        users = [(id, name, f"{id}@example.com", f"spotify-{id}") for id, name in self.users.items()]
        features = [(id, *(values[name] for name in names)) for id, values in self.features.items()]
        return [
            ("Users", ["id", "username", "email", "spotify_id"], users),
            ("Artists", ["id", "name"], list(self.artists.items())),
            ("Tracks", ["id", "name", "duration_ms"], [(id, *track) for id, track in self.tracks.items()]),
            ("ArtistTracks", ["track_id", "artist_id", "is_primary"], _flat(self.credits)),
            ("ArtistGenres", ["id", "genre"], list(self.genres)),
            ("TrackImages", ["id", "height", "width", "url"], _flat(self.track_images)),
            ("ArtistImages", ["id", "height", "width", "url"], _flat(self.artist_images)),
            ("TrackPreviews", ["id", "url"], list(self.previews.items())),
            ("TrackFeatures", ["id", *names], features),
            ("TrackPopularity", ["id", "date", "popularity"], _flat(self.track_popularity)),
            ("ArtistPopularity", ["id", "date", "popularity"], _flat(self.artist_popularity)),
            ("ArtistFollowers", ["id", "date", "followers"], _flat(self.followers)),
            ("History", ["user_id", "played_at", "track_id"], _flat(self.history)),
        ]


# The measures of a feature profile, with the range of each one's histogram.
FEATURES = {
    "acousticness": (0.0, 1.0),
    "danceability": (0.0, 1.0),
    "energy": (0.0, 1.0),
    "instrumentalness": (0.0, 1.0),
    "liveness": (0.0, 1.0),
    "loudness": (-60.0, 0.0),
    "speechiness": (0.0, 1.0),
    "tempo": (0.0, 250.0),
    "valence": (0.0, 1.0),
}


def _flat(rows: dict[Any, Any]) -> list[tuple[Any, ...]]:
    return [(*key, value) for key, value in rows.items()]


def _naive(row: tuple[Any, ...]) -> tuple[Any, ...]:
    return tuple(value.replace(tzinfo=None) if isinstance(value, datetime) else value for value in row)
