"""Relations: the listens of an audience in a window, summed up by track, artist, genre or listener.

Every relation is a SQLAlchemy selectable with the columns `id`, `plays` (a number of listens) and `listen_time_ms`.
Measures are written over these relations alone, so that what a relation reads is its own affair.
"""

from collections.abc import Sequence
from functools import cached_property
from typing import Any

from sqlalchemy import (
    CTE,
    BigInteger,
    ColumnElement,
    Select,
    SQLColumnExpression,
    any_,
    cast,
    distinct,
    func,
    literal,
    select,
)
from sqlalchemy.dialects.postgresql import ARRAY

from app.audience import Audience
from app.models.history import ArtistGenre, ArtistTrack, History, Track
from app.windows import Window


def total(column: SQLColumnExpression[int]) -> ColumnElement[int]:
    """The sum of a column as a bigint: PostgreSQL sums bigints to a numeric. 0 over no rows."""
    return cast(func.coalesce(func.sum(column), 0), BigInteger)


def byte_order(column: SQLColumnExpression[str]) -> ColumnElement[str]:
    """Text compared byte by byte, whatever the database's own collation."""
    return column.collate("C")


def among(column: Any, values: Sequence[Any]) -> ColumnElement[bool]:
    """Whether a column is one of the values: one array, so that the statement's text is the same for any number."""
    one = literal(values[0], column.type) if len(values) == 1 else any_(literal(list(values), ARRAY(column.type)))
    condition: ColumnElement[bool] = column == one
    return condition


class Listens:
    """The listens of an audience in a window.

    Each relation is one CTE, made once: the parts of a statement that need the same relation share it.
    """

    def __init__(self, audience: Audience, window: Window) -> None:
        self.audience = audience
        self.window = window

    @property
    def conditions(self) -> list[ColumnElement[bool]]:
        """What a row of "History" has to fulfil to be one of these listens."""
        conditions: list[ColumnElement[bool]] = []
        if self.audience.user_ids is not None:
            conditions.append(among(History.user_id, self.audience.user_ids))
        if self.window.start is not None:
            conditions.append(History.played_at >= self.window.start.replace(tzinfo=None))
        if self.window.end is not None:
            conditions.append(History.played_at < self.window.end.replace(tzinfo=None))
        return conditions

    @cached_property
    def plays(self) -> CTE:
        """`track_id` and `plays`: the listens by track, before anything is looked up in the catalogue."""
        return (
            select(History.track_id, func.count().label("plays"))
            .where(*self.conditions)
            .group_by(History.track_id)
            .cte("plays")
        )

    @cached_property
    def by_track(self) -> CTE:
        """The listens by track."""
        plays = self.plays.c
        return (
            select(plays.track_id.label("id"), plays.plays, (plays.plays * Track.duration_ms).label("listen_time_ms"))
            .join_from(self.plays, Track, Track.id == plays.track_id)
            .cte("by_track")
        )

    def by_artist(self, *, primary: bool) -> CTE:
        """The listens by credited artist, or by primary artist: one of several counts in full for each."""
        tracks = self.by_track.c
        credits = (
            select(ArtistTrack.artist_id.label("id"), *_sums(self.by_track))
            .join_from(self.by_track, ArtistTrack, ArtistTrack.track_id == tracks.id)
            .group_by(ArtistTrack.artist_id)
        )
        return (credits.where(ArtistTrack.is_primary) if primary else credits).cte("by_artist")

    @cached_property
    def by_genre(self) -> CTE:
        """The listens by genre: a listen counts once for each distinct genre of its primary artists."""
        tracks = self.by_track.c
        genres = (
            select(ArtistTrack.track_id, ArtistGenre.genre)
            .distinct()
            .join_from(self.by_track, ArtistTrack, ArtistTrack.track_id == tracks.id)
            .join(ArtistGenre, ArtistGenre.id == ArtistTrack.artist_id)
            .where(ArtistTrack.is_primary)
            .cte("track_genres")
        )
        return (
            select(genres.c.genre.label("id"), *_sums(self.by_track))
            .join_from(genres, self.by_track, tracks.id == genres.c.track_id)
            .group_by(genres.c.genre)
            .cte("by_genre")
        )

    @cached_property
    def by_listener(self) -> CTE:
        """The listens by user."""
        return (
            select(
                History.user_id.label("id"),
                func.count().label("plays"),
                total(Track.duration_ms).label("listen_time_ms"),
            )
            .join_from(History, Track, Track.id == History.track_id)
            .where(*self.conditions)
            .group_by(History.user_id)
            .cte("by_listener")
        )

    def count(self) -> Select[int]:
        """The number of listens: one row, one column."""
        return select(func.count()).select_from(History).where(*self.conditions)

    def listen_time(self) -> Select[int]:
        """The listen time in ms, 0 where there is none: one row, one column."""
        return select(total(self.by_track.c.listen_time_ms))

    def distinct_tracks(self) -> Select[int]:
        """The number of tracks listened to: one row, one column."""
        return select(func.count()).select_from(self.plays)

    def distinct_artists(self, *, primary: bool) -> Select[int]:
        """The number of credited artists listened to, or of primary ones: one row, one column."""
        artists = select(func.count(distinct(ArtistTrack.artist_id))).join_from(
            self.plays, ArtistTrack, ArtistTrack.track_id == self.plays.c.track_id
        )
        return artists.where(ArtistTrack.is_primary) if primary else artists

    def distinct_listeners(self) -> Select[int]:
        """The number of users with a listen: one row, one column."""
        return select(func.count(distinct(History.user_id))).where(*self.conditions)


def _sums(relation: CTE) -> tuple[ColumnElement[int], ColumnElement[int]]:
    return total(relation.c.plays).label("plays"), total(relation.c.listen_time_ms).label("listen_time_ms")
