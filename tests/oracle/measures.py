"""Every measure of the contract that is asked of a user, a group or everyone, with the oracle's answer to it."""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

from hypothesis import strategies as st

from tests.histories import limits, pages
from tests.oracle.days import activity, clock, sessions, streaks
from tests.oracle.lists import Kind, discovered, discoveries, distinct, ranking, top, total_listen_time, total_listens
from tests.oracle.pages import features, summary

NOTHING: st.SearchStrategy[dict[str, Any]] = st.just({})


class Measure(NamedTuple):
    """A path below `/insights` or `/insights/global`, and what is right there.

    `answer` takes what is asked and the parameters. `total` gives the rows over all pages, where the answer is a list.
    """

    path: str
    answer: Callable[..., Any]
    parameters: st.SearchStrategy[dict[str, Any]] = NOTHING
    total: Callable[..., int] | None = None
    is_ranked: bool = False

    @property
    def family(self) -> str:
        """What is asked of one history together, which saves making many."""
        family = self.path.partition("/")[0]
        return "numbers" if family in {"total", "distinct"} else family


def _ranked(kind: Kind) -> Measure:
    by = st.sampled_from(({"by": "listen_time"}, {"by": "count"}, {}))
    parameters = st.builds(lambda page, sort: page | sort, pages(), by)
    return Measure(
        f"top/{kind}", partial(top, kind=kind), parameters, lambda asked: len(ranking(asked, kind)), is_ranked=True
    )


def _discoveries(name: str, kind: Kind) -> Measure:
    return Measure(
        f"discoveries/{name}",
        partial(discoveries, kind=kind),
        pages(),
        lambda asked: len(discovered(asked, kind)),
    )


def _distinct(kind: Kind) -> Measure:
    return Measure(f"distinct/{kind}", partial(distinct, kind=kind))


SHARED = [
    *map(_ranked, ("tracks", "artists", "primary-artists", "genres")),
    _discoveries("tracks", "tracks"),
    _discoveries("artists", "primary-artists"),
    Measure("total/listens", total_listens),
    Measure(
        "total/listen-time",
        total_listen_time,
        st.fixed_dictionaries({}, optional={"as_string": st.booleans()}),
    ),
    *map(_distinct, ("tracks", "artists", "primary-artists", "genres")),
    Measure("summary", summary),
    Measure(
        "activity",
        activity,
        st.fixed_dictionaries({}, optional={"bucket": st.sampled_from(("hour", "day", "week", "month", "year"))}),
    ),
    Measure("clock", clock),
    Measure("features", features),
]
OF_USER = [
    *SHARED,
    Measure("streaks", streaks, limits()),
    Measure(
        "sessions",
        sessions,
        st.builds(
            lambda limit, gap: limit | gap,
            limits(),
            st.fixed_dictionaries({}, optional={"gap_minutes": st.sampled_from((1, 29, 30, 31, 1440))}),
        ),
    ),
]
OF_EVERYONE = [*SHARED, _ranked("listeners"), _distinct("listeners")]

# The rules of the rest of the contract's insights.
OTHER_RULES = {
    "/insights/history/<user_id>",
    "/insights/on-this-day/<user_id>",
    "/insights/wrapped/<user_id>/<year>",
    "/insights/compare/<user_id>/<other_user_id>",
    "/insights/tracks/<track_id>",
    "/insights/artists/<artist_id>",
}
RULES = (
    {f"/insights/{measure.path}/<user_id>" for measure in OF_USER}
    | {f"/insights/global/{measure.path}" for measure in OF_EVERYONE}
    | OTHER_RULES
)
