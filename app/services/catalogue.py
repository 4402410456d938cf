"""What the platform knows of tracks, artists and users, looked up for the few ids on a page."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Select, any_, bindparam, func, select
from sqlalchemy.dialects.postgresql import ARRAY, aggregate_order_by
from sqlalchemy.orm import Session

from app.listens.expressions import byte_order, lasting
from app.listens.statements import execute
from app.models import history as tables


@dataclass(frozen=True)
class Credit:
    """An artist's part in a track."""

    artist_id: str
    artist_name: str
    is_primary: bool


@dataclass(frozen=True, kw_only=True)
class Track:
    """A track with all its credited artists, primary ones first, then by id."""

    track_id: str
    track_name: str
    duration_ms: int
    image_url: str | None
    preview_url: str | None
    artists: tuple[Credit, ...]

    @property
    def artist_id(self) -> str | None:
        """The primary artist's id; of several, the smallest; None where the track has none."""
        return self._primary.artist_id if self._primary else None

    @property
    def artist_name(self) -> str | None:
        """The name of the artist that `artist_id` names."""
        return self._primary.artist_name if self._primary else None

    @property
    def _primary(self) -> Credit | None:
        return self.artists[0] if self.artists and self.artists[0].is_primary else None


@dataclass(frozen=True, kw_only=True)
class Artist:
    """An artist and the widest picture of it."""

    artist_id: str
    artist_name: str
    image_url: str | None


def tracks(session: Session, ids: Sequence[str]) -> dict[str, Track]:
    """The tracks of the given ids, by id; unknown ids are left out."""
    found = execute(session, TRACKS, {"ids": list(ids)})
    return {
        track_id: Track(
            track_id=track_id,
            track_name=name,
            duration_ms=duration_ms,
            image_url=image_url,
            preview_url=preview_url,
            artists=tuple(Credit(*credit) for credit in credited or ()),
        )
        for track_id, name, duration_ms, image_url, preview_url, credited in found
    }


def artists(session: Session, ids: Sequence[str]) -> dict[str, Artist]:
    """The artists of the given ids, by id; unknown ids are left out."""
    return {
        artist_id: Artist(artist_id=artist_id, artist_name=name, image_url=image_url)
        for artist_id, name, image_url in execute(session, ARTISTS, {"ids": list(ids)})
    }


def usernames(session: Session, ids: Sequence[int]) -> dict[int, str]:
    """The names of the users of the given ids, by id; unknown ids are left out."""
    return {row.id: row.username for row in execute(session, USERNAMES, {"ids": list(ids)})}


def _image(images: type[tables.TrackImage] | type[tables.ArtistImage], owner_id: Any) -> ColumnElement[str | None]:
    """The widest image, then the tallest, then the smaller URL."""
    return (
        select(images.url)
        .where(images.id == owner_id)
        .order_by(images.width.desc(), images.height.desc(), byte_order(images.url))
        .limit(1)
        .scalar_subquery()
    )


def credits_of(track_id: Any) -> ColumnElement[Any]:
    """The fields of each Credit of a track as JSON, primary ones first, then by id; null where it has none."""
    credit, artist = tables.ArtistTrack, tables.Artist
    return (
        select(
            func.json_agg(
                aggregate_order_by(
                    func.json_build_array(artist.id, artist.name, credit.is_primary),
                    credit.is_primary.desc(),
                    byte_order(artist.id),
                )
            )
        )
        .join_from(credit, artist, artist.id == credit.artist_id)
        .where(credit.track_id == track_id)
        .scalar_subquery()
    )


def _tracks() -> Select[*tuple[Any, ...]]:
    track = tables.Track
    preview = select(tables.TrackPreview.url).where(tables.TrackPreview.id == track.id).scalar_subquery()
    columns = (
        track.id,
        track.name,
        lasting(track.duration_ms),
        _image(tables.TrackImage, track.id),
        preview,
        credits_of(track.id),
    )
    return select(*columns).where(_is_asked_for(track.id))


def _artists() -> Select[*tuple[Any, ...]]:
    artist = tables.Artist
    columns: tuple[Any, ...] = artist.id, artist.name, _image(tables.ArtistImage, artist.id)
    return select(*columns).where(_is_asked_for(artist.id))


def _is_asked_for(column: Any) -> ColumnElement[bool]:
    asked_for: ColumnElement[bool] = column == any_(bindparam("ids", type_=ARRAY(column.type)))
    return asked_for


# Made once: to make a statement takes about as long as to run one of these.
TRACKS, ARTISTS = _tracks(), _artists()
USERNAMES = select(tables.User.id, tables.User.username).where(_is_asked_for(tables.User.id))
