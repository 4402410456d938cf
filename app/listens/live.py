"""Listens by track, artist, genre, listener and time.

Measures are written over these selectables alone, so that what they read is their own affair.
"""

from collections.abc import Sequence
from datetime import datetime
from functools import cached_property
from typing import Any

from sqlalchemy import CTE, ColumnElement, Date, FromClause, Integer, Select, cast, func, literal, select
from sqlalchemy.dialects.postgresql import ARRAY, TIMESTAMP

from app.domain.audience import EVERYONE
from app.domain.ranking import SortBy
from app.domain.timezones import naive
from app.listens.expressions import lasting, local_time, looked_up, total
from app.listens.relations import LiveRelation, Relation
from app.listens.selection import Selection
from app.models.history import ArtistGenre, ArtistTrack, History, Track


class Listens(Selection):
    """The listens of a selection, by what they count for. Parts of a statement that need the same one share it."""

    def previous(self) -> "Listens":
        """The same listens of the window before."""
        return Listens(self.audience, self.window.previous(), name=self.name)

    @cached_property
    def plays(self) -> CTE:
        """`track_id` and `plays`: the listens by track, before anything is looked up in the catalogue."""
        rows = self.rows.c
        return select(rows.track_id, func.count().label("plays")).group_by(rows.track_id).cte(self.name + "plays")

    @cached_property
    def credits(self) -> CTE:
        """`artist_id`, `is_primary`, `track_id` and `plays`: the tracks listened to with each of their artists."""
        return self.credits_of(self.plays).cte(self.name + "credits")

    def credits_of(self, tracks: CTE) -> Select[Any]:
        """`artist_id`, `is_primary` and the columns of rows with a `track_id`: these with each of their artists."""
        credits, is_same = looked_up(ArtistTrack.track_id, tracks.c.track_id, one_by_one=self.one_by_one)
        return select(credits.c.artist_id, credits.c.is_primary, tracks).join_from(tracks, credits, is_same)

    @cached_property
    def by_track(self) -> Relation:
        """The listens by track."""
        parts = select(self.plays.c.track_id.label("id"), self.plays).subquery()
        return LiveRelation(parts, self.name + "by_track", one_by_one=self.one_by_one, is_unique=True)

    @cached_property
    def by_artist(self) -> Relation:
        """The listens by credited artist: one of several counts in full for each."""
        parts = select(self.credits.c.artist_id.label("id"), self.credits).subquery()
        return LiveRelation(parts, self.name + "by_artist", one_by_one=self.one_by_one, by_track=self.by_track)

    @cached_property
    def by_primary_artist(self) -> Relation:
        """The listens by primary artist: one of several counts in full for each."""
        parts = select(self.credits.c.artist_id.label("id"), self.credits).where(self.credits.c.is_primary).subquery()
        return LiveRelation(parts, self.name + "by_primary_artist", one_by_one=self.one_by_one, by_track=self.by_track)

    @cached_property
    def by_genre(self) -> Relation:
        """The listens by genre: a listen counts once for each distinct genre of its primary artists."""
        genres, is_same = looked_up(ArtistGenre.id, self.credits.c.artist_id, one_by_one=self.one_by_one)
        parts = (
            select(genres.c.genre.label("id"), self.credits.c.track_id, self.credits.c.plays)
            .distinct()
            .join_from(self.credits, genres, is_same)
            .where(self.credits.c.is_primary)
            .cte(self.name + "genres")
        )
        return LiveRelation(parts, self.name + "by_genre", one_by_one=self.one_by_one, by_track=self.by_track)

    @cached_property
    def by_listener(self) -> Relation:
        """The listens by user."""
        rows = self.rows.c
        parts = select(rows.user_id.label("id"), rows.track_id, literal(1).label("plays")).subquery()
        return LiveRelation(parts, self.name + "by_listener", one_by_one=self.one_by_one)

    def by_bucket(self, starts: Sequence[datetime]) -> CTE:
        """`number`, `plays` and `listen_time_ms` by bucket: those that begin at the given instants count from 1."""
        bucket = func.width_bucket(self.rows.c.played_at, literal([naive(start) for start in starts], ARRAY(TIMESTAMP)))
        return self._by(bucket.label("number"))

    @cached_property
    def by_hour(self) -> CTE:
        """`day`, a local date, `weekday`, 1 on Monday, and `hour`, 0 to 23; with `plays` and `listen_time_ms`."""
        shown = self._local_time(self.rows.c.played_at, "clock")
        return self._by(
            cast(self._local_time(self.rows.c.played_at, "day"), Date).label("day"),
            cast(func.date_part("isodow", shown), Integer).label("weekday"),
            cast(func.date_part("hour", shown), Integer).label("hour"),
        )

    @cached_property
    def by_hour_of_week(self) -> CTE:
        """`weekday`, 1 on Monday, and `hour`, 0 to 23, of the local clock; with `plays` and `listen_time_ms`."""
        hours = self.by_hour
        return (
            select(
                hours.c.weekday,
                hours.c.hour,
                total(hours.c.plays).label("plays"),
                total(hours.c.listen_time_ms).label("listen_time_ms"),
            )
            .group_by(hours.c.weekday, hours.c.hour)
            .cte(self.name + "by_hour_of_week")
        )

    @cached_property
    def days(self) -> CTE:
        """`day`, a local date: the days with a listen."""
        day = cast(self._local_time(History.played_at, "day"), Date)
        return select(day.label("day")).distinct().where(*self.conditions).cte(self.name + "days")

    def _local_time(self, instant: Any, steps: str) -> ColumnElement[datetime]:
        starts = self.value(steps + "_starts", ARRAY(TIMESTAMP))
        return local_time(instant, starts, self.value(steps + "_offsets", ARRAY(Integer)))

    @property
    def durations(self) -> FromClause:
        """`id` and `duration_ms` of the tracks listened to."""
        if self.audience == EVERYONE:
            return select(Track.id, lasting(Track.duration_ms).label("duration_ms")).subquery()
        # A user plays a track many times: it is looked up once.
        tracks, is_same = looked_up(Track.id, self.plays.c.track_id, one_by_one=self.one_by_one)
        return (
            select(tracks.c.id, lasting(tracks.c.duration_ms).label("duration_ms"))
            .join_from(self.plays, tracks, is_same)
            .cte(self.name + "durations")
        )

    def _by(self, *keys: ColumnElement[Any]) -> CTE:
        """The listens grouped by the labelled keys."""
        tracks = self.durations
        return (
            select(*keys, func.count().label("plays"), total(tracks.c.duration_ms).label("listen_time_ms"))
            .join_from(self.rows, tracks, tracks.c.id == self.rows.c.track_id)
            .group_by(*keys)
            .cte(self.name + "groups")
        )

    def listen_time(self) -> Select[int]:
        """The listen time in ms, 0 where there is none: one row, one column."""
        return select(total(self.by_track.times.c.listen_time_ms))

    def whole(self, by: SortBy, disjoint: Relation) -> Select[int]:
        """The sum of a measure over all listens: one row, one column.

        `disjoint` is a relation of these listens that has each under one id alone.
        """
        return disjoint.whole(by)
