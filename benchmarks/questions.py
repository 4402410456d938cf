"""What is asked: every insight, of everyone and of users of every size, in every kind of window."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import product

LISTS = ("top/tracks", "top/artists", "top/primary-artists", "top/genres")
NUMBERS = (
    "total/listens",
    "total/listen-time",
    "distinct/tracks",
    "distinct/artists",
    "distinct/primary-artists",
    "distinct/genres",
)
GLOBAL_LISTS = (*LISTS, "top/listeners")
GLOBAL_NUMBERS = (*NUMBERS, "distinct/listeners")
DISCOVERIES = ("discoveries/tracks", "discoveries/artists")
PAGES = ("summary", "activity", "clock", "features")
USER_PAGES = (*PAGES, "streaks", "sessions")

CALENDAR = ("today", "yesterday",
            *(f"{which}_{unit}" for unit in ("week", "month", "quarter", "half_year", "year")
              for which in ("this", "last")))  # fmt: skip
DAYS = ("7d", "30d", "90d", "365d")
RANGES = ("all_time", *CALENDAR, *DAYS)
FEW = ("all_time", "last_year", "this_month", "30d")

PARAMETERS = (
    "?by=listen_time",
    "?range=30d&by=listen_time",
    "?limit=100&offset=900",
    "?range=this_month&compare=previous",
    "?range=last_year&compare=previous&limit=100",
)

# The subjects of answers; the ids are those of what is listened to most.
ABOUT = ("track_id={track}", "artist_id={artist}", "genre=genre%201")

CARDS = ("top-tracks", "top-artists", "top-genres", "activity", "clock", "review")

# West and east, and where clocks are not a whole number of hours from UTC.
ZONES = ("America/Los_Angeles", "Europe/Paris", "Asia/Kathmandu")
CLOCKS = ("UTC", *ZONES, "Australia/Lord_Howe")

GROUPS = {
    "everyone": "everyone: lists, totals, distincts; all time, calendar ranges, 7/30/90/365d; UTC",
    "typical": "a typical user: the same",
    "measures": "a typical user: every other measure, wrapped and compare included",
    "heaviest": "the heaviest user: every measure",
    "zones": "everyone, any zone: lists, clock, activity",
    "spans": "everyone: lists, any from/to over a year",
    "charts": "a typical user: charts of three years by month, of 830 days by week",
    "alike": "a typical user: who listens alike, recommendations, blends",
    "discoveries": "everyone and a typical user: discoveries",
    "others": "everyone: all other measures; tracks, artists, cards",
    "subjects": "a typical user and everyone: answers about one track, artist or genre",
    "groups": "twenty users: lists and pages",
}


@dataclass(frozen=True)
class Question:
    """A request of a group; ids stand in the path as placeholders, `{typical}` among them."""

    group: str
    path: str


# What targets are multiples of: asked among the questions of each group, for the machine is another in each minute.
FLOOR = Question("floor", "/floor/{typical}")


def questions(end: datetime, *, quick: bool) -> list[Question]:
    """All questions to a platform whose last listen is at `end`, or with `quick` every kind of them."""
    few, ranges = (FEW[-1:], FEW[-2:]) if quick else (FEW, RANGES)
    zones, clocks = (ZONES[-1:], CLOCKS[-1:]) if quick else (ZONES, CLOCKS)
    found: dict[str, Iterable[str]] = {
        "everyone": _lists_and_numbers("/insights/global/{}", GLOBAL_LISTS, GLOBAL_NUMBERS, ranges, quick=quick),
        "typical": _lists_and_numbers("/insights/{}/{{typical}}", LISTS, NUMBERS, ranges, quick=quick),
        "measures": _measures("{typical}", end, USER_PAGES, few, zones[-1]),
        "heaviest": [
            *_measures("{heaviest}", end, (*LISTS, *NUMBERS, *DISCOVERIES, *USER_PAGES), few, zones[-1]),
            *_charts("{heaviest}", end),
        ],
        "zones": [
            *(
                f"/insights/global/{list_}?range={range}&tz={tz}"
                for list_, range, tz in product(GLOBAL_LISTS, ranges[1:], zones)
            ),
            *(
                f"/insights/global/{page}tz={tz}"
                for page, tz in product(("clock?", "activity?", "activity?bucket=day&"), clocks)
            ),
        ],
        "spans": (
            f"/insights/global/{list_}?from={start}&to={to}"
            for list_, (start, to) in product(GLOBAL_LISTS, list(_spans(end))[: 1 if quick else None])
        ),
        "charts": _charts("{typical}", end),
        "discoveries": (
            path.format(insight) + f"?range={range}"
            for path, insight, range in product(
                ("/insights/global/{}", "/insights/{}/{{typical}}"), DISCOVERIES, few
            )
        ),
        "others": [
            *(f"/insights/global/{page}?range={range}" for page, range in product(PAGES, few)),
            *(f"/insights/tracks/{{track}}?range={range}" for range in few),
            *(f"/insights/artists/{{artist}}?range={range}" for range in few),
            *(f"/insights/cards/{kind}/{{typical}}?range=365d" for kind in CARDS),
        ],
        "subjects": [
            *(
                f"/insights/{insight}/{{typical}}?{about}"
                for insight, about in product((*LISTS[:2], *NUMBERS[:2], *PAGES), ABOUT[-2:] if quick else ABOUT)
            ),
            *(f"/insights/global/{insight}?{about}" for insight, about in product((*LISTS[:2], *PAGES[:1]), ABOUT[:2])),
        ],
        "alike": [
            "/insights/similar/{typical}",
            "/insights/similar/{typical}?users=2,3,4",
            *(f"/insights/recommendations/{kind}/{{typical}}" for kind in ("tracks", "artists")),
            *(f"/insights/global/blend/{kind}?users={{typical}},{{other}}" for kind in ("tracks", "artists", "genres")),
        ],
        "groups": (
            f"/insights/global/{insight}?users={','.join(map(str, range(2, 22)))}"
            for insight in ((*LISTS[:1], *PAGES[:1]) if quick else (*GLOBAL_LISTS, *GLOBAL_NUMBERS, *PAGES))
        ),
    }  # fmt: skip
    return [Question(group, path) for group, paths in found.items() for path in paths]


def _lists_and_numbers(
    path: str, lists: Iterable[str], numbers: Iterable[str], ranges: Iterable[str], *, quick: bool
) -> Iterator[str]:
    for insight, range in product((*lists, *numbers), ranges):
        yield path.format(insight) + f"?range={range}"
    for list_, query in product(lists, PARAMETERS[-1:] if quick else PARAMETERS):
        yield path.format(list_) + query


def _measures(user: str, end: datetime, measures: Iterable[str], ranges: Iterable[str], tz: str) -> Iterator[str]:
    """Measures of a user, and those that have paths or parameters of their own."""
    for measure, range in product(measures, ranges):
        yield f"/insights/{measure}/{user}?range={range}"
    for measure in measures:
        yield f"/insights/{measure}/{user}?range=this_year&tz={tz}"
    yield f"/insights/history/{user}"
    yield f"/insights/history/{user}?before={end - timedelta(days=400):%Y-%m-%d}&limit=100"
    yield f"/insights/export/{user}?range=30d"
    yield f"/insights/on-this-day/{user}?tz={tz}"
    yield f"/insights/wrapped/{user}/{end.year - 1}"
    yield f"/insights/wrapped/{user}/{end.year}?tz={tz}"
    yield from (f"/insights/forgotten/{kind}/{user}" for kind in ("tracks", "artists"))
    yield from (f"/insights/review/{user}?range={range}" for range in ranges)
    yield from (f"/insights/compare/{user}/{{other}}?range={range}" for range in ranges)


def _charts(user: str, end: datetime) -> Iterator[str]:
    for kind in ("tracks", "artists", "primary-artists", "genres"):
        yield f"/insights/charts/{kind}/{user}?bucket=month&from={end - timedelta(days=1095):%Y-%m-%d}"
        yield f"/insights/charts/{kind}/{user}?bucket=week&from={end - timedelta(days=830):%Y-%m-%d}"


def _spans(end: datetime) -> Iterator[tuple[str, str]]:
    """Spans of a year and more that begin and end anywhere."""
    for days, before in ((365, 0.3), (400, 100.7), (540, 300.2), (800, 20.9), (1000, 60.4)):
        to = end - timedelta(days=before, seconds=1234)
        start = to - timedelta(days=days, hours=7, seconds=17)
        yield f"{start.isoformat(timespec='seconds')}Z", f"{to.isoformat(timespec='seconds')}Z"
