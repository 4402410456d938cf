"""Relations: the listens of an audience in a window, summed up by track, artist, genre or listener.

Every relation is a SQLAlchemy selectable with the columns `id`, `plays` (a number of listens) and `listen_time_ms`.
Measures are written over these relations alone, so that what a relation reads is its own affair.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

from sqlalchemy import (
    CTE,
    BigInteger,
    ColumnElement,
    Date,
    Integer,
    Interval,
    Select,
    SQLColumnExpression,
    any_,
    cast,
    distinct,
    func,
    literal,
    select,
)
from sqlalchemy.dialects.postgresql import ARRAY, TIMESTAMP
from sqlalchemy.sql.elements import Grouping
from sqlalchemy.types import TypeEngine

from app.audience import Audience
from app.clocks import Step, clock_steps, day_steps
from app.models.history import ArtistGenre, ArtistTrack, History, Track
from app.windows import Window


def total(column: SQLColumnExpression[int]) -> ColumnElement[int]:
    """The sum of a column as a bigint: PostgreSQL sums bigints to a numeric. 0 over no rows."""
    return cast(func.coalesce(func.sum(column), 0), BigInteger)


def naive(instant: datetime) -> datetime:
    """An instant as the platform's tables hold it: in UTC, without saying so."""
    return instant.astimezone(UTC).replace(tzinfo=None)


def aware(instant: datetime) -> datetime:
    """An instant of the platform's tables, in UTC and saying so."""
    return instant.replace(tzinfo=UTC)


def byte_order(column: SQLColumnExpression[str]) -> ColumnElement[str]:
    """Text compared byte by byte, whatever the database's own collation."""
    return column.collate("C")


def among(column: Any, values: Sequence[Any]) -> ColumnElement[bool]:
    """Whether a column is one of the values: one array, so that the statement's text is the same for any number."""
    one = literal(values[0], column.type) if len(values) == 1 else any_(literal(list(values), ARRAY(column.type)))
    condition: ColumnElement[bool] = column == one
    return condition


def element(values: Sequence[Any], type_: TypeEngine[Any], index: Any) -> ColumnElement[Any]:
    """The value at an index, from 1, of values that are sent along."""
    # In parentheses: the index would be taken for a part of the type that psycopg2's parameters are cast to.
    values_array: Any = Grouping(literal(list(values), ARRAY(type_)))
    chosen: ColumnElement[Any] = values_array[index]
    return chosen


def local_time(instant: Any, steps: Sequence[Step]) -> ColumnElement[datetime]:
    """What a clock of the given steps shows at an instant: a naive timestamp."""
    starts = [naive(step.start) for step in steps if step.start]
    number = func.width_bucket(instant, literal(starts, ARRAY(TIMESTAMP))) + 1 if starts else literal(1)
    return cast(instant + element([step.offset for step in steps], Interval(), number), TIMESTAMP)


class Listens:
    """The listens of an audience in a window: all of them, or those of one track or of one credited artist.

    Each relation is one CTE, made once: the parts of a statement that need the same relation share it. `name` goes
    before the names of the CTEs, where one statement has two audiences.
    """

    def __init__(
        self,
        audience: Audience,
        window: Window,
        *,
        track_id: str | None = None,
        artist_id: str | None = None,
        name: str = "",
    ) -> None:
        self.audience = audience
        self.window = window
        self.track_id = track_id
        self.artist_id = artist_id
        self.name = name

    def previous(self) -> "Listens":
        """The same listens of the window before."""
        window = self.window.previous()
        return Listens(self.audience, window, track_id=self.track_id, artist_id=self.artist_id, name=self.name)

    @property
    def conditions(self) -> list[ColumnElement[bool]]:
        """What a row of "History" has to fulfil to be one of these listens."""
        conditions: list[ColumnElement[bool]] = []
        if self.audience.user_ids is not None:
            conditions.append(among(History.user_id, self.audience.user_ids))
        if self.window.start is not None:
            conditions.append(History.played_at >= naive(self.window.start))
        if self.window.end is not None:
            conditions.append(History.played_at < naive(self.window.end))
        if self.track_id is not None:
            conditions.append(History.track_id == self.track_id)
        if self.artist_id is not None:
            credited = select(ArtistTrack.track_id).where(ArtistTrack.artist_id == self.artist_id)
            conditions.append(History.track_id.in_(credited))
        return conditions

    @cached_property
    def plays(self) -> CTE:
        """`track_id` and `plays`: the listens by track, before anything is looked up in the catalogue."""
        return (
            select(History.track_id, func.count().label("plays"))
            .where(*self.conditions)
            .group_by(History.track_id)
            .cte(self.name + "plays")
        )

    @cached_property
    def by_track(self) -> CTE:
        """The listens by track."""
        plays = self.plays.c
        return (
            select(plays.track_id.label("id"), plays.plays, (plays.plays * Track.duration_ms).label("listen_time_ms"))
            .join_from(self.plays, Track, Track.id == plays.track_id)
            .cte(self.name + "by_track")
        )

    @cached_property
    def by_track_with_first(self) -> CTE:
        """The listens by track, with `first`: the instant of the first of them."""
        firsts = (
            select(History.track_id, func.count().label("plays"), func.min(History.played_at).label("first"))
            .where(*self.conditions)
            .group_by(History.track_id)
            .cte(self.name + "firsts")
        )
        return (
            select(
                firsts.c.track_id.label("id"),
                firsts.c.plays,
                (firsts.c.plays * Track.duration_ms).label("listen_time_ms"),
                firsts.c.first,
            )
            .join_from(firsts, Track, Track.id == firsts.c.track_id)
            .cte(self.name + "by_track_with_first")
        )

    def by_artist(self, *, primary: bool) -> CTE:
        """The listens by credited artist, or by primary artist: one of several counts in full for each."""
        tracks = self.by_track.c
        credits = (
            select(ArtistTrack.artist_id.label("id"), *_sums(self.by_track))
            .join_from(self.by_track, ArtistTrack, ArtistTrack.track_id == tracks.id)
            .group_by(ArtistTrack.artist_id)
        )
        return (credits.where(ArtistTrack.is_primary) if primary else credits).cte(self.name + "by_artist")

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
            .cte(self.name + "track_genres")
        )
        return (
            select(genres.c.genre.label("id"), *_sums(self.by_track))
            .join_from(genres, self.by_track, tracks.id == genres.c.track_id)
            .group_by(genres.c.genre)
            .cte(self.name + "by_genre")
        )

    @cached_property
    def listeners(self) -> CTE:
        """`id` and `plays`: the listens by user, without a look at the catalogue."""
        return (
            select(History.user_id.label("id"), func.count().label("plays"))
            .where(*self.conditions)
            .group_by(History.user_id)
            .cte(self.name + "listeners")
        )

    @cached_property
    def by_listener(self) -> CTE:
        """The listens by user."""
        return self._by(History.user_id.label("id"))

    def by_bucket(self, starts: Sequence[datetime]) -> CTE:
        """The listens by bucket; `id` counts the buckets that begin at the given instants from 1."""
        bucket = func.width_bucket(History.played_at, literal([naive(start) for start in starts], ARRAY(TIMESTAMP)))
        return self._by(bucket.label("id"))

    @cached_property
    def by_hour(self) -> CTE:
        """The listens by day and by hour of the local clock: `day` is a date, `weekday` 1 on Monday, `hour` 0 to 23."""
        shown = local_time(History.played_at, clock_steps(self.window.tz))
        day = cast(local_time(History.played_at, day_steps(self.window.tz)), Date)
        return self._by(
            day.label("day"),
            cast(func.date_part("isodow", shown), Integer).label("weekday"),
            cast(func.date_part("hour", shown), Integer).label("hour"),
        )

    @cached_property
    def days(self) -> CTE:
        """`day`, a date: the local days with a listen."""
        day = cast(local_time(History.played_at, day_steps(self.window.tz)), Date)
        return select(day.label("day")).distinct().where(*self.conditions).cte(self.name + "days")

    def _by(self, *keys: ColumnElement[Any]) -> CTE:
        """The listens grouped by the labelled keys."""
        return (
            select(*keys, func.count().label("plays"), total(Track.duration_ms).label("listen_time_ms"))
            .join_from(History, Track, Track.id == History.track_id)
            .where(*self.conditions)
            .group_by(*keys)
            .cte(self.name + "groups")
        )

    def first(self) -> Select[datetime | None]:
        """The instant of the first listen, null where there is none: one row, one column."""
        return select(func.min(History.played_at)).where(*self.conditions)

    def last(self) -> Select[datetime | None]:
        """The instant of the last listen, null where there is none: one row, one column."""
        return select(func.max(History.played_at)).where(*self.conditions)

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

    def distinct_genres(self) -> Select[int]:
        """The number of genres of the primary artists listened to: one row, one column."""
        return (
            select(func.count(distinct(ArtistGenre.genre)))
            .join_from(self.plays, ArtistTrack, ArtistTrack.track_id == self.plays.c.track_id)
            .join(ArtistGenre, ArtistGenre.id == ArtistTrack.artist_id)
            .where(ArtistTrack.is_primary)
        )

    def distinct_listeners(self) -> Select[int]:
        """The number of users with a listen: one row, one column."""
        return select(func.count(distinct(History.user_id))).where(*self.conditions)


def _sums(relation: CTE) -> tuple[ColumnElement[int], ColumnElement[int]]:
    return total(relation.c.plays).label("plays"), total(relation.c.listen_time_ms).label("listen_time_ms")
