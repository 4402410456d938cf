"""Cards: what they show and hide, signed URLs, and that texts and pictures stay within."""

import hashlib
import re
import time
from collections.abc import Callable
from xml.etree import ElementTree as ET

import pytest
from flask import Flask
from flask.testing import FlaskClient

from app import create_app
from app.cli import create_app as create_cli
from app.domain.timezones import timezone
from app.domain.windows import Window
from app.page.cards.labels import duration, span
from app.page.cards.text import BOLD, ELLIPSIS, fit, metrics
from app.web.signatures import signature_of
from config import load_settings
from tests.conftest import NOW
from tests.support.factories import Platform

KINDS = ["top-tracks", "top-artists", "top-genres", "activity", "clock", "review"]
SVG = "{http://www.w3.org/2000/svg}"
PIXEL = "data:image/gif;base64,R0lGODlhAQABAAAAACH5BAEKAAEALAAAAAABAAEAAAICTAEAOw=="
SECRET = "a secret for cards"


@pytest.fixture
def listens(platform: Platform) -> None:
    artist = platform.artist("a1", 'Łódź & "Sons" <b>', ["indie"], [(64, 64, PIXEL)])
    other = platform.artist("a2", "音楽", ["indie"], [(64, 64, "https://elsewhere.example/1.png")])
    user = platform.user(1, "ada")
    platform.listens(user, platform.track("t1", "One\x01 " + "long " * 40, 200_000, [artist]), 3, "2026-11-02")
    platform.listens(user, platform.track("t2", "二", 100_000, [other]), 2, "2026-11-03")


def texts(svg: str) -> list[str]:
    return ["".join(text.itertext()) for text in ET.fromstring(svg).iter(f"{SVG}text")]


@pytest.mark.parametrize("shape", ["wide", "square"])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.usefixtures("listens")
def test_a_card_is_a_picture_that_loads_nothing(client: FlaskClient, kind: str, shape: str) -> None:
    answer = client.get(f"/insights/cards/{kind}/1?shape={shape}&theme=dark")
    assert (answer.status_code, answer.mimetype, answer.headers["X-Cache"]) == (200, "image/svg+xml", "MISS")
    root = ET.fromstring(answer.text)
    assert (root.get("width"), root.get("height")) == (("1200", "630") if shape == "wide" else ("1080", "1080"))
    assert texts(answer.text)[0] == "ada"
    assert "elsewhere.example" not in answer.text
    assert not re.search("<script|<foreignObject|@import|on[a-z]+=|href=[\"'](?!data:)", answer.text)
    assert {image.get("href") for image in root.iter(f"{SVG}image")} <= {PIXEL}


@pytest.mark.usefixtures("listens")
def test_it_shows_the_insight(client: FlaskClient) -> None:
    shown = texts(client.get("/insights/cards/top-artists/1").text)
    assert shown[2:8] == ["1", 'Łódź & "Sons" <b>', "3", "2", "音楽", "2"]
    tracks = texts(client.get("/insights/cards/top-tracks/1").text)
    assert tracks[3].startswith("One long")
    assert tracks[3].endswith(ELLIPSIS)
    review = texts(client.get("/insights/cards/review/1?range=this_month").text)
    assert review[1:4] == ["In reviewNovember 2026", "5", "listens"]
    assert "13 min" in review
    activity = texts(client.get("/insights/cards/activity/1").text)
    assert "5 listens" in activity


@pytest.mark.usefixtures("listens")
def test_a_title_takes_the_names_place_and_a_subject_narrows(client: FlaskClient) -> None:
    shown = texts(client.get("/insights/cards/top-artists/1?title=My%20list&artist_id=a2").text)
    assert (shown[0], shown[3]) == ("My list", "音楽")
    assert client.get(f"/insights/cards/clock/1?title={'x' * 61}").json["errors"][0]["parameter"] == "title"
    assert client.get("/insights/cards/clock/1?title=%01").status_code == 400


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_heard_is_a_card_too(client: FlaskClient, kind: str) -> None:
    answer = client.get(f"/insights/cards/{kind}/77?range=this_month")
    assert answer.status_code == 200
    assert texts(answer.text)[0] == "User 77"


@pytest.mark.usefixtures("listens")
def test_the_same_question_has_the_same_bytes(client: FlaskClient) -> None:
    path = "/insights/cards/clock/1?tz=Europe/Paris"
    first, second = client.get(path), client.get(path + "&theme=light")
    assert (second.headers["X-Cache"], second.data) == ("HIT", first.data)
    told = client.get(path, headers={"If-None-Match": first.headers["ETag"]})
    assert told.status_code == 304
    client.post("/cache/invalidate", headers={"X-Invalidation-Secret": "a secret of the tests"})
    assert client.get(path).data == first.data


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.usefixtures("listens")
def test_png(client: FlaskClient, kind: str) -> None:
    answer = client.get(f"/insights/cards/{kind}/1?format=png")
    assert (answer.mimetype, answer.data[:8]) == ("image/png", b"\x89PNG\r\n\x1a\n")
    assert int.from_bytes(answer.data[16:20]) == 1200
    assert int.from_bytes(answer.data[20:24]) == 630


# --- Texts ------------------------------------------------------------------------------------------------------------


def test_a_text_is_cut_to_its_room() -> None:
    width = metrics(BOLD).width
    assert fit("short", 500, 30, BOLD) == "short"
    cut = fit("wide " * 50, 300, 30, BOLD)
    assert cut.endswith(ELLIPSIS)
    assert width(cut) * 30 <= 300 < width(cut[:-1] + "wide " + ELLIPSIS) * 30
    assert width("音") == 1
    assert width("i") < width("W") < 1.1


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ("all_time", "All time"),
        ("this_year", "2026"),
        ("last_month", "October 2026"),
        ("today", "23 Nov 2026"),
        ("7d", "17 Nov \u2013 23 Nov 2026"),
        ("365d", "24 Nov 2025 \u2013 23 Nov 2026"),
    ],
)
def test_a_window_is_said_so_that_it_stays_true(asked: str, said: str) -> None:
    assert span(Window.named(asked, timezone("Europe/Paris"), NOW)) == said


def test_open_ends_and_lengths_of_time() -> None:
    utc = timezone("UTC")
    assert span(Window.between("2026-01-05", None, utc)) == "since 5 Jan 2026"
    assert span(Window.between(None, "2026-01-05", utc)) == "until 4 Jan 2026"
    assert [duration(ms) for ms in (0, 59_000, 61_000, 90_061_000)] == ["0 min", "0 min", "1 min", "1 d 1 h"]


# --- Signed URLs ------------------------------------------------------------------------------------------------------


@pytest.fixture
def guarded(database_url: str) -> Callable[..., FlaskClient]:
    def make(**settings: str) -> FlaskClient:
        keys = f"app:{hashlib.sha256(b'key').hexdigest()}"
        given = {"SQLALCHEMY_DATABASE_URI": database_url, "API_KEYS": keys, "CARD_SIGNING_KEY": SECRET} | settings
        return create_app(load_settings({name: value for name, value in given.items() if value})).test_client()

    return make


def sign(path: str, expires: float) -> str:
    text = f"{path}{'&' if '?' in path else '?'}expires={int(expires)}"
    return f"{text}&signature={signature_of(SECRET, text)}"


CARD = "/insights/cards/clock/1?theme=dark"


def test_a_signature_lets_in_who_has_no_key(guarded: Callable[..., FlaskClient]) -> None:
    client = guarded()
    assert client.get(CARD).status_code == 401
    answer = client.get(sign(CARD, time.time() + 60))
    assert answer.status_code == 200
    again = client.get(sign(CARD, time.time() + 600))
    assert (again.headers["X-Cache"], again.data) == ("HIT", answer.data)  # no part of the question


@pytest.mark.parametrize(
    "change",
    [
        lambda url: url.replace("clock/1", "clock/2"),
        lambda url: url.replace("clock", "review"),
        lambda url: url.replace("theme=dark", "theme=light"),
        lambda url: url + "&tz=UTC",
        lambda url: url.replace("expires=", "expires=9"),
        lambda url: url[:-1],
        lambda url: url + "é",
        lambda url: re.sub("signature=.*", "signature=", url),
        lambda _url: sign(CARD, time.time() - 60),
        lambda _url: f"{CARD}&signature={signature_of(SECRET, CARD)}",
    ],
)
def test_any_other_is_refused_even_to_who_has_a_key(
    guarded: Callable[..., FlaskClient], change: Callable[[str], str]
) -> None:
    url = change(sign(CARD, time.time() + 60))
    for headers in ({}, {"X-API-Key": "key"}):
        answer = guarded().get(url, headers=headers)
        assert (answer.status_code, answer.mimetype) == (403, "application/problem+json")
        assert answer.json["error"] == "The signature is wrong or has expired"


def test_without_a_signing_key_no_signature_is_right(guarded: Callable[..., FlaskClient]) -> None:
    assert guarded(CARD_SIGNING_KEY="").get(sign(CARD, time.time() + 60)).status_code == 403
    assert guarded(CARD_SIGNING_KEY="", API_KEYS="").get(sign(CARD, time.time() + 60)).status_code == 403


def test_a_signature_opens_nothing_but_the_card(guarded: Callable[..., FlaskClient]) -> None:
    path = "/insights/total/listens/1"
    assert guarded().get(sign(path, time.time() + 60)).status_code == 401


def test_the_command_signs(guarded: Callable[..., FlaskClient], database_url: str) -> None:
    settings = load_settings({"SQLALCHEMY_DATABASE_URI": database_url, "CARD_SIGNING_KEY": SECRET})
    run = create_cli(settings).test_cli_runner().invoke
    for url in (CARD, "https://api.example.com/music" + CARD, "/insights/cards/clock/1"):
        result = run(args=["cards", "sign", url, "--days", "3"])
        assert result.exit_code == 0, result.output
        signed = result.output.strip()
        assert signed.startswith(url)
        assert guarded().get(signed[signed.index("/insights") :]).status_code == 200
    for url in ("/insights/clock/1", sign(CARD, 1)):
        result = run(args=["cards", "sign", url, "--days", "3"])
        assert (result.exit_code, "must be the URL of a card" in result.output) == (1, True)
    keyless: Flask = create_cli(load_settings({"SQLALCHEMY_DATABASE_URI": database_url}))
    result = keyless.test_cli_runner().invoke(args=["cards", "sign", CARD, "--days", "3"])
    assert "CARD_SIGNING_KEY must be set" in result.output
