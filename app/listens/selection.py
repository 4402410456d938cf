"""Which rows of "History" a question is about, as SQL."""

from collections.abc import Callable, Hashable
from functools import cache, cached_property
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, FromClause, Integer, Select, String, any_, bindparam, distinct, func, select
from sqlalchemy.dialects.postgresql import ARRAY, TIMESTAMP
from sqlalchemy.orm import aliased
from sqlalchemy.types import TypeEngine

from app.domain.audience import Audience
from app.domain.subject import SubjectKind
from app.domain.timezones import naive
from app.domain.utc_offsets import clock_steps, day_steps
from app.domain.windows import Window
from app.listens.expressions import between, byte_order, looked_up
from app.models.history import ArtistGenre, ArtistTrack, History, User
from app.rollups.spans import Span


class Selection:
    """The listens of an audience in a window: all of them, or those of the audience's subject.

    Statements over them have parameters in place of their values, so that all selections of one shape share them.
    `name` goes before the names of CTEs and parameters, where one statement has two selections.
    """

    def __init__(self, audience: Audience, window: Window, *, name: str = "") -> None:
        self.audience = audience
        self.window = window
        self.span = Span.of(window)
        self.name = name

    @property
    def shape(self) -> Hashable | None:
        """Everything that determines the SQL text of statements over these listens; None where values do, too."""
        subject = self.audience.subject
        whose = self.one_by_one, self.audience.user_ids is None, subject and subject.kind
        return type(self), self.name, whose

    @property
    def shape_by_time(self) -> Hashable | None:
        """The same, for statements over these listens by hour or by day."""
        return self.shape

    @property
    def values(self) -> dict[str, Any]:
        """The values of the parameters."""
        values = {
            "users": self.audience.user_id or list(self.audience.user_ids or ()),
            "start": self.span.starts,
            "end": self.span.ends,
            "subject": self.audience.subject and self.audience.subject.id,
        }
        return {self.name + name: value for name, value in (values | _steps(self.window.tz)).items()}

    def value(self, name: str, type_: TypeEngine[Any]) -> ColumnElement[Any]:
        """The parameter in whose place one of the `values` goes."""
        return bindparam(self.name + name, type_=type_)

    @property
    def one_by_one(self) -> bool:
        """Whether the catalogue is looked up value by value: for one user's listens, however many."""
        return self.audience.user_id is not None

    @property
    def start(self) -> ColumnElement[Any]:
        """The instant at which the window begins."""
        return self.value("start", TIMESTAMP())

    @property
    def end(self) -> ColumnElement[Any]:
        """The instant at which the window ends."""
        return self.value("end", TIMESTAMP())

    @property
    def at_any_time(self) -> list[ColumnElement[bool]]:
        """What makes a row of "History" one of these listens, in this window or another; nothing for everything."""
        conditions: list[ColumnElement[bool]] = []
        if self.audience.user_id is not None:
            conditions.append(History.user_id == self.value("users", Integer()))
        elif self.audience.user_ids is not None:
            conditions.append(History.user_id == any_(self.value("users", ARRAY(Integer))))
        if self.audience.subject is not None:
            conditions.append(self._is_of(self.audience.subject.kind))
        return conditions

    def _is_of(self, kind: SubjectKind) -> ColumnElement[bool]:
        """Whether a listen is of the subject: one user's are a range, everyone's are found by the index on tracks."""
        # An expression, which no index has: the planner would look up one user's listens among everyone's.
        track_id = History.track_id if self.audience.user_id is None else byte_order(History.track_id)
        subject = self.value("subject", String())
        if kind is SubjectKind.TRACK:
            return track_id == subject
        if kind is SubjectKind.ARTIST:
            return track_id.in_(select(ArtistTrack.track_id).where(ArtistTrack.artist_id == subject))
        # A genre may be that of half the catalogue: for one user it is looked up for the tracks of the user.
        tracks: Any = ArtistTrack.__table__
        if self.one_by_one:
            heard = aliased(History)
            own = select(heard.track_id).where(heard.user_id == self.value("users", Integer())).distinct().subquery()
            credits, is_same = looked_up(ArtistTrack.track_id, own.c.track_id, one_by_one=True)
            tracks = select(credits).join_from(own, credits, is_same).subquery()
        genres, is_same = looked_up(ArtistGenre.id, tracks.c.artist_id, one_by_one=self.one_by_one)
        of_genre = select(tracks.c.track_id).join_from(tracks, genres, is_same)
        return track_id.in_(of_genre.where(tracks.c.is_primary, genres.c.genre == subject))

    @property
    def conditions(self) -> list[ColumnElement[bool]]:
        """What makes a row of "History" one of these listens."""
        return [*self.at_any_time, between(History.played_at, self.start, self.end)]

    @cached_property
    def rows(self) -> FromClause:
        """`user_id`, `played_at` and `track_id`: the listens themselves.

        Where a statement needs them twice they are a CTE, which the planner takes as it is. In a subquery it would look
        up one user's listens of a track by the index on tracks, among those of everyone.
        """
        rows = select(History.user_id, History.played_at, History.track_id).where(*self.conditions)
        return rows.cte(self.name + "listens") if self.at_any_time else rows.subquery()

    def first(self) -> Select[Any]:
        """The instant of the first listen, null where there is none: one row, one column."""
        return self._only(func.min, "played_at")

    def last(self) -> Select[Any]:
        """The instant of the last listen, null where there is none: one row, one column."""
        return self._only(func.max, "played_at")

    def _only(self, aggregate: Callable[[Any], Any], column: str) -> Select[Any]:
        """An aggregate of a column: one row, one column. Listens of a subject are looked for once in a statement."""
        if self.audience.subject is not None:
            return select(aggregate(self.rows.c[column]))
        return select(aggregate(getattr(History, column))).where(*self.conditions)

    def count(self) -> Select[int]:
        """The number of listens: one row, one column."""
        return select(func.count()).select_from(History).where(*self.conditions)

    def distinct_listeners(self) -> Select[int]:
        """The number of users with a listen: one row, one column."""
        return self._only(lambda user_id: func.count(distinct(user_id)), "user_id")

    def listeners_with(self, plays: ColumnElement[int]) -> Select[int]:
        """The number of users with at least `plays` listens, one or more: one row, one column.

        Each user's range of the index is read no further than to that listen; those of a subject are few, and counted.
        """
        if self.audience.subject is not None:
            by_user = select(History.user_id).where(*self.conditions).group_by(History.user_id)
            return select(func.count()).select_from(by_user.having(func.count() >= plays).subquery())
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
        values[name + "_offsets"] = [round(step.offset.total_seconds()) for step in steps]
    return values
