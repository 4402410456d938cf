"""What a user once listened to and no longer does: the listens of a window, with the last ones ever."""

from functools import cached_property

from sqlalchemy import CTE, func, literal, select
from sqlalchemy.dialects.postgresql import TIMESTAMP

from app.domain.audience import Audience
from app.domain.windows import Window
from app.listens.expressions import between
from app.listens.live import Listens
from app.listens.relations import LiveRelation, Relation
from app.models.history import History
from app.rollups.spans import EVER, Span


class FadedListens(Listens):
    """The listens of a window to what has none in another window, `recently`: counted in one pass with all others."""

    def __init__(self, audience: Audience, window: Window, recently: Window) -> None:
        super().__init__(audience, window)
        self._recently = Span.of(recently)

    @property
    def values(self) -> dict[str, object]:
        """The values of the parameters."""
        starts, ends = self._recently
        return super().values | {"recent_start": starts, "recent_end": ends}

    @cached_property
    def _tracks(self) -> CTE:
        """`track_id`, `plays`, in the window, `last`, the last listen ever, and `recent`, the plays of late."""
        late = between(
            History.played_at, self.value("recent_start", TIMESTAMP()), self.value("recent_end", TIMESTAMP())
        )
        return (
            select(
                History.track_id,
                func.count().filter(between(History.played_at, self.start, self.end)).label("plays"),
                func.max(History.played_at).label("last"),
                func.count().filter(late).label("recent"),
            )
            .where(*self.at_any_time, between(History.played_at, *map(literal, EVER)))
            .group_by(History.track_id)
            .cte(self.name + "tracks")
        )

    @cached_property
    def _credits(self) -> CTE:
        """`artist_id`, `is_primary` and the columns of the tracks: these with each of their artists."""
        return self.credits_of(self._tracks).cte(self.name + "dated_credits")

    @cached_property
    def by_track(self) -> Relation:
        rows = self._tracks.c
        parts = select(rows.track_id.label("id"), rows.track_id, rows.plays).where(rows.plays > 0, rows.recent == 0)
        return LiveRelation(parts.subquery(), self.name + "by_track", one_by_one=self.one_by_one, is_unique=True)

    @cached_property
    def by_artist(self) -> Relation:
        rows = self._credits.c
        of_late = select(rows.artist_id).where(rows.recent > 0)
        parts = select(rows.artist_id.label("id"), rows.track_id, rows.plays)
        faded = parts.where(rows.plays > 0, rows.artist_id.not_in(of_late)).subquery()
        return LiveRelation(faded, self.name + "by_artist", one_by_one=self.one_by_one)

    @property
    def tracks(self) -> CTE:
        """`id` and `last`, the last listen ever, by track."""
        return select(self._tracks.c.track_id.label("id"), self._tracks.c.last).cte(self.name + "lasts")

    @property
    def artists(self) -> CTE:
        """`id` and `last`, the last listen ever, by credited artist."""
        rows = self._credits.c
        last = func.max(rows.last).label("last")
        return select(rows.artist_id.label("id"), last).group_by(rows.artist_id).cte(self.name + "lasts")
