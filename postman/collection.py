"""A Postman collection (format 2.1) out of an OpenAPI document: a folder for each tag, a request for each operation.

Each request comes with values for all that it takes, an example of its answer, and checks of the answer's status,
content type and shape. What depends on the service that is asked, and on whose data it has, is a variable.
"""

import json
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

Json = dict[str, Any]

FORMAT = "https://schema.getpostman.com/json/collection/v2.1.0/collection.json"
JSON = "application/json"

# What is sent in the query, where a request takes it; and what stands next to it, to be switched on.
SENT = {"tz": "Europe/Paris", "range": "365d", "limit": "5"}
OFFERED = {
    "from": "2026-01-01",
    "to": "2027-01-01",
    "offset": "5",
    "by": "listen_time",
    "compare": "previous",
    "bucket": "week",
    "days": "365",
    "gap_minutes": "60",
    "as_string": "true",
    "date": "2026-02-28",
    "format": "csv",
    "before": "2026-11-01T00:00:00Z",
    "users": "{{user_id}},{{other_user_id}}",
    "track_id": "{{track_id}}",
    "artist_id": "{{artist_id}}",
    "genre": "pop",
    "user_id": "{{user_id}}",
}
OFFERED_FOR_CARDS = OFFERED | {"theme": "dark", "shape": "square", "format": "svg", "title": "My%20year"}
# What only `flask cards sign` can fill in.
SIGNED = {"expires", "signature"}
# Headers besides the key, by operation.
HEADERS = {"cache_invalidate": {"X-Invalidation-Secret": "{{invalidationSecret}}"}}

ABOUT = """Every request of the service, with an example of its answer and checks.

The variables of the collection fit the demo data of `make run`. For another service set `baseUrl`, `apiKey` (empty
where it has no keys), `invalidationSecret` (where the cache is to be cleared), and the ids to ask for."""


def collection(document: Json, variables: Mapping[str, str]) -> Json:
    """The collection; `variables` has the values of `baseUrl`, the secrets, and every parameter that paths take."""
    folders: dict[str, list[Json]] = {tag["name"]: [] for tag in document["tags"]}
    for path, operations in sorted(document["paths"].items()):
        for method, operation in operations.items():
            folders[operation["tags"][0]].append(_item(document, path, method.upper(), operation))
    return {
        "info": {"name": document["info"]["title"], "description": ABOUT, "schema": FORMAT},
        "auth": {"type": "bearer", "bearer": [{"key": "token", "value": "{{apiKey}}", "type": "string"}]},
        "variable": [{"key": name, "value": value, "type": "string"} for name, value in variables.items()],
        "item": [
            {"name": tag["name"], "description": tag["description"], "item": folders[tag["name"]]}
            for tag in document["tags"]
        ],
    }


def _item(document: Json, path: str, method: str, operation: Json) -> Json:
    media_type, media = next(iter(operation["responses"]["200"]["content"].items()))
    schema = _resolved(media["schema"], document["components"]["schemas"])
    example = media["example"] if "example" in media else _sample(schema)
    body = json.dumps(example, indent=2, ensure_ascii=False) if media_type == JSON else example
    headers = {"Accept": media_type} | HEADERS.get(operation["operationId"], {})
    request = {
        "method": method,
        "header": [{"key": name, "value": value} for name, value in headers.items()],
        "url": _url(path, operation.get("parameters", [])),
        "description": "\n\n".join(operation[text] for text in ("summary", "description") if text in operation),
    }
    return {
        "name": _name(operation),
        "event": [{"listen": "test", "script": {"type": "text/javascript", "exec": _checks(media_type, schema)}}],
        "request": request,
        "response": [
            {
                "name": HTTPStatus.OK.phrase,
                "originalRequest": request,
                "status": HTTPStatus.OK.phrase,
                "code": HTTPStatus.OK.value,
                "header": [{"key": "Content-Type", "value": media_type}],
                "body": body,
            }
        ],
    }


def _name(operation: Json) -> str:
    """`insights_top_tracks`, under the tag Insights, is "Top tracks"."""
    group = operation["tags"][0].replace(" ", "_").lower()
    return str(operation["operationId"].removeprefix(f"{group}_").replace("_", " ").capitalize())


def _url(path: str, parameters: list[Json]) -> Json:
    parts = [f":{part[1:-1]}" if part.startswith("{") else part for part in path.strip("/").split("/")]
    query, in_path = [], []
    offered = OFFERED_FOR_CARDS if "cards" in parts else OFFERED
    for parameter in parameters:
        name, about = parameter["name"], parameter.get("description", "")
        if parameter["in"] == "path":
            in_path.append({"key": name, "value": f"{{{{{name}}}}}", "description": about})
        elif name in SENT or parameter.get("required"):
            query.append({"key": name, "value": SENT.get(name) or offered[name], "description": about})
        elif name not in SIGNED:
            query.append({"key": name, "value": offered[name], "description": about, "disabled": True})
    sent = "&".join(f"{item['key']}={item['value']}" for item in query if "disabled" not in item)
    url: Json = {"raw": "{{baseUrl}}/" + "/".join(parts) + (f"?{sent}" if sent else "")}
    url |= {"host": ["{{baseUrl}}"], "path": parts}
    return url | ({"query": query} if query else {}) | ({"variable": in_path} if in_path else {})


def _checks(media_type: str, schema: Json) -> list[str]:
    lines = [
        'pm.test("status is 200", () => pm.response.to.have.status(200));',
        f'pm.test("content type is {media_type}", () => '
        f'pm.expect(pm.response.headers.get("Content-Type").split(";")[0]).to.equal("{media_type}"));',
    ]
    if media_type == JSON:
        shape = json.dumps(schema, separators=(",", ":"))
        lines.append(f'pm.test("shape is the documented one", () => pm.response.to.have.jsonSchema({shape}));')
    return lines


def _resolved(schema: Any, schemas: Json) -> Any:
    """The schema with each reference replaced by what it refers to."""
    if isinstance(schema, list):
        return [_resolved(item, schemas) for item in schema]
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        return _resolved(schemas[schema["$ref"].rpartition("/")[2]], schemas)
    return {key: _resolved(value, schemas) for key, value in schema.items()}


def _sample(schema: Json) -> Any:
    """An answer put together from the examples of its fields, where the document has none of the whole."""
    for given in ("examples", "enum"):
        if given in schema:
            return schema[given][0]
    return {name: _sample(value) for name, value in schema.get("properties", {}).items()}
