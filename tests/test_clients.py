"""Clients that are generated from the OpenAPI document, in Python and TypeScript."""

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from datetime import datetime
from importlib import import_module
from inspect import signature
from pathlib import Path
from typing import Any, get_args

import pytest
from flask.testing import FlaskClient

from tests.conftest import SECRET
from tests.support.servers import Gunicorn, database, starting, url_of
from tests.web.test_access import KEYS, pairs
from tests.web.test_examples import PATH_VALUES, fill

NPX = shutil.which("npx")
TYPESCRIPT = ["--package=openapi-typescript@7.13.0", "--package=typescript@5.9.3"]

INSTANT = re.compile(r"\d{4}-\d\d-\d\dT[\d:.]+(Z|\+00:00)")

Json = dict[str, Any]


@pytest.fixture(scope="module")
def service(server_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gunicorn]:
    """A service with a key and a secret, on what the examples are made of."""
    folder = tmp_path_factory.mktemp("service")
    with database(server_url, "clients", fill) as engine, starting(folder, url_of(engine)) as start:
        yield start(WEB_CONCURRENCY="1", API_KEYS=pairs(), EXPLORER="true")


@pytest.fixture(scope="module")
def document(service: Gunicorn) -> Json:
    return dict(json.loads(service.ask("/openapi.json").body))


class PythonClient:
    """What openapi-python-client makes of a document."""

    def __init__(self, document: Json, folder: Path, service: Gunicorn) -> None:
        (folder / "openapi.json").write_text(json.dumps(document))
        # No formatter. The generator knows no pictures: it is told that SVG is a text, as its users would tell it.
        config = {"post_hooks": [], "content_type_overrides": {"image/svg+xml": "text/plain"}}
        (folder / "config.yml").write_text(json.dumps(config))
        made = subprocess.run(
            [
                *[sys.executable, "-m", "openapi_python_client", "generate", "--meta", "none", "--fail-on-warning"],
                *["--path", "openapi.json", "--config", "config.yml", "--output-path", "generated_client"],
            ],
            cwd=folder,
            capture_output=True,
            text=True,
            check=False,
        )
        assert made.returncode == 0, made.stdout + made.stderr
        sys.path.insert(0, str(folder))
        self.client = import_module("generated_client").AuthenticatedClient(
            f"http://127.0.0.1:{service.port}",
            KEYS["airflow"],
            headers={"X-Invalidation-Secret": SECRET},
            raise_on_unexpected_status=True,
            httpx_args={"trust_env": False},
        )

    def call(self, operation: Json, **given: Any) -> Any:
        """The answer to an operation, with what it wants at least."""
        values = PATH_VALUES | {"users": "1,2"}
        wanted = {
            parameter["name"]: (int if parameter["schema"]["type"] == "integer" else str)(values[parameter["name"]])
            for parameter in operation.get("parameters", [])
            if parameter.get("required")
        }
        return self._function(operation)(client=self.client, **wanted, **given)

    def choices(self, operation: Json) -> dict[str, list[Any]]:
        """The values of the parameters that have few."""
        parameters = signature(self._function(operation)).parameters
        few = [found["name"] for found in operation.get("parameters", []) if "enum" in found["schema"]]
        names = [name if name in parameters else f"{name}_" for name in few]  # a name of Python's own gets the line
        return {name: list(get_args(parameters[name].annotation)[0]) for name in names}

    def _function(self, operation: Json) -> Any:
        tag = operation["tags"][0].lower().replace(" ", "_")
        return import_module(f"generated_client.api.{tag}.{operation['operationId']}").sync_detailed


@pytest.fixture(scope="module")
def python(document: Json, tmp_path_factory: pytest.TempPathFactory, service: Gunicorn) -> Iterator[PythonClient]:
    path, modules = [*sys.path], {*sys.modules}
    client = PythonClient(document, tmp_path_factory.mktemp("python"), service)
    yield client
    client.client.get_httpx_client().close()
    sys.path[:] = path
    for name in {*sys.modules} - modules:
        if name.startswith("generated_client"):
            del sys.modules[name]


def substance(value: Any) -> Any:
    """An answer as JSON has it, or as a client has read it: dictionaries, and instants however they were written."""
    if hasattr(value, "to_dict"):
        value = value.to_dict()
    if isinstance(value, list):
        return [substance(item) for item in value]
    if isinstance(value, dict):
        return {name: substance(item) for name, item in value.items()}
    return datetime.fromisoformat(value) if isinstance(value, str) and INSTANT.fullmatch(value) else value


def sent(answer: Any) -> Any:
    """What the service has sent, of JSON the substance."""
    is_json = answer.headers["Content-Type"].endswith("json") and "ndjson" not in answer.headers["Content-Type"]
    return substance(json.loads(answer.content)) if is_json else answer.content.decode()


def operations(document: Json) -> list[Json]:
    return [operation for path in document["paths"].values() for operation in path.values()]


def test_a_python_client_has_every_operation_and_every_field(python: PythonClient, document: Json) -> None:
    for operation in operations(document):
        answer = python.call(operation)
        assert answer.status_code == 200, operation["operationId"]
        assert substance(answer.parsed) == sent(answer)


def test_a_python_client_has_every_choice(python: PythonClient, document: Json) -> None:
    choices = 0
    for operation in operations(document):
        for name, values in python.choices(operation).items():
            for value in values:
                answer = python.call(operation, range_="30d", **{name: value})
                assert answer.status_code == 200, (operation["operationId"], value)
                if value != "png":
                    assert substance(answer.parsed) == sent(answer)
                choices += 1
    assert choices > 30


def test_a_python_client_reads_errors(python: PythonClient, document: Json) -> None:
    for operation in operations(document):
        if any(parameter["name"] == "tz" for parameter in operation.get("parameters", [])):
            answer = python.call(operation, tz="nowhere")
            assert (answer.status_code, answer.parsed.status, answer.parsed.errors[0].parameter) == (400, 400, "tz")


@pytest.mark.thorough
@pytest.mark.skipif(NPX is None, reason="there is no npm here")
def test_typescript_takes_the_examples_for_what_the_document_says(client: FlaskClient, tmp_path: Path) -> None:
    document = client.get("/openapi.json").json
    (tmp_path / "openapi.json").write_text(json.dumps(document))
    lines = ['import type { paths } from "./api";']
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            content = operation["responses"]["200"]["content"]
            media_type, described = next(iter(content.items()))
            answer = f'paths["{path}"]["{method}"]["responses"]["200"]["content"]["{media_type}"]'
            name = operation["operationId"]
            if "example" in described:
                lines.append(f"export const {name}: {answer} = {json.dumps(described['example'])};")
            else:
                lines.append(f"export type {name} = {answer};")
    (tmp_path / "examples.ts").write_text("\n".join(lines))
    for command in (
        ["openapi-typescript", "openapi.json", "-o", "api.ts"],
        ["tsc", "--noEmit", "--strict", "examples.ts"],
    ):
        made = subprocess.run(
            [str(NPX), "--yes", *TYPESCRIPT, *command], cwd=tmp_path, capture_output=True, text=True, check=False
        )
        assert made.returncode == 0, made.stdout + made.stderr
    assert len(re.findall("^export ", (tmp_path / "examples.ts").read_text(), re.MULTILINE)) == len(
        operations(document)
    )
