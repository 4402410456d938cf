"""The Postman collection is the one that the OpenAPI document makes, and what it sends is right."""

import json
import os
import re
import subprocess
import sys
from typing import Any

import pytest
from flask.testing import FlaskClient

from postman.generate import COLLECTION, generated, variables
from tests.conftest import SECRET
from tests.support.factories import Platform
from tests.web.test_examples import PATH_VALUES, fill

VALUES = PATH_VALUES | {"baseUrl": "", "apiKey": "", "invalidationSecret": SECRET}

Json = dict[str, Any]


@pytest.fixture(scope="module")
def collection() -> Json:
    return dict(json.loads(COLLECTION.read_text()))


def items(collection: Json) -> list[Json]:
    return [item for folder in collection["item"] for item in folder["item"]]


def test_the_collection_is_up_to_date() -> None:
    assert COLLECTION.read_text() == generated(), "run `make postman`"


@pytest.mark.parametrize(
    ("path", "name"), [("/insights/tracks/{track_id}", "track_id"), ("/insights/artists/{artist_id}", "artist_id")]
)
def test_the_documents_ids_are_of_the_demo_data(path: str, name: str, client: FlaskClient) -> None:
    parameter = client.get("/openapi.json").json["paths"][path]["get"]["parameters"][0]
    assert (parameter["name"], parameter["schema"]["example"]) == (name, variables()[name])


def test_every_operation_is_in_the_folder_of_its_tag(collection: Json, client: FlaskClient) -> None:
    found = {
        (folder["name"], item["request"]["method"], "/" + "/".join(item["request"]["url"]["path"]))
        for folder in collection["item"]
        for item in folder["item"]
    }
    documented = {
        (operation["tags"][0], method.upper(), re.sub(r"{(\w+)}", r":\1", path))
        for path, operations in client.get("/openapi.json").json["paths"].items()
        for method, operation in operations.items()
    }
    assert found == documented
    names = [(folder["name"], item["name"]) for folder in collection["item"] for item in folder["item"]]
    assert len(set(names)) == len(names)


def test_every_request_has_an_example_and_checks(collection: Json) -> None:
    for item in items(collection):
        (example,) = item["response"]
        (media_type,) = (header["value"] for header in example["header"] if header["key"] == "Content-Type")
        script = "\n".join(item["event"][0]["script"]["exec"])
        assert example["code"] == 200
        assert "status(200)" in script
        assert media_type in script
        assert example["body"], item["name"]
        if media_type == "application/json":
            assert json.loads(example["body"]) is not None, item["name"]
            assert "jsonSchema" in script
            assert "$ref" not in script


def test_what_differs_between_services_is_a_variable(collection: Json) -> None:
    variables = {variable["key"]: variable["value"] for variable in collection["variable"]}
    assert {"baseUrl", "apiKey", "invalidationSecret", *PATH_VALUES} == set(variables)
    assert variables["apiKey"] == variables["invalidationSecret"] == ""
    assert set(re.findall(r"{{(\w+)}}", COLLECTION.read_text())) == set(variables)


def test_every_value_that_is_sent_or_offered_is_right(
    collection: Json, client: FlaskClient, platform: Platform
) -> None:
    fill(platform)
    for item in items(collection):
        query = item["request"]["url"].get("query", [])
        sent = {part["key"]: part["value"] for part in query if not part.get("disabled")}
        offered = {part["key"]: part["value"] for part in query if part.get("disabled")}
        assert send(client, item, sent) == 200, item["name"]
        for name, value in offered.items():
            others = {key: sent[key] for key in sent if key != "range" or name not in {"from", "to"}}
            assert send(client, item, others | {name: value}) == 200, (item["name"], name)


def send(client: FlaskClient, item: Json, query: dict[str, str]) -> int:
    """The status of the answer to a request of the collection."""
    request = item["request"]
    in_path = {f":{part['key']}": part["value"] for part in request["url"].get("variable", [])}
    path = "/".join(["", *(in_path.get(part, part) for part in request["url"]["path"])])
    text = json.dumps([path, query, {header["key"]: header["value"] for header in request["header"]}])
    path, query, headers = json.loads(re.sub(r"{{(\w+)}}", lambda found: VALUES[found[1]], text))
    return client.open(path, method=request["method"], query_string=query, headers=headers).status_code


def test_where_npm_is_missing_the_check_says_so() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "postman.check"],
        env={name: value for name, value in os.environ.items() if name != "PATH"} | {"PATH": "/nonexistent"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "there is no npm" in done.stderr
