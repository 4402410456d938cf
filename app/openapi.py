"""The OpenAPI document of every route, made by APIFairy from the schemas that check and dump."""

from copy import deepcopy
from pathlib import Path
from typing import Any

import orjson
from flask import Flask, current_app

from app import openapi_access
from app.auth import gate
from app.extensions import apifairy
from app.version import VERSION

# Real answers by path; a test makes them and compares.
EXAMPLES = Path(__file__).parent / "examples.json"

Operation = dict[str, Any]

# What `cached` adds to every insight.
CACHE_HEADERS = {
    "ETag": {"description": "Of the payload and the list headers.", "schema": {"type": "string"}},
    "X-Cache": {
        "description": "HIT: from the cache. MISS: computed. STALE: past its time, while it is computed again or the "
        "database is away. BYPASS: computed, with no cache to keep it.",
        "schema": {"type": "string", "enum": ["HIT", "MISS", "STALE", "BYPASS"]},
    },
}

# These give no JSON, and so nothing that APIFairy could describe.
TEXTS: dict[str, Operation] = {
    "/docs": {
        "operationId": "docs_docs",
        "tags": ["Docs"],
        "summary": "Swagger UI over this document.",
        "responses": {
            "200": {
                "description": "A page.",
                "content": {"text/html": {"schema": {"type": "string"}, "example": "<!doctype html>…"}},
            }
        },
    },
    "/metrics": {
        "operationId": "service_metrics",
        "tags": ["Service"],
        "summary": "Numbers for Prometheus, of all workers of this server together.",
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


def document() -> dict[str, Any]:
    """The document of the current application: what is wanted of a caller depends on its settings."""
    app = current_app._get_current_object()  # type: ignore[attr-defined]
    if "openapi" not in app.extensions:
        app.extensions["openapi"] = deepcopy(apifairy.apispec)
        openapi_access.demand(app.extensions["openapi"], app, gate())
    found: dict[str, Any] = app.extensions["openapi"]
    return found


def _finish(document: dict[str, Any]) -> dict[str, Any]:
    """Put right what APIFairy cannot know of this service."""
    # Relative, so that "Try it out" works under whatever address the document was fetched from.
    document["servers"] = [{"url": "/"}]
    document["paths"] |= {path: {"get": operation} for path, operation in TEXTS.items()}
    for tag in document["tags"]:
        tag["name"] = tag["name"].replace("_", " ")
    examples = orjson.loads(EXAMPLES.read_bytes())
    for path, operations in document["paths"].items():
        for operation in operations.values():
            operation["tags"] = [tag.replace("_", " ") for tag in operation.get("tags", [])]
            _place_parameters(operation)
            _name_media_types(operation)
        if path in examples:
            responses = operations["get"]["responses"]
            responses["200"]["content"]["application/json"]["example"] = examples[path]
            responses["200"].setdefault("headers", {}).update(CACHE_HEADERS)
            responses["304"] = {"description": "The answer is the one with the ETag given in If-None-Match."}
    openapi_access.describe(document, current_app)
    _put_in_order(document)
    return document


def _put_in_order(document: dict[str, Any]) -> None:
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


def _place_parameters(operation: Operation) -> None:
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


def _name_media_types(operation: Operation) -> None:
    """Errors are problems; and a header's name is its key alone."""
    for status, response in operation["responses"].items():
        if int(status) >= 400:
            response["content"] = {"application/problem+json": response["content"]["application/json"]}
        for header in response.get("headers", {}).values():
            header.pop("name")
            header.pop("in")
