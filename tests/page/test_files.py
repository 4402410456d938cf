"""The explorer's files: where they are served, what they may load, and where the vendored ones come from."""

import base64
import gzip
import hashlib
import json
import re
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from app import create_app
from config import load_settings

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "app/page"
VENDOR = PAGE / "static/vendor"
VERSIONS = json.loads((VENDOR / "versions.json").read_text())


@pytest.fixture
def page(database_url: str) -> FlaskClient:
    return create_app(load_settings({"SQLALCHEMY_DATABASE_URI": database_url, "EXPLORER": "true"})).test_client()


def test_it_is_not_there_unless_it_is_switched_on(database_url: str) -> None:
    client = create_app(load_settings({"SQLALCHEMY_DATABASE_URI": database_url})).test_client()
    for path in ("/", "/page/style.css"):
        answer = client.get(path)
        assert (answer.status_code, answer.mimetype) == (404, "application/problem+json")


def test_it_takes_files_under_make_run_alone(page: FlaskClient) -> None:
    assert "upload-token" not in page.get("/").text
    answer = page.post("/own", data={"name": "me"})
    assert (answer.status_code, answer.mimetype) == (404, "application/problem+json")


def test_it_needs_no_key(database_url: str) -> None:
    digest = hashlib.sha256(b"key").hexdigest()
    settings = {"SQLALCHEMY_DATABASE_URI": database_url, "EXPLORER": "true", "API_KEYS": f"app:{digest}"}
    page = create_app(load_settings(settings)).test_client()
    with page.get("/page/js/main.js") as script:
        assert (page.get("/").status_code, script.status_code) == (200, 200)
    assert page.get("/insights/global/total/listens").status_code == 401


def test_every_file_that_it_names_is_there_and_every_module_is_preloaded(page: FlaskClient) -> None:
    html = page.get("/").text
    named = re.findall(r'(?:src|href)="(/[^"]*)"', html)
    for address in named:
        with page.get(address) as file:
            assert file.status_code == 200, address
    modules = {f"/page/{file.relative_to(PAGE / 'static')}" for file in (PAGE / "static/js").rglob("*.js")}
    assert set(re.findall(r'modulepreload" href="([^"]*)"', html)) == modules


def test_files_are_found_below_a_prefix(database_url: str) -> None:
    settings = {"SQLALCHEMY_DATABASE_URI": database_url, "EXPLORER": "true", "TRUSTED_PROXIES": "1"}
    page = create_app(load_settings(settings)).test_client()
    html = page.get("/", headers={"X-Forwarded-Prefix": "/music"}).text
    assert 'src="/music/page/js/main.js"' in html


def test_it_may_load_its_own_files_and_pictures_alone(page: FlaskClient) -> None:
    policy = dict(part.split(" ", 1) for part in page.get("/").headers["Content-Security-Policy"].split("; "))
    plot = (VENDOR / "plot.umd.min.js").read_text()
    sheet = re.findall(r'append\("style"\)\.text\(`(:where\(\.\$\{\w\}\) .*?)`\)', plot)
    (text,) = (re.sub(r"\$\{\w\}", "plot", found).replace("\\n", "\n") for found in sheet)
    digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
    assert policy == {
        "default-src": "'none'",
        "script-src": "'self'",
        "style-src": f"'self' 'sha256-{digest}'",
        "img-src": "'self' data: https:",
        "connect-src": "'self'",
        "base-uri": "'none'",
        "form-action": "'none'",
        "frame-ancestors": "'none'",
    }


def test_its_files_are_small() -> None:
    served = [file for file in (PAGE / "static").rglob("*") if file.suffix in {".js", ".css", ".svg"}]
    assert sum(len(gzip.compress(file.read_bytes())) for file in served) < 700_000


@pytest.mark.parametrize("name", VERSIONS)
def test_a_vendored_file_is_the_packages(name: str) -> None:
    version = VERSIONS[name]
    content = (VENDOR / name).read_bytes()
    assert hashlib.sha256(content).hexdigest() == version["sha256"]
    assert (VENDOR / f"{name.partition('.')[0]}.LICENSE").exists()
    package = PAGE / "node_modules" / version["package"]
    if not package.exists():
        pytest.skip("npm has not installed the packages (make lint does)")
    assert json.loads((package / "package.json").read_text())["version"] == version["version"]
    assert (package / version["path"]).read_bytes() == content
