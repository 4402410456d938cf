"""The OpenAPI document, and the page over it."""

import re
from pathlib import Path

from flask import Flask
from flask.testing import FlaskClient
from openapi_spec_validator import OpenAPIV31SpecValidator, validate

STATIC = {"static", "docs.static"}


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
        script = file.text
    assert "validatorUrl: null" in script
    assert "//" not in re.sub(r"^\s*//.*$|\s//.*$", "", script, flags=re.MULTILINE)


def test_the_document_is_the_same_under_any_host(client: FlaskClient) -> None:
    elsewhere = client.get("/openapi.json", base_url="https://api.example.com").json
    assert elsewhere == client.get("/openapi.json").json
    assert elsewhere["servers"] == [{"url": "/"}]


def test_no_file_of_the_project_names_a_cdn() -> None:
    for file in [*Path("app/templates").rglob("*.html"), *Path("app/static").rglob("*")]:
        assert "http" not in file.read_text(), file
