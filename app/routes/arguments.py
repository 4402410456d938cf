"""How a view gets its arguments: the request's path and query, checked together against one schema."""

import re
from collections.abc import Callable
from functools import wraps
from typing import Any

from apifairy import arguments
from flask import request
from marshmallow import Schema, ValidationError

from app.errors import BadParameter, BadParametersError
from app.timezones import quoted

# What these parameters' errors say, whatever is wrong with them: clients of the first version know the texts.
FIXED_DETAILS = {
    "limit": "Limit must be between 1 and 100",
    "user_id": "Invalid user_id parameter",
    "other_user_id": "Invalid user_id parameter",
}

# Parameters that are checked together, too.
TOGETHER = {"range", "from", "to", "compare"}

# A percent sign that encodes nothing. WSGI hands over the path decoded, and such a sign as it is.
WRONG_ENCODING = re.compile(r"%(?![0-9A-Fa-f]{2})")

# An answer should not be much larger than its request.
MOST_ERRORS = 20


def checked(schema: type[Schema]) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Call the view with what `schema` loads from the request's path and query, as keyword arguments.

    An empty query parameter is an absent one. Raises BadParametersError, with every error at once, for what the schema
    refuses, for an unknown parameter, and for one given twice.
    """

    def decorator(view: Callable[..., Any]) -> Callable[..., Any]:
        checker = schema()
        # APIFairy takes the schema into the OpenAPI document; `app.openapi` tells path and query apart there.
        documented = arguments(checker, location="request")(view)

        @wraps(documented)
        def call(**path: str) -> Any:
            return view(**_load(checker, path))

        return call

    return decorator


def _load(schema: Schema, path: dict[str, str]) -> dict[str, Any]:
    names = {field.data_key or name for name, field in schema.load_fields.items()} - path.keys()
    given: dict[str, str] = {}
    errors: dict[str, str] = {}
    if not _is_utf8(request.environ["PATH_INFO"]):
        errors |= {name: f"{name} must be percent-encoded UTF-8" for name, value in path.items() if "\ufffd" in value}
    if WRONG_ENCODING.search(request.environ.get("RAW_URI", "").partition("?")[0]):
        errors |= {
            name: f"{name} must be percent-encoded: a % comes before two hexadecimal digits, and is itself %25"
            for name, value in path.items()
            if "%" in value
        }
    twice = {name for name, values in request.args.lists() if len(values) > 1}
    for name, values in request.args.lists():
        if name not in names:
            errors[name] = f"unknown parameter {quoted(name)}: allowed are {', '.join(sorted(names)) or 'none'}"
        elif name in twice:
            errors[name] = f"{name} is given {len(values)} times: give it once"
        elif values[0]:
            given[name] = values[0]
    try:
        loaded: dict[str, Any] = schema.load(given | path)
    except ValidationError as error:
        found = {name: texts[0] for name, texts in dict[str, Any](error.messages_dict).items()}
        if not TOGETHER.isdisjoint(twice):  # how they go with each other is not known
            found = {name: text for name, text in found.items() if name not in TOGETHER}
        errors = found | errors
    if errors:
        # An id that is no parameter here is not wrong as such.
        fixed = {name: text for name, text in FIXED_DETAILS.items() if name == "limit" or name in names | path.keys()}
        order = [*path, *request.args]
        names_in_order = sorted(errors, key=lambda name: order.index(name) if name in order else len(order))
        raise BadParametersError(
            [BadParameter(shortened_name(name), fixed.get(name, errors[name])) for name in names_in_order[:MOST_ERRORS]]
        )
    return loaded


def _is_utf8(path: str) -> bool:
    """Whether a path, its bytes one by one as WSGI has them, is text. Werkzeug would make U+FFFD of what is not."""
    try:
        path.encode("latin-1").decode()
    except UnicodeDecodeError:
        return False
    return True


def shortened_name(name: str) -> str:
    """A parameter's name as it is told back: an unknown one may be of any length."""
    return name if len(name) <= 40 else name[:40] + "…"
