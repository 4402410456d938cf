"""How a view gets its arguments: the request's path and query, checked together against one schema."""

import re
from collections.abc import Callable
from functools import wraps
from typing import Any

from apifairy import arguments
from flask import request
from marshmallow import Schema, ValidationError

from app.domain.ranking import MAX_LIMIT
from app.domain.timezones import quoted
from app.web.errors import BadParameter, BadParametersError

# Details that clients of the first version know, whatever is wrong with the parameter.
LIMIT_DETAIL = "Limit must be between 1 and {most}"
USER_ID_DETAIL = "Invalid user_id parameter"

# Parameters that are checked against each other.
TOGETHER = {"range", "from", "to", "compare"}

# A percent sign that encodes nothing: WSGI passes it on as it is.
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
        names = {field.data_key or name for name, field in checker.load_fields.items()}
        # APIFairy takes the schema into the OpenAPI document; `app.web.openapi` tells path and query apart there.
        documented = arguments(checker, location="request")(view)

        @wraps(documented)
        def call(**path: str) -> Any:
            return view(**_load(checker, names, path))

        return call

    return decorator


def _load(schema: Schema, names: set[str], path: dict[str, str]) -> dict[str, Any]:
    query = request.args.to_dict(flat=False)
    errors = _wrong_encodings(path) | _wrong_names(query, names - path.keys())
    given = {name: values[0] for name, values in query.items() if values[0] and name not in errors}
    try:
        loaded: dict[str, Any] = schema.load(path | given)
    except ValidationError as error:
        found = {name: texts[0] for name, texts in dict[str, Any](error.messages_dict).items()}
        if any(len(query.get(name, ())) > 1 for name in TOGETHER):  # which one is meant is unknown
            found = {name: text for name, text in found.items() if name not in TOGETHER}
        errors = found | errors
    if errors:
        order = [*path, *query, *errors]
        raise BadParametersError(
            [_bad_parameter(name, errors[name], path, schema) for name in sorted(errors, key=order.index)[:MOST_ERRORS]]
        )
    return loaded


def _wrong_encodings(path: dict[str, str]) -> dict[str, str]:
    """Errors of path parameters that are not percent-encoded UTF-8."""
    errors = {}
    for name, value in path.items():
        if "\ufffd" in value and not _is_utf8(request.environ["PATH_INFO"]):
            errors[name] = f"{name} must be percent-encoded UTF-8"
        elif "%" in value and WRONG_ENCODING.search(request.environ.get("RAW_URI", "").partition("?")[0]):
            errors[name] = f"{name} must be percent-encoded: a % comes before two hexadecimal digits, and is itself %25"
    return errors


def _is_utf8(path: str) -> bool:
    """Whether a path, one character a byte as WSGI has it, is UTF-8. Werkzeug decodes other bytes to U+FFFD."""
    try:
        path.encode("latin-1").decode()
    except UnicodeDecodeError:
        return False
    return True


def _wrong_names(query: dict[str, list[str]], allowed: set[str]) -> dict[str, str]:
    """Errors of query parameters that are unknown or given twice."""
    errors = {}
    for name, values in query.items():
        if name not in allowed:
            errors[name] = f"unknown parameter {quoted(name)}: allowed are {', '.join(sorted(allowed)) or 'none'}"
        elif len(values) > 1:
            errors[name] = f"{name} is given {len(values)} times: give it once"
    return errors


def _bad_parameter(name: str, detail: str, path: dict[str, str], schema: Schema) -> BadParameter:
    if name == "limit":
        detail = LIMIT_DETAIL.format(most=getattr(schema.fields.get("limit"), "maximum", MAX_LIMIT))
    elif name in path and name in ("user_id", "other_user_id"):
        detail = USER_ID_DETAIL
    # An unknown name may be of any length.
    return BadParameter(name if len(name) <= 40 else name[:40] + "…", detail)
