"""Every measure of the contract that is asked of a user, a group or everyone, with the oracle's answer to it."""

from collections.abc import Callable
from functools import partial
from random import Random
from typing import Any, NamedTuple

from tests.oracle.days import activity, charts, clock, review, sessions, streaks
from tests.oracle.lists import (
    Asked,
    Kind,
    discovered,
    discoveries,
    distinct,
    forgotten,
    forgotten_list,
    ranking,
    top,
    total_listen_time,
    total_listens,
)
from tests.oracle.pages import features, summary
from tests.support.histories import any_limit, any_page


def _nothing(_rng: Random) -> dict[str, Any]:
    return {}


class Measure(NamedTuple):
    """A path below `/insights` or `/insights/global`, and what is right there.

    `answer` takes what is asked and the parameters. `total` gives the rows over all pages, where the answer is
    a list.
    `default_range` is the window where none is asked for. `has_substance` tells of a right answer whether it is
    about anything that could be wrong.
    """

    path: str
    answer: Callable[..., Any]
    has_substance: Callable[[Asked, Any], bool]
    parameters: Callable[[Random], dict[str, Any]] = _nothing
    total: Callable[..., int] | None = None
    is_ranked: bool = False
    default_range: str = "all_time"

    @property
    def family(self) -> str:
        """What is asked of one history together, which saves making many."""
        family = self.path.partition("/")[0]
        return "numbers" if family in {"total", "distinct"} else family


def _several_listens(asked: Asked, _answer: Any) -> bool:
    return len(asked.listens) > 1


def _ranked(kind: Kind) -> Measure:
    def parameters(rng: Random) -> dict[str, Any]:
        return any_page(rng) | rng.choice(({"by": "listen_time"}, {"by": "count"}, {}))

    def total(asked: Asked, **_given: Any) -> int:
        return len(ranking(asked, kind))

    return Measure(
        f"top/{kind}",
        partial(top, kind=kind),
        lambda asked, rows: bool(rows) and total(asked) > 1,
        parameters,
        total,
        is_ranked=True,
    )


def _discoveries(name: str, kind: Kind) -> Measure:
    return Measure(
        f"discoveries/{name}",
        partial(discoveries, kind=kind),
        lambda _asked, rows: bool(rows),
        any_page,
        lambda asked, **_given: len(discovered(asked, kind)),
    )


def _charts(kind: Kind) -> Measure:
    def parameters(rng: Random) -> dict[str, Any]:
        shape = rng.choice(({}, {"bucket": rng.choice(("week", "month", "quarter", "year"))}))
        return any_limit(rng) | shape | rng.choice(({}, {"by": rng.choice(("count", "listen_time"))}))

    return Measure(
        f"charts/{kind}",
        partial(charts, kind=kind),
        lambda asked, page: any(len(bucket["rows"]) > 1 for bucket in page["buckets"]),
        parameters,
    )


def _forgotten(kind: Kind) -> Measure:
    def parameters(rng: Random) -> dict[str, Any]:
        days = rng.choice(({}, {"days": rng.choice((1, 2, 7, 8, 3660))}))
        return any_page(rng) | days | rng.choice(({}, {"by": rng.choice(("count", "listen_time"))}))

    return Measure(
        f"forgotten/{kind}",
        partial(forgotten, kind=kind),
        # Most are not forgotten where the window goes on until today.
        lambda asked, rows: bool(rows) or bool(asked.listens),
        parameters,
        lambda asked, **given: len(forgotten_list(asked, kind, **given)),
    )


def _distinct(kind: Kind) -> Measure:
    return Measure(f"distinct/{kind}", partial(distinct, kind=kind), lambda _asked, number: number > 1)


KINDS: tuple[Kind, ...] = ("tracks", "artists", "primary-artists", "genres")
SHARED = [
    *map(_ranked, KINDS),
    _discoveries("tracks", "tracks"),
    _discoveries("artists", "primary-artists"),
    Measure("total/listens", total_listens, _several_listens),
    Measure(
        "total/listen-time",
        total_listen_time,
        _several_listens,
        lambda rng: rng.choice(({}, {"as_string": True}, {"as_string": False})),
    ),
    *map(_distinct, KINDS),
    Measure("summary", summary, lambda _asked, page: page["distinct_tracks"] > 1),
    Measure(
        "activity",
        activity,
        lambda asked, series: len(series["buckets"]) > 1 and _several_listens(asked, series),
        lambda rng: rng.choice(({}, {"bucket": rng.choice(("hour", "day", "week", "month", "year"))})),
    ),
    Measure("clock", clock, lambda _asked, table: sum(count > 0 for day in table["count"] for count in day) > 1),
    Measure("features", features, lambda _asked, profile: sum(profile["modes"].values()) > 1),
]
OF_USER = [
    *SHARED,
    Measure("streaks", streaks, lambda _asked, found: any(run["days"] > 1 for run in found["streaks"]), any_limit),
    *map(_charts, KINDS),
    _forgotten("tracks"),
    _forgotten("artists"),
    Measure("review", review, lambda _asked, page: page["distinct_tracks"] > 1, default_range="this_month"),
    Measure(
        "sessions",
        sessions,
        lambda _asked, found: any(session["listens"] > 1 for session in found["longest"]),
        lambda rng: any_limit(rng) | rng.choice(({}, {"gap_minutes": rng.choice((1, 29, 30, 31, 1440))})),
    ),
]
OF_EVERYONE = [*SHARED, _ranked("listeners"), _distinct("listeners")]

# The rules of the rest of the contract's insights.
OTHER_RULES = {
    "/insights/export/<user_id>",
    "/insights/history/<user_id>",
    "/insights/on-this-day/<user_id>",
    "/insights/wrapped/<user_id>/<year>",
    "/insights/compare/<user_id>/<other_user_id>",
    "/insights/tracks/<track_id>",
    "/insights/artists/<artist_id>",
    "/insights/similar/<user_id>",
    "/insights/recommendations/tracks/<user_id>",
    "/insights/recommendations/artists/<user_id>",
    "/insights/global/blend/tracks",
    "/insights/global/blend/artists",
    "/insights/global/blend/genres",
}
RULES = (
    {f"/insights/{measure.path}/<user_id>" for measure in OF_USER}
    | {f"/insights/global/{measure.path}" for measure in OF_EVERYONE}
    | OTHER_RULES
)
