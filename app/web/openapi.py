"""The OpenAPI document of every route, made by APIFairy from the schemas that check and dump."""

from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any
from urllib.parse import quote

import orjson
from flask import Flask, current_app, request

from app.extensions import apifairy
from app.version import VERSION

# Real answers by path; a test makes them and compares.
EXAMPLES = Path(__file__).parent / "examples.json"

Json = dict[str, Any]

# What `cached` adds to every insight.
CACHE_HEADERS = {
    "ETag": {"description": "Of the payload and the list headers.", "schema": {"type": "string"}},
    "X-Cache": {
        "description": "HIT: from the cache. MISS: computed. STALE: past its time, while it is computed again or the "
        "database is away. BYPASS: computed, with no cache to keep it.",
        "schema": {"type": "string", "enum": ["HIT", "MISS", "STALE", "BYPASS"]},
    },
}

_PROBLEM_SCHEMA = {"$ref": "#/components/schemas/Problem"}
_PROBLEM = {"application/problem+json": {"schema": _PROBLEM_SCHEMA}}

_PAGE = {
    "description": "A page.",
    "content": {"text/html": {"schema": {"type": "string"}, "example": "<!doctype html>…"}},
}


def _header(description: str, kind: str) -> Json:
    return {"description": description, "schema": {"type": kind}}


# What any route may answer to a caller that it does not know, or that asks for or sends too much.
REFUSALS: dict[str, Json] = {
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

# These give no JSON, and so nothing that APIFairy could describe.
TEXTS: dict[str, Json] = {
    "/": {
        "operationId": "page_explorer",
        "tags": ["Docs"],
        "summary": "A page that shows every insight as pictures and tables, where `EXPLORER` is on.",
        "responses": {
            "200": _PAGE,
            "404": {"description": "EXPLORER is off.", "content": {"application/json": {"schema": _PROBLEM_SCHEMA}}},
        },
    },
    "/docs": {
        "operationId": "docs_docs",
        "tags": ["Docs"],
        "summary": "Swagger UI over this document.",
        "responses": {
            "200": _PAGE,
        },
    },
    "/metrics": {
        "operationId": "service_metrics",
        "tags": ["Service"],
        "summary": "Numbers for Prometheus, of all workers of this server together.",
        "security": [{"token_auth": []}],
        "responses": {
            "200": {
                "description": "Prometheus' text format.",
                "content": {
                    "text/plain": {
                        "schema": {"type": "string"},
                        "example": 'insights_cache_answers_total{state="HIT"} 12.0\n',
                    }
                },
            }
        },
    },
}


# These give no JSON either, but say all the rest to APIFairy. By what their paths begin with.
FILES: dict[str, Json] = {
    "/insights/export/": {
        "description": "The listens, a line each: JSON Lines without a header, or CSV (RFC 4180, UTF-8) with one.",
        "headers": {"Content-Disposition": _header("It is to be saved as a file.", "string")},
        "content": {
            "application/x-ndjson": {"schema": {"type": "string"}},
            "text/csv": {
                "schema": {"type": "string"},
                "example": "played_at,track_id,track_name,artist_names,duration_ms\r\n",
            },
        },
    },
    "/insights/cards/": {
        "description": "A picture of 1200 x 630 or 1080 x 1080.",
        "content": {
            "image/svg+xml": {"schema": {"type": "string"}},
            "image/png": {"schema": {"type": "string", "format": "binary"}, "example": "\u2026"},
        },
    },
}


def init_app(app: Flask) -> None:
    """Describe the service; `app.routes.docs` serves the document."""
    app.config.update(
        APIFAIRY_TITLE="SongSwap Insights",
        APIFAIRY_VERSION=VERSION,
        APIFAIRY_APISPEC_VERSION="3.1.0",
        APIFAIRY_APISPEC_PATH=None,
        APIFAIRY_UI_PATH=None,
    )
    apifairy.init_app(app)
    apifairy.process_apispec(_finish)


def document() -> Json:
    """The document, which is the same for every application, below the prefix of the request."""
    # Relative, so that "Try it out" works under whatever host the document was fetched from.
    found: Json = apifairy.apispec
    return found | {"servers": [{"url": quote(request.root_path) or "/"}]}


def _finish(document: Json) -> Json:
    """Put right what APIFairy cannot know of this service."""
    document["paths"] |= {path: {"get": operation} for path, operation in TEXTS.items()}
    for tag in document["tags"]:
        tag["name"] = tag["name"].replace("_", " ")
    examples = orjson.loads(EXAMPLES.read_bytes())
    for path, operations in document["paths"].items():
        for operation in operations.values():
            operation["tags"] = [tag.replace("_", " ") for tag in operation.get("tags", [])]
            _place_parameters(operation)
            _name_media_types(operation)
        if given := next((file for start, file in FILES.items() if path.startswith(start)), None):
            del operations["get"]["responses"]["204"]
            operations["get"]["responses"]["200"] = file = deepcopy(given)
            next(iter(file["content"].values()))["example"] = examples.get(path)
        elif path in examples:
            responses = operations["get"]["responses"]
            responses["200"]["content"]["application/json"]["example"] = examples[path]
            responses["200"].setdefault("headers", {}).update(CACHE_HEADERS)
            responses["304"] = {"description": "The answer is the one with the ETag given in If-None-Match."}
    _add_security(document)
    _add_refusals(document)
    _put_in_order(document)
    return document


def _add_security(document: Json) -> None:
    """Name the schemes, and say what APIFairy cannot: either header shows a key, and the secret comes in addition."""
    schemes = document["components"]["securitySchemes"]
    document["components"]["securitySchemes"] = {
        "bearer": schemes["token_auth"],
        "api_key": {"type": "apiKey", "in": "header", "name": "X-API-Key", "description": "A key, by another header."},
        "invalidation_secret": schemes["api_key"],
    }
    for operation in _operations(document):
        if "security" in operation:
            secret: Json = {"invalidation_secret": []} if "api_key" in operation["security"][0] else {}
            operation["security"] = [{"bearer": []} | secret, {"api_key": []} | secret]


def _add_refusals(document: Json) -> None:
    document["components"]["responses"] = REFUSALS
    for operation in _operations(document):
        names = {"413": "ContentTooLarge", "414": "URITooLong"}
        if "security" in operation:
            names["401"] = "Unauthorized"
        if operation["tags"] != ["Service"]:  # probes and /metrics are not counted
            names["429"] = "TooManyRequests"
        operation["responses"] |= {code: {"$ref": f"#/components/responses/{name}"} for code, name in names.items()}


def _operations(document: Json) -> Iterator[Json]:
    for operations in document["paths"].values():
        yield from operations.values()


def _put_in_order(document: Json) -> None:
    """Routes as they were registered, and the parameters of a path before those of the query, as the path has them."""
    registered = [endpoint.replace(".", "_") for endpoint in current_app.view_functions]
    document["paths"] = dict(
        sorted(
            document["paths"].items(),
            key=lambda item: min(registered.index(operation["operationId"]) for operation in item[1].values()),
        )
    )
    for path, operations in document["paths"].items():
        for operation in operations.values():
            operation.get("parameters", []).sort(
                key=lambda parameter, path=path: (parameter["in"] != "path", path.find(f"{{{parameter['name']}}}"))
            )


def _place_parameters(operation: Json) -> None:
    """Tell the parameters that `checked` takes from the request apart: those in the path, and those in the query."""
    listed = operation.get("parameters", [])
    checked = {parameter["name"] for parameter in listed if parameter["in"] == "request"}
    in_path = {parameter["name"] for parameter in listed if parameter["in"] == "path"}
    operation["parameters"] = [
        parameter for parameter in listed if parameter["in"] != "path" or parameter["name"] not in checked
    ]
    for parameter in operation["parameters"]:
        if parameter["in"] == "request":
            parameter["in"] = "path" if parameter["name"] in in_path else "query"
        if parameter["schema"].get("default", "") is None:  # absent, rather than null
            del parameter["schema"]["default"]


def _name_media_types(operation: Json) -> None:
    """Errors are problems; and a header's name is its key alone."""
    for status, response in operation["responses"].items():
        if int(status) >= 400:
            response["content"] = {"application/problem+json": response["content"]["application/json"]}
        for header in response.get("headers", {}).values():
            header.pop("name")
            header.pop("in")
