"""What the OpenAPI document says of access and limits: who may ask, how often, and how much may be sent along.

Limits are the same for every application, and described once; who may ask depends on the settings.
"""

import re
from typing import Any

from flask import Flask

from app.auth import Access, Gate, access_of

Json = dict[str, Any]

SECURITY_SCHEMES: Json = {
    "bearer": {
        "type": "http",
        "scheme": "bearer",
        "description": "A key, as `flask api-keys new` makes them; `/metrics` may want a token of its own.",
    },
    "api_key": {"type": "apiKey", "in": "header", "name": "X-API-Key", "description": "A key, by another header."},
    "invalidation_secret": {
        "type": "apiKey",
        "in": "header",
        "name": "X-Invalidation-Secret",
        "description": "The secret for clearing the cache, in addition to a key.",
    },
}

_PROBLEM = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}


def _header(description: str, kind: str) -> Json:
    return {"description": description, "schema": {"type": kind}}


RESPONSES: Json = {
    "Unauthorized": {
        "description": "Keys are configured, and there is none in the request, or a wrong one.",
        "headers": {"WWW-Authenticate": _header("How to show a key.", "string")},
        "content": _PROBLEM,
    },
    "ContentTooLarge": {"description": "The body has more than 64 kB.", "content": _PROBLEM},
    "URITooLong": {
        "description": "The request line has more than 8,190 bytes. The body is the server's own.",
        "content": {"text/html": {"schema": {"type": "string"}}},
    },
    "TooManyRequests": {
        "description": "Requests are limited, and this caller has made as many as it may; or it was wrong about a "
        "secret too often.",
        "headers": {
            "Retry-After": _header("Seconds until there is more.", "integer"),
            "RateLimit-Limit": _header("Requests in a window; on every answer where requests are limited.", "integer"),
            "RateLimit-Remaining": _header("What is left of them.", "integer"),
            "RateLimit-Reset": _header("Seconds until the next window begins.", "integer"),
        },
        "content": _PROBLEM,
    },
}


def describe(document: Json, app: Flask) -> None:
    """Add the security schemes, and the answers to those who send too much, to every operation."""
    document["components"] |= {"securitySchemes": SECURITY_SCHEMES, "responses": RESPONSES}
    for path, access in _accesses(app).items():
        for operation in document["paths"].get(path, {}).values():
            names = {"413": "ContentTooLarge", "414": "URITooLong"}
            if access in (Access.KEY, Access.DOCS):
                names |= {"429": "TooManyRequests"}
            operation["responses"] |= {status: _reference(name) for status, name in names.items()}


def demand(document: Json, app: Flask, gate: Gate) -> None:
    """Say which operations want what, by the settings of the application that serves the document."""
    for path, access in _accesses(app).items():
        for operation in document["paths"].get(path, {}).values():
            secret: Json = {"invalidation_secret": []} if operation.pop("security", None) else {}
            if gate.wants_token(access):
                operation["security"] = [{"bearer": []}]
            elif gate.wants_key(access):
                operation["security"] = [{"bearer": []} | secret, {"api_key": []} | secret]
            elif access is Access.KEY or secret:
                # No keys are configured: a request may show one, and needs none.
                operation["security"] = [secret, {"bearer": []} | secret, {"api_key": []} | secret]
            if "security" in operation:
                operation["responses"]["401"] = _reference("Unauthorized")


def _reference(response: str) -> Json:
    return {"$ref": f"#/components/responses/{response}"}


def _accesses(app: Flask) -> dict[str, Access]:
    """What each path asks of its caller, by the path as the document writes it."""
    return {
        re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule.rule): access_of(rule.endpoint) or Access.KEY
        for rule in app.url_map.iter_rules()
    }
