"""What each of several users listened to: the listens that meet some conditions, by user and something."""

from sqlalchemy import CTE, ColumnElement, func, select

from app.listens.expressions import total
from app.models.history import ArtistGenre, ArtistTrack, History


def by_track(*conditions: ColumnElement[bool], name: str = "") -> CTE:
    """`user_id`, `id` and `plays`: the listens by user and track; `name` goes before the names of the CTEs."""
    return (
        select(History.user_id, History.track_id.label("id"), func.count().label("plays"))
        .where(*conditions)
        .group_by(History.user_id, History.track_id)
        .cte(name + "tracks")
    )


def by_primary_artist(tracks: CTE, name: str = "") -> CTE:
    """`user_id`, `id` and `plays`: listens by user and track, by user and primary artist."""
    return (
        select(tracks.c.user_id, ArtistTrack.artist_id.label("id"), total(tracks.c.plays).label("plays"))
        .join_from(tracks, ArtistTrack, ArtistTrack.track_id == tracks.c.id)
        .where(ArtistTrack.is_primary)
        .group_by(tracks.c.user_id, ArtistTrack.artist_id)
        .cte(name + "artists")
    )


def by_genre(tracks: CTE) -> CTE:
    """`user_id`, `id` and `plays`: the same by user and genre, once for each distinct one of the primary artists."""
    genres = (
        select(tracks.c.user_id, tracks.c.id.label("track_id"), tracks.c.plays, ArtistGenre.genre)
        .distinct()
        .join_from(tracks, ArtistTrack, ArtistTrack.track_id == tracks.c.id)
        .join(ArtistGenre, ArtistGenre.id == ArtistTrack.artist_id)
        .where(ArtistTrack.is_primary)
        .subquery()
    )
    return (
        select(genres.c.user_id, genres.c.genre.label("id"), total(genres.c.plays).label("plays"))
        .group_by(genres.c.user_id, genres.c.genre)
        .cte("genres")
    )
