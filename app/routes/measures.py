"""How a measure becomes a route: check, look in the cache, ask, dump. One shape for every measure and audience."""

from collections.abc import Callable
from typing import Any

from apifairy import authenticate, other_responses, response
from flask import Blueprint, abort
from marshmallow import Schema

from app.cache.decorators import cached
from app.extensions import db
from app.routes.arguments import checked
from app.routes.presentation import links_as_asked, list_headers
from app.schemas.answers.lists import ListHeaders, Scalar
from app.schemas.answers.problems import NOT_FOUND, UNAVAILABLE, WRONG_PARAMETERS
from app.schemas.requests.windows import Parameters
from app.services.listing import Listing
from app.web.auth import key


class Insights:
    """The insights of one kind of audience, on a blueprint.

    `audience` is the schema of the parameters that name the audience; `suffix` is where they stand in the path, after
    the measure's name. `of_everyone` says that the answers depend on more than the listens of those users.
    """

    def __init__(
        self, blueprint: Blueprint, audience: type[Parameters], suffix: str = "", *, of_everyone: bool = False
    ) -> None:
        self.blueprint = blueprint
        self.audience = audience
        self.suffix = suffix
        self.of_everyone = of_everyone

    def add(
        self,
        path: str,
        measure: Callable[..., Any],
        takes: type[Parameters],
        gives: Schema | Scalar,
        more: str = "",
        *,
        of_everyone: bool = False,
    ) -> None:
        """Serve a measure under `path`, with `more` at the path's end; its docstring documents the route.

        The measure is called with a session and with what `takes` and the audience's schema load, by name. A measure
        that gives None knows nothing of what was asked for: that is a 404. `of_everyone` says that these
        answers also depend on the listens of others.
        """

        @other_responses(WRONG_PARAMETERS | NOT_FOUND | UNAVAILABLE)
        @authenticate(key)
        @checked(type(takes.__name__, (self.audience, takes), {}))
        @links_as_asked
        @cached(of_everyone=of_everyone or self.of_everyone)
        @response(gives, headers=ListHeaders if isinstance(gives, Schema) and gives.many else None)
        def view(**question: Any) -> Any:
            answer = measure(db.session(), **question)
            if answer is None:
                abort(404, f"There is nothing of this id in {path.partition('/<')[0].strip('/')}")
            if isinstance(answer, Listing):
                page = question.get("ranking") or question["page"]
                return answer.rows, list_headers(answer, page, question.get("window"))
            return answer

        view.__doc__ = measure.__doc__
        endpoint = path.partition("/<")[0].strip("/").replace("/", "_").replace("-", "_")
        self.blueprint.add_url_rule(path + self.suffix + more, endpoint, view)
