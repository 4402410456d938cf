"""What the insight routes take in their path and query. One schema a concern; a route's schema combines them.

Loading gives the values that services take: an `Audience`, a `Window`, a `Ranking`. Every error names what was given
and what is allowed.
"""

from datetime import date
from typing import Any

from flask import current_app
from marshmallow import ValidationError, post_load, pre_load, validates_schema

from app.domain.audience import Audience
from app.domain.buckets import CHART_UNITS, UNITS
from app.domain.ranking import (
    DEFAULT_CHART_LIMIT,
    DEFAULT_LIMIT,
    MAX_CHART_LIMIT,
    MAX_LIMIT,
    MAX_OFFSET,
    Page,
    Ranking,
    SortBy,
)
from app.domain.timezones import WindowError, first_instant
from app.domain.today import Today
from app.domain.windows import CUSTOM, MAX_BOUND, MIN_BOUND, Window
from app.schemas.requests.audiences import USER_ID, OfUserAboutSubject
from app.schemas.requests.fields import AnyText, BoundedInteger, Choice, Day, Flag, Instant, ShortText, UserId
from app.schemas.requests.windows import InWindow, InZone, Parameters, named_window, window_of


class InPages(Parameters):
    """Which page of a list."""

    limit = BoundedInteger(1, MAX_LIMIT, DEFAULT_LIMIT, "The number of rows on a page.")
    offset = BoundedInteger(0, MAX_OFFSET, 0, "The number of rows before the page.")

    @post_load
    def _page(self, data: dict[str, Any], **kwargs: Any) -> dict[str, Any]:
        return data | {"page": Page(limit=data.pop("limit"), offset=data.pop("offset"))}


class PagesInWindow(InPages, InWindow):
    """A page of a list over a window."""


class SortedInWindow(InPages, InWindow):
    """A page of a list over a window, sorted by a measure."""

    by = Choice(tuple(SortBy), SortBy.COUNT.value, "The measure that the list is ranked by.")

    @post_load
    def _page(self, data: dict[str, Any], **kwargs: Any) -> dict[str, Any]:
        ranking = Ranking(
            limit=data.pop("limit"),
            offset=data.pop("offset"),
            by=SortBy(data.pop("by")),
            compare=data.pop("compare", None) is not None,
        )
        return data | {"ranking": ranking}


class RankedInWindow(SortedInWindow):
    """A page of a top list over a window."""

    compare = Choice(
        ("previous",), None, "Adds each row's rank and count in the window just before. Needs a window of two ends."
    )

    @validates_schema(skip_on_field_errors=False)
    def _check_compare(self, data: dict[str, Any], **kwargs: Any) -> None:
        if data.get("compare"):
            try:
                window_of(data).previous()
            except WindowError as error:
                raise ValidationError(error.detail, "compare") from error


class ForgottenInWindow(SortedInWindow):
    """A window, and the days of late that are looked at for listens."""

    days = BoundedInteger(1, 3660, 180, "The last days, today included, without a listen.")

    @post_load
    def _make_window(self, data: dict[str, Any], **kwargs: Any) -> dict[str, Any]:
        data = super()._make_window(data)
        recently = Window.named(f"{data.pop('days')}d", data["window"].tz, current_app.config["CLOCK"]())
        return data | {"recently": recently}


class ListenTimeInWindow(InWindow):
    """The listen time over a window, as a number or as a text."""

    as_string = Flag(
        load_default=False, metadata={"description": "Gives the text `28093d 4h 35m 1s` rather than milliseconds."}
    )


class TodayInWindow(InWindow):
    """A window, and the day that it is today in its time zone."""

    @post_load
    def _make_window(self, data: dict[str, Any], **kwargs: Any) -> dict[str, Any]:
        data = super()._make_window(data)
        return data | {"today": Today.at(current_app.config["CLOCK"](), data["window"].tz)}


class ActivityInWindow(InWindow):
    """The buckets of a series."""

    bucket = Choice(UNITS, None, "The unit of the buckets. `day` up to 92 days, `month` up to 5 years, else `year`.")


class ChartsInWindow(InWindow):
    """The charts of a window."""

    bucket = Choice(CHART_UNITS, None, "The unit of the buckets. `month` where that gives at most 120, else `year`.")
    by = Choice(tuple(SortBy), SortBy.COUNT.value, "The measure that the lists are ranked by.")
    limit = BoundedInteger(1, MAX_CHART_LIMIT, DEFAULT_CHART_LIMIT, "The number of rows of each bucket.")

    @post_load
    def _by(self, data: dict[str, Any], **kwargs: Any) -> dict[str, Any]:
        return data | {"by": SortBy(data["by"])}


class WithLimit(Parameters):
    """How many rows the lists inside an answer have."""

    limit = BoundedInteger(1, MAX_LIMIT, DEFAULT_LIMIT, "The number of rows of each list.")


class StreaksInWindow(WithLimit, TodayInWindow):
    """The runs of days in a window."""


class SessionsInWindow(WithLimit, InWindow):
    """The sessions of a window."""

    gap_minutes = BoundedInteger(1, 1440, 30, "The minutes without music after which a new session starts.")


class ComparisonInWindow(WithLimit, InWindow):
    """Another user to compare with."""

    other_user_id = UserId(required=True, metadata=USER_ID | {"example": 2})

    @post_load
    def _other(self, data: dict[str, Any], **kwargs: Any) -> dict[str, Any]:
        return data | {"other": Audience.user(data.pop("other_user_id"))}


class CardInWindow(OfUserAboutSubject, InWindow):
    """A picture of an insight. A signature lets in who has no key (app/web/auth.py), and is no part of the question."""

    theme = Choice(("light", "dark"), "light", "The colours.")
    shape = Choice(("wide", "square"), "wide", "1200 x 630 or 1080 x 1080.")
    format = Choice(("svg", "png"), "svg", "SVG or PNG.")
    title = ShortText(60, load_default="", metadata={"description": "What stands at the head, rather than the name."})
    expires = AnyText(load_default=None, metadata={"description": "Until when the URL is good, in Unix seconds."})
    signature = AnyText(load_default=None, metadata={"description": "What `flask cards sign` has made of the URL."})

    @post_load
    def _unsigned(self, data: dict[str, Any], **kwargs: Any) -> dict[str, Any]:
        return {name: value for name, value in data.items() if name not in ("expires", "signature")}


class ExportInWindow(OfUserAboutSubject, InWindow):
    """A user's listens in a window, as a file."""

    format = Choice(("jsonl", "csv"), "jsonl", "JSON Lines or CSV.")


class TrackInWindow(WithLimit, InWindow):
    """A track over a window."""

    track_id = AnyText(required=True, metadata={"description": "A track's id.", "example": "mW6DdJPHAiRXhdIoSD4uMR"})


class ArtistInWindow(WithLimit, InWindow):
    """An artist over a window."""

    artist_id = AnyText(required=True, metadata={"description": "An artist's id.", "example": "42Jkz9gt6Bmt4uAMXEfJcf"})


class Before(WithLimit):
    """A page of a list that grows at its head."""

    before = Instant(
        load_default=None,
        allow_none=False,
        metadata={"description": "Only what was played before this instant; a page's `next` names the next page's."},
    )


class OnDay(InZone):
    """A day of the year."""

    date = Day(
        load_default=None, allow_none=False, metadata={"description": "The day; without it, today in the time zone."}
    )

    @post_load
    def _day(self, data: dict[str, Any], **kwargs: Any) -> dict[str, Any]:
        day, tz = data.pop("date"), data.pop("tz")
        today = Today(day) if day else Today.at(current_app.config["CLOCK"](), tz)
        return data | {"today": today, "window": Window.all_time(tz)}


class ReviewInWindow(InWindow):
    """The window of a review: this month, unless another is asked for."""

    range = named_window("this_month")

    @pre_load
    def _default(self, data: dict[str, Any], **kwargs: Any) -> dict[str, Any]:
        return data if data.keys() & {"range", "from", "to"} else data | {"range": "this_month"}


class InYear(InZone):
    """A calendar year."""

    year = BoundedInteger(MIN_BOUND.year, MAX_BOUND.year - 1, None, "The year.", example=2026)

    @post_load
    def _year(self, data: dict[str, Any], **kwargs: Any) -> dict[str, Any]:
        start, end = (first_instant(date(year, 1, 1), data["tz"]) for year in (data["year"], data["year"] + 1))
        return data | {"window": Window(CUSTOM, start, end, data.pop("tz"))}
