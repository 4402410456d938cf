"""How a measure becomes a route: check, look in the cache, ask, dump. One shape for every measure and audience."""

from collections.abc import Callable
from functools import wraps
from typing import Any
from urllib.parse import quote, urlencode

from apifairy import other_responses, response
from flask import Blueprint, request
from marshmallow import Schema

from app.cache.decorators import cached
from app.extensions import db
from app.ranking import MAX_OFFSET, Page
from app.routes.arguments import checked
from app.schemas.insights import ListHeaders, Scalar
from app.schemas.parameters import Parameters
from app.schemas.problems import UNAVAILABLE, WRONG_PARAMETERS
from app.services.rankings import Listing
from app.timezones import format_instant
from app.windows import Window


class Insights:
    """The insights of one kind of audience, on a blueprint.

    `audience` is the schema of the parameters that name the audience, `rule` the URL rule that a measure's path is put
    in: `{}/<user_id>`.
    """

    def __init__(self, blueprint: Blueprint, audience: type[Parameters], rule: str) -> None:
        self.blueprint = blueprint
        self.audience = audience
        self.rule = rule

    def add(self, path: str, measure: Callable[..., Any], takes: type[Parameters], gives: Schema | Scalar) -> None:
        """Serve a measure under `path`; the measure's docstring documents the route.

        The measure is called with a session and with what `takes` and the audience's schema load, by name.
        """
        is_list = isinstance(gives, Schema) and gives.many

        @other_responses(WRONG_PARAMETERS | UNAVAILABLE)
        @checked(type(takes.__name__, (self.audience, takes), {}))
        @cached()
        @response(gives, headers=ListHeaders if is_list else None)
        def view(**question: Any) -> Any:
            answer = measure(db.session(), **question)
            if isinstance(answer, Listing):
                return answer.rows, _list_headers(answer, question)
            return answer

        view.__doc__ = measure.__doc__
        endpoint = path.strip("/").replace("/", "_").replace("-", "_")
        self.blueprint.add_url_rule(self.rule.format(path), endpoint, view)


def _list_headers(listing: Listing[Any], question: dict[str, Any]) -> dict[str, str]:
    """`X-Total-Count`, `Link`, and the window's ends where they are not open."""
    window: Window = question["window"]
    headers = {"X-Total-Count": str(listing.total)}
    if link := _link(question.get("ranking") or question["page"], listing.total):
        headers["Link"] = link
    if window.start is not None:
        headers["X-Window-From"] = format_instant(window.start)
    if window.end is not None:
        headers["X-Window-To"] = format_instant(window.end)
    return headers


def _link(page: Page, total: int) -> str:
    """RFC 8288 links to the first, previous, next and last page, as far as they exist and may be asked for."""
    if not total:
        return ""
    last = (total - 1) // page.limit * page.limit
    offsets = {"first": 0}
    if page.offset > 0:
        offsets["prev"] = min(max(page.offset - page.limit, 0), last)
    if page.offset + page.limit < total:
        offsets["next"] = page.offset + page.limit
    offsets["last"] = last
    given = {name: value for name, value in request.args.items() if value}
    path = quote(request.root_path + request.path)
    return ", ".join(
        f'<{path}?{urlencode(given | {"limit": page.limit, "offset": offset})}>; rel="{rel}"'
        for rel, offset in offsets.items()
        if offset <= MAX_OFFSET
    )


def listen_time(measure: Callable[..., int]) -> Callable[..., int | str]:
    """A listen time in ms, or as a text where `as_string` is asked for."""

    @wraps(measure)
    def view(session: Any, *, as_string: bool, **question: Any) -> int | str:
        milliseconds = measure(session, **question)
        return _duration(milliseconds) if as_string else milliseconds

    return view


def _duration(milliseconds: int) -> str:
    minutes, seconds = divmod(milliseconds // 1000, 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    return f"{days}d {hours}h {minutes}m {seconds}s"
