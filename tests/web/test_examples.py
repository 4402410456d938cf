"""The examples in the OpenAPI document are real answers.

`WRITE_EXAMPLES=1 .venv/bin/pytest tests/web/test_examples.py` writes them again, after a change that is meant.
"""

import json
import os
from pathlib import Path

from flask import Flask
from flask.testing import FlaskClient

from tests.support.factories import Platform

EXAMPLES = Path("app/web/examples.json")
PATH_VALUES = {
    "user_id": "1",
    "other_user_id": "2",
    "year": "2026",
    "track_id": "6QgjcU0zLnzq5OrUoSZ3OK",
    "artist_id": "4wyNyxs74Ux8UIDopNjIai",
}
WINDOW = "range=this_month&tz=Europe/Paris"


def fill(platform: Platform) -> None:
    """Two users who share a band."""
    ana, ben = platform.user(1, "ana"), platform.user(2, "ben")
    band = platform.artist(
        "4wyNyxs74Ux8UIDopNjIai", "Talk", ["art rock", "indie"], [(640, 640, "https://images.example.com/talk-640")]
    )
    singer = platform.artist("6I3MElirhT5t6Kf7p0hGk9", "Mira Vale", ["soul"])
    image = [(640, 640, "https://images.example.com/run-640"), (64, 64, "https://images.example.com/run-64")]
    run = platform.track(
        "6QgjcU0zLnzq5OrUoSZ3OK", "Run to Me", 210_000, [band], [singer], image, "https://previews.example.com/run", {}
    )
    rain = platform.track("1RTray5NRStsFK0Pi9Mx4a", "Rain", 184_500, [singer], images=image, features={"energy": 0.2})
    hush = platform.track(
        "0VjIjW4GlUZAMYd2vXMi3b", "Hush", 196_000, [platform.artist("2ye2Wgw4gimLv2eAKyk1NB", "Ida Lund")]
    )
    nova = platform.artist("0hCNtLu0JehylgoiP8L4Gh", "Nova Reed")
    glow = platform.track("5nTtCOCds6I0PHMNtqelas", "Glow", 201_000, [nova], images=image)
    platform.popularity(run, "2026-11-01", 51)
    platform.popularity(band, "2026-11-01", 64)
    platform.followers(band, "2026-11-01", 1000)
    for user, track, at in (
        (ana, hush, "2024-03-02T19:40"),
        (ana, run, "2024-11-23T20:15"),
        (ana, run, "2026-11-21T21:00"),
        (ana, run, "2026-11-22T21:03:30.25"),
        (ana, rain, "2026-11-22T21:07"),
        (ana, run, "2026-11-23T08:30"),
        (ben, run, "2026-11-22T10:00"),
        (ben, glow, "2025-04-02T10:00"),
    ):
        platform.listen(user, track, at)


def query_of(path: str, parameters: list[dict[str, str]]) -> str:
    """A window and a zone where the route takes them, and users where it wants some."""
    names = {parameter["name"]: parameter for parameter in parameters}
    query = "?users=1,2&" if names.get("users", {}).get("required") else "?"
    if "range" in names and "days" not in names:  # what was played this month is not forgotten
        return query + WINDOW
    return query + "tz=Europe/Paris" if "tz" in names else ""


def test_examples_are_real_answers(app: Flask, client: FlaskClient, platform: Platform) -> None:
    fill(platform)
    answers = {}
    for path, operations in client.get("/openapi.json").json["paths"].items():
        if path.startswith("/insights"):
            url = path.format(**PATH_VALUES) + query_of(path, operations["get"]["parameters"])
            answer = client.get(url, buffered=True)
            assert answer.status_code == 200, (url, answer.text)
            told = answer.json if answer.is_json else answer.text
            if answer.mimetype == "image/svg+xml":
                told = told.partition("<defs>")[0] + "\u2026</svg>"  # the rest is as long as it looks
            assert told or path.startswith("/insights/discoveries"), url
            answers[path] = told
    if os.environ.get("WRITE_EXAMPLES"):
        lines = [f"{json.dumps(path)}: {json.dumps(answer)}" for path, answer in answers.items()]
        EXAMPLES.write_text("{\n" + ",\n".join(lines) + "\n}\n")
    assert json.loads(EXAMPLES.read_text()) == answers


def test_every_insight_has_its_example(client: FlaskClient) -> None:
    for path, operations in client.get("/openapi.json").json["paths"].items():
        for operation in operations.values():
            content = operation["responses"].get("200", {}).get("content", {})
            if path.startswith("/insights"):
                assert all("example" in media for media in content.values()), path
                assert content, path
