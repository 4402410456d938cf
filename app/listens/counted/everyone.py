"""Everyone's listens out of the rollups: rankings, and slots of time."""

from collections.abc import Hashable
from functools import cached_property
from typing import Any

from sqlalchemy import CTE, BigInteger, ColumnElement, Integer, Select, select, text

from app.domain.audience import EVERYONE
from app.domain.ranking import SortBy
from app.domain.windows import Window
from app.listens.counted.by_slot import SlottedListens, within
from app.listens.counted.edges import EdgeListens
from app.listens.counted.rankings import rolled_up_relation
from app.listens.expressions import total
from app.listens.live import Listens
from app.listens.relations import Relation, measure_of
from app.models.rollups import Kind, slots
from app.rollups.spans import Span, base_of
from app.rollups.sql.changes import ONE_WINDOW, slot_changes
from app.rollups.state import Rollups


class RolledUpListens(SlottedListens):
    """Everyone's listens in a window."""

    def __init__(self, window: Window, rollups: Rollups, *, name: str = "") -> None:
        super().__init__(EVERYONE, window, name=name)
        self.rollups = rollups
        self.has_slots = rollups.has_slots
        self._base = base_of(self.span, rollups.windows, rollups.prefixes, rollups.listened)

    @property
    def shape(self) -> Hashable | None:
        if not self._is_ranked:
            return None
        return (
            type(self),
            self.name,
            self.rollups.listens_changed,
            self.rollups.catalogue_changed,
            self.rollups.has_firsts,
        )

    @property
    def _is_ranked(self) -> bool:
        """Whether there are rankings of this very window."""
        return self._base is not None and self._base.window_id is not None and not self._base.edges

    @property
    def values(self) -> dict[str, Any]:
        if self._base is None:
            return super().values
        window = {"id": self._base.window_id or 0, **self._base.span._asdict()}
        return super().values | {self._base_name + name: value for name, value in window.items()}

    @property
    def _base_name(self) -> str:
        return self.name + "base_"

    @property
    def is_counted(self) -> bool:
        """Whether this window is counted, or a span that is near."""
        return self._base is not None

    def previous(self) -> Listens:
        return RolledUpListens(self.window.previous(), self.rollups, name=self.name)

    def _relation(self, kind: Kind) -> Relation | None:
        if self._base is None:
            return None
        name = f"{self.name}by_{kind.name.lower()}"
        return rolled_up_relation(kind, self._base, self._edges, self.rollups, name, self._base_name)

    @cached_property
    def _edges(self) -> EdgeListens | None:
        """What lies at the edges of the base: read once, by whatever it is counted."""
        return EdgeListens(self._base.edges, self.name + "edge_") if self._base and self._base.edges else None

    @cached_property
    def by_track(self) -> Relation:
        return self._relation(Kind.TRACK) or super().by_track

    @cached_property
    def by_artist(self) -> Relation:
        return self._relation(Kind.ARTIST) or super().by_artist

    @cached_property
    def by_primary_artist(self) -> Relation:
        return self._relation(Kind.PRIMARY_ARTIST) or super().by_primary_artist

    @cached_property
    def by_genre(self) -> Relation:
        return self._relation(Kind.GENRE) or super().by_genre

    @cached_property
    def by_listener(self) -> Relation:
        return self._relation(Kind.LISTENER) or super().by_listener

    @cached_property
    def plays(self) -> CTE:
        if self._base is None:
            return super().plays
        tracks = self.by_track.counts
        return select(tracks.c.id.label("track_id"), tracks.c.plays).cte(self.name + "plays")

    def count(self) -> Select[int]:
        if self._has_quick_slots:
            return self._sum_of_slots(SortBy.COUNT)
        return super().count() if self._base is None else self.by_track.whole(SortBy.COUNT)

    def listen_time(self) -> Select[int]:
        if self._has_quick_slots:
            return self._sum_of_slots(SortBy.LISTEN_TIME)
        return super().listen_time() if self._base is None else self.by_track.whole(SortBy.LISTEN_TIME)

    def whole(self, by: SortBy, disjoint: Relation) -> Select[int]:
        return self._sum_of_slots(by) if self._has_quick_slots else super().whole(by, disjoint)

    @property
    def _has_quick_slots(self) -> bool:
        """Whether slots tell a sum sooner than the tracks do: those of a window with rankings are summed up already."""
        return self.has_slots and not self._is_ranked

    def _sum_of_slots(self, by: SortBy) -> Select[int]:
        return select(total(measure_of(self._by_slot, by)))

    def distinct_listeners(self) -> Select[int]:
        return super().distinct_listeners() if self._base is None else self.by_listener.number

    def listeners_with(self, plays: ColumnElement[int]) -> Select[int]:
        return super().listeners_with(plays) if self._base is None else self.by_listener.number_with(plays)

    def _stored_slots(self, span: Span) -> list[Select[Any]]:
        stored = within(select(slots.c.slot, slots.c.plays, slots.c.listen_time_ms), slots.c.slot, span)
        return [stored, select(self._slot_changes(span))] if self.rollups.changed else [stored]

    def _slot_changes(self, span: Span) -> CTE:
        mark = f"{self.name}slots_"
        return (
            text(slot_changes(ONE_WINDOW.format(name=mark), catalogue=self.rollups.catalogue_changed))
            .bindparams(**{f"{mark}id": 0, f"{mark}starts": span.starts, f"{mark}ends": span.ends})
            .columns(slot=Integer, plays=Integer, listen_time_ms=BigInteger)
            .cte(self.name + "slot_changes")
        )
