"""The platform's tables, as songswap-app owns and migrates them. This service only reads them.

Instants are naive timestamps in UTC. Every foreign key cascades on delete and on update, in the database and in the
ORM.
"""

from datetime import datetime

from sqlalchemy import ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.models.base import Base

# Track and artist ids are Spotify's; the platform leaves them two characters more than Spotify uses today.
ID_LENGTH = 24


def _owned_by(column: str) -> ForeignKey:
    return ForeignKey(column, ondelete="CASCADE", onupdate="CASCADE")


UNREAD = {"unread": True}


class User(Base):
    """A listener."""

    __tablename__ = "Users"

    id: Mapped[int] = mapped_column(primary_key=True)
    username: Mapped[str] = mapped_column(String(20))
    # Neither is read by the service, nor shown to its role.
    email: Mapped[str] = mapped_column(String(120), unique=True, info=UNREAD)
    spotify_id: Mapped[str] = mapped_column(String(120), unique=True, info=UNREAD)

    history: Mapped[list["History"]] = relationship(
        back_populates="user", cascade="all, delete-orphan", passive_deletes=True
    )


class History(Base):
    """One listen: a user's play of a track, which ended at an instant."""

    __tablename__ = "History"

    user_id: Mapped[int] = mapped_column(_owned_by("Users.id"), primary_key=True)
    played_at: Mapped[datetime] = mapped_column(primary_key=True)
    track_id: Mapped[str] = mapped_column(String(ID_LENGTH), _owned_by("Tracks.id"))

    user: Mapped[User] = relationship(back_populates="history")
    track: Mapped["Track"] = relationship(back_populates="history")


class Track(Base):
    """A track; `duration_ms` is what one listen adds to the listen time; a negative one counts as 0."""

    __tablename__ = "Tracks"

    id: Mapped[str] = mapped_column(String(ID_LENGTH), primary_key=True)
    name: Mapped[str] = mapped_column(String(240))
    duration_ms: Mapped[int]

    history: Mapped[list[History]] = relationship(
        back_populates="track", cascade="all, delete-orphan", passive_deletes=True
    )
    artists: Mapped[list["ArtistTrack"]] = relationship(
        back_populates="track", cascade="all, delete-orphan", passive_deletes=True
    )
    popularity: Mapped[list["TrackPopularity"]] = relationship(cascade="all, delete-orphan", passive_deletes=True)
    features: Mapped["TrackFeatures | None"] = relationship(cascade="all, delete-orphan", passive_deletes=True)
    images: Mapped[list["TrackImage"]] = relationship(cascade="all, delete-orphan", passive_deletes=True)
    preview: Mapped["TrackPreview | None"] = relationship(cascade="all, delete-orphan", passive_deletes=True)


class Artist(Base):
    """An artist, known by id: two artists of one name are two."""

    __tablename__ = "Artists"

    id: Mapped[str] = mapped_column(String(ID_LENGTH), primary_key=True)
    name: Mapped[str] = mapped_column(String(120))

    tracks: Mapped[list["ArtistTrack"]] = relationship(
        back_populates="artist", cascade="all, delete-orphan", passive_deletes=True
    )
    popularity: Mapped[list["ArtistPopularity"]] = relationship(cascade="all, delete-orphan", passive_deletes=True)
    genres: Mapped[list["ArtistGenre"]] = relationship(cascade="all, delete-orphan", passive_deletes=True)
    followers: Mapped[list["ArtistFollowers"]] = relationship(cascade="all, delete-orphan", passive_deletes=True)
    images: Mapped[list["ArtistImage"]] = relationship(cascade="all, delete-orphan", passive_deletes=True)


class ArtistTrack(Base):
    """A credit: the artist takes part in the track, as a primary artist or as a guest."""

    __tablename__ = "ArtistTracks"

    track_id: Mapped[str] = mapped_column(String(ID_LENGTH), _owned_by("Tracks.id"), primary_key=True)
    artist_id: Mapped[str] = mapped_column(String(ID_LENGTH), _owned_by("Artists.id"), primary_key=True)
    is_primary: Mapped[bool]

    track: Mapped[Track] = relationship(back_populates="artists")
    artist: Mapped[Artist] = relationship(back_populates="tracks")


class TrackPopularity(Base):
    """Spotify's popularity of a track, 0 to 100, as read at an instant."""

    __tablename__ = "TrackPopularity"

    id: Mapped[str] = mapped_column(String(ID_LENGTH), _owned_by("Tracks.id"), primary_key=True)
    date: Mapped[datetime] = mapped_column(primary_key=True)
    popularity: Mapped[int]


class TrackFeatures(Base):
    """Spotify's audio features of a track: 0 to 1; loudness in dB, tempo in BPM, key by pitch class, mode 1 major."""

    __tablename__ = "TrackFeatures"

    id: Mapped[str] = mapped_column(String(ID_LENGTH), _owned_by("Tracks.id"), primary_key=True)
    acousticness: Mapped[float]
    danceability: Mapped[float]
    energy: Mapped[float]
    instrumentalness: Mapped[float]
    key: Mapped[int]
    liveness: Mapped[float]
    loudness: Mapped[float]
    mode: Mapped[int]
    speechiness: Mapped[float]
    tempo: Mapped[float]
    time_signature: Mapped[int]
    valence: Mapped[float]


class TrackImage(Base):
    """A picture of a track's album, in pixels."""

    __tablename__ = "TrackImages"

    id: Mapped[str] = mapped_column(String(ID_LENGTH), _owned_by("Tracks.id"), primary_key=True)
    height: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    width: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    url: Mapped[str] = mapped_column(String(240))


class TrackPreview(Base):
    """The address of a track's 30 second preview."""

    __tablename__ = "TrackPreviews"

    id: Mapped[str] = mapped_column(String(ID_LENGTH), _owned_by("Tracks.id"), primary_key=True)
    url: Mapped[str] = mapped_column(String(240))


class ArtistPopularity(Base):
    """Spotify's popularity of an artist, 0 to 100, as read at an instant."""

    __tablename__ = "ArtistPopularity"

    id: Mapped[str] = mapped_column(String(ID_LENGTH), _owned_by("Artists.id"), primary_key=True)
    date: Mapped[datetime] = mapped_column(primary_key=True)
    popularity: Mapped[int]


class ArtistImage(Base):
    """A picture of an artist, in pixels."""

    __tablename__ = "ArtistImages"

    id: Mapped[str] = mapped_column(String(ID_LENGTH), _owned_by("Artists.id"), primary_key=True)
    height: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    width: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    url: Mapped[str] = mapped_column(String(240))


class ArtistGenre(Base):
    """A genre that Spotify gives an artist."""

    __tablename__ = "ArtistGenres"

    id: Mapped[str] = mapped_column(String(ID_LENGTH), _owned_by("Artists.id"), primary_key=True)
    genre: Mapped[str] = mapped_column(String(120), primary_key=True)


class ArtistFollowers(Base):
    """An artist's followers on Spotify, as read at an instant."""

    __tablename__ = "ArtistFollowers"

    id: Mapped[str] = mapped_column(String(ID_LENGTH), _owned_by("Artists.id"), primary_key=True)
    date: Mapped[datetime] = mapped_column(primary_key=True)
    followers: Mapped[int]
