"""The OpenAPI document, and the page over it."""

import re
from hashlib import sha256
from pathlib import Path

from flask import Flask
from flask.testing import FlaskClient
from openapi_spec_validator import OpenAPIV31SpecValidator, validate

from app import create_app
from config import load_settings
from tests.conftest import SECRET

STATIC = {"static", "docs.static", "page.static"}


def test_the_document_is_valid_openapi_3_1(client: FlaskClient) -> None:
    document = client.get("/openapi.json").json
    validate(document, cls=OpenAPIV31SpecValidator)
    assert document["openapi"].startswith("3.1")


def test_every_route_is_in_the_document(app: Flask, client: FlaskClient) -> None:
    paths = client.get("/openapi.json").json["paths"]
    missing = [
        f"{method} {rule.rule}"
        for rule in app.url_map.iter_rules()
        for method in rule.methods - {"HEAD", "OPTIONS"}
        if rule.endpoint not in STATIC
        and method.lower() not in paths.get(re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule.rule), {})
    ]
    assert missing == []


def test_every_operation_says_what_it_does_and_how_it_fails(client: FlaskClient) -> None:
    for path, operations in client.get("/openapi.json").json["paths"].items():
        for operation in operations.values():
            assert operation["summary"].endswith((".", ":")) or len(operation["summary"]) > 10, path
            names = [parameter["name"] for parameter in operation.get("parameters", [])]
            assert len(names) == len(set(names)), path
            assert {parameter["in"] for parameter in operation.get("parameters", [])} <= {"path", "query"}, path
            if path.startswith("/insights"):
                assert {"200", "400", "503"} <= operation["responses"].keys(), path


KEY = "a key"
WITH_KEYS = {"API_KEYS": f"app:{sha256(KEY.encode()).hexdigest()}", "CACHE_INVALIDATION_SECRET": SECRET}


def test_it_says_who_may_ask_where_there_are_keys(database_url: str) -> None:
    client = create_app(load_settings({"SQLALCHEMY_DATABASE_URI": database_url} | WITH_KEYS)).test_client()
    document = client.get("/openapi.json").json
    schemes = document["components"]["securitySchemes"]
    assert {scheme.get("name", scheme.get("scheme")) for scheme in schemes.values()} == {
        "bearer",
        "X-API-Key",
        "X-Invalidation-Secret",
    }
    assert all(scheme["description"] for scheme in schemes.values())
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            wanted = operation.get("security", [{}])
            assert all(schemes.keys() >= alternative.keys() for alternative in wanted)
            refused = client.open(re.sub("{[^}]+}", "1", path), method=method).status_code == 401
            assert refused is all({"bearer", "api_key"} & alternative.keys() for alternative in wanted), path
            assert ("401" in operation["responses"]) is ("security" in operation), path
            assert ("invalidation_secret" in wanted[0]) is (path == "/cache/invalidate")


def test_it_says_how_much_may_be_asked_and_sent(client: FlaskClient) -> None:
    document = client.get("/openapi.json").json
    for path, operations in document["paths"].items():
        for operation in operations.values():
            is_limited = path not in {"/health", "/ready", "/metrics"}
            assert {"413", "414"} | ({"429"} if is_limited else set()) <= operation["responses"].keys(), path
            assert is_limited or "429" not in operation["responses"]
    too_many = document["components"]["responses"]["TooManyRequests"]
    assert {"Retry-After", "RateLimit-Limit", "RateLimit-Remaining", "RateLimit-Reset"} == too_many["headers"].keys()


def test_the_docs_ask_no_other_host(client: FlaskClient) -> None:
    page = client.get("/docs")
    assert page.mimetype == "text/html"
    addresses = re.findall(r'(?:src|href|data-document)="([^"]+)"', page.text)
    assert len(addresses) == 6
    for address in addresses:
        assert address.startswith("/"), address
        with client.get(address) as file:
            assert file.status_code == 200, address
    with client.get("/static/docs.js") as file:
        script = file.get_data(as_text=True)
    assert "validatorUrl: null" in script
    assert "//" not in re.sub(r"^\s*//.*$|\s//.*$", "", script, flags=re.MULTILINE)


def test_the_document_is_the_same_under_any_host(client: FlaskClient) -> None:
    elsewhere = client.get("/openapi.json", base_url="https://api.example.com").json
    assert elsewhere == client.get("/openapi.json").json
    assert elsewhere["servers"] == [{"url": "/"}]


def test_no_file_of_the_project_names_a_cdn() -> None:
    for file in [*Path("app/templates").rglob("*.html"), *Path("app/static").rglob("*")]:
        assert "http" not in file.read_text(), file
