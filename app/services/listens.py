"""The listens that a measure is about, and what they are by track, artist, genre, listener and time.

Measures are written over these selectables alone, so that what they read is their own affair.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache, cached_property
from typing import Any, Protocol
from zoneinfo import ZoneInfo

from sqlalchemy import (
    CTE,
    ColumnElement,
    Date,
    FromClause,
    Integer,
    Interval,
    Select,
    any_,
    bindparam,
    cast,
    distinct,
    func,
    literal,
    select,
)
from sqlalchemy.dialects.postgresql import ARRAY, TIMESTAMP
from sqlalchemy.types import TypeEngine

from app.audience import Audience
from app.clock_steps import clock_steps, day_steps
from app.models.history import ArtistGenre, ArtistTrack, History, Track, User
from app.ranking import SortBy
from app.services.expressions import local_time, looked_up, total
from app.services.relations import LiveRelation, Relation
from app.timezones import naive, timezone
from app.windows import CUSTOM, MIN_BOUND, Window


class Shape(Protocol):
    """Everything that determines the SQL text of statements over some listens: all listens of a shape share it."""

    def __hash__(self) -> int: ...

    def listens(self) -> "Listens":
        """Listens of this shape, whose values a statement is yet to be given, by their names in `Listens.values`."""


@dataclass(frozen=True)
class LiveShape:
    """The shape of a user's listens, or a group's."""

    one_user: bool
    has_start: bool
    has_end: bool
    name: str

    def listens(self) -> "Listens":
        """Listens of this shape, whose values a statement is yet to be given."""
        audience = Audience((0,) if self.one_user else (0, 0))
        start, end = (MIN_BOUND if has_bound else None for has_bound in (self.has_start, self.has_end))
        window = Window(CUSTOM, start, end, timezone("UTC"))
        return Listens(audience, window, name=self.name, is_open=True)


class Listens:
    """The listens of an audience in a window: all of them, or those of one track or of one credited artist.

    Each selectable is made once: the parts of a statement that need the same one share it. Where `is_open`, the
    statements have parameters in the places of values. `name` goes before the names of the CTEs and the parameters,
    where one statement has two audiences.
    """

    def __init__(
        self,
        audience: Audience,
        window: Window,
        *,
        track_id: str | None = None,
        artist_id: str | None = None,
        name: str = "",
        is_open: bool = False,
    ) -> None:
        self.audience = audience
        self.window = window
        self.track_id = track_id
        self.artist_id = artist_id
        self.name = name
        self.is_open = is_open

    @property
    def shape(self) -> Shape | None:
        """The shape, None where statements over these listens are not like those over others."""
        if self.audience.user_ids is None or self.track_id is not None or self.artist_id is not None:
            return None
        return LiveShape(self.one_by_one, self.window.start is not None, self.window.end is not None, self.name)

    @property
    def shape_by_time(self) -> Shape | None:
        """The same, for statements over these listens by hour or by day."""
        return self.shape

    @property
    def values(self) -> dict[str, Any]:
        """What stands in the places of an open statement's parameters."""
        instants = {"start": self.window.start, "end": self.window.end}
        values = {"users": self.audience.user_id or list(self.audience.user_ids or ())} | {
            name: naive(instant) for name, instant in instants.items() if instant is not None
        }
        return {self.name + name: value for name, value in values.items()}

    @property
    def values_by_time(self) -> dict[str, Any]:
        """The same, for statements over these listens by hour or by day: the steps of the zone's clock, too."""
        return self.values | {self.name + name: value for name, value in _steps(self.window.tz).items()}

    def previous(self) -> "Listens":
        """The same listens of the window before."""
        window = self.window.previous()
        return Listens(self.audience, window, track_id=self.track_id, artist_id=self.artist_id, name=self.name)

    @property
    def one_by_one(self) -> bool:
        """Whether the catalogue is looked up value by value: for one user's listens, however many."""
        return self.audience.user_id is not None

    @property
    def start(self) -> ColumnElement[datetime] | None:
        """The instant at which the window begins; None for an open end."""
        return None if self.window.start is None else self._value("start", TIMESTAMP())

    @property
    def conditions(self) -> list[ColumnElement[bool]]:
        """What a row of "History" has to fulfil to be one of these listens."""
        conditions: list[ColumnElement[bool]] = []
        if self.one_by_one:
            conditions.append(History.user_id == self._value("users", Integer()))
        elif self.audience.user_ids is not None:
            conditions.append(History.user_id == any_(self._value("users", ARRAY(Integer))))
        if self.start is not None:
            conditions.append(History.played_at >= self.start)
        if self.window.end is not None:
            conditions.append(History.played_at < self._value("end", TIMESTAMP()))
        if self.track_id is not None:
            conditions.append(History.track_id == self.track_id)
        if self.artist_id is not None:
            credited = select(ArtistTrack.track_id).where(ArtistTrack.artist_id == self.artist_id)
            conditions.append(History.track_id.in_(credited))
        return conditions

    def _want_values(self) -> None:
        if self.is_open:
            raise NotImplementedError("this needs values that an open statement does not have")

    def _value(self, name: str, type_: TypeEngine[Any]) -> ColumnElement[Any]:
        name = self.name + name
        return bindparam(name, type_=type_) if self.is_open else literal(self.values[name], type_)

    @cached_property
    def rows(self) -> FromClause:
        """`user_id`, `played_at` and `track_id`: the listens themselves.

        Where a statement needs them twice they are a CTE, which the planner takes as it is. In a subquery it would look
        up one user's listens of a track by the index on tracks, among those of everyone.
        """
        rows = select(History.user_id, History.played_at, History.track_id).where(*self.conditions)
        is_everything = self.audience.user_ids is None and self.track_id is None and self.artist_id is None
        return rows.subquery() if is_everything else rows.cte(self.name + "listens")

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
        self._want_values()
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
        starts = self._step_array(steps + "_starts", TIMESTAMP())
        return local_time(instant, starts, self._step_array(steps + "_offsets", Interval()))

    def _step_array(self, name: str, type_: TypeEngine[Any]) -> ColumnElement[Any]:
        if self.is_open:
            return bindparam(self.name + name, type_=ARRAY(type_))
        return literal(_steps(self.window.tz)[name], ARRAY(type_))

    @property
    def durations(self) -> FromClause:
        """`id` and `duration_ms` of the tracks listened to."""
        if self.audience.user_ids is None:
            return select(Track.id, Track.duration_ms).subquery()
        # A user plays a track many times: it is looked up once.
        tracks, is_same = looked_up(Track.id, self.plays.c.track_id, one_by_one=self.one_by_one)
        return (
            select(tracks.c.id, tracks.c.duration_ms)
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
        return select(total(self.by_track.times.c.listen_time_ms))

    def whole(self, by: SortBy, disjoint: Relation) -> Select[int]:
        """The sum of a measure over all listens: one row, one column.

        `disjoint` is a relation of these listens that has each under one id alone.
        """
        return disjoint.whole(by)

    def distinct_listeners(self) -> Select[int]:
        """The number of users with a listen: one row, one column."""
        return select(func.count(distinct(History.user_id))).where(*self.conditions)

    def listeners_with(self, plays: ColumnElement[int]) -> Select[int]:
        """The number of users with at least `plays` listens, one or more: one row, one column.

        Each user's range of the index is read no further than to that listen.
        """
        enough = (
            select(History.played_at)
            .where(*self.conditions, History.user_id == User.id)
            .order_by(History.played_at)
            .offset(plays - 1)
            .limit(1)
        )
        return select(func.count()).select_from(User).where(enough.exists())


@cache
def _steps(tz: ZoneInfo) -> dict[str, Any]:
    """The steps of a zone's clock and calendar as arrays, by the names of their parameters."""
    values: dict[str, Any] = {}
    for name, steps in (("clock", clock_steps(tz)), ("day", day_steps(tz))):
        values[name + "_starts"] = [naive(step.start) for step in steps if step.start]
        values[name + "_offsets"] = [step.offset for step in steps]
    return values
