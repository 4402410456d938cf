"""The explorer in a real Chromium, on demo data: what it shows, where clicks lead, and what it does on errors."""

import hashlib
import json
import re
from collections.abc import Iterator
from datetime import datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Browser, Page, Route, expect
from sqlalchemy import Engine, text

from app.cli import demo
from tests.support.browser import chromium, hindrances, needs_axe, needs_chromium
from tests.support.factories import Platform
from tests.support.servers import Gunicorn, database, starting, url_of

EVIL = "<script>document.title='owned'</script>"
VIEWS = ["", "rhythm", "charts", "discover", "sound", "people", "history", "wrapped"]

expect.set_options(timeout=20_000)  # ms; on a busy machine

pytestmark = needs_chromium


def fill(platform: Platform) -> None:
    connection = platform.session.connection()
    demo.fill(connection, demo.Size(users=6, listens=12_000, artists=60), 20, datetime(2026, 12, 1, 12))
    connection.execute(text('UPDATE "Tracks" SET name = :name'), {"name": EVIL})


@pytest.fixture(scope="module")
def engine(server_url: str) -> Iterator[Engine]:
    with database(server_url, "page", fill) as engine:
        yield engine


@pytest.fixture(scope="module")
def service(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gunicorn]:
    with starting(tmp_path_factory.mktemp("page"), url_of(engine)) as start:
        yield start(EXPLORER="true", WEB_CONCURRENCY="1")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


@pytest.fixture
def page(browser: Browser, service: Gunicorn) -> Iterator[Page]:
    """A page in Berlin; afterwards it is seen to have had no error, and to have asked nobody else."""
    context = browser.new_context(
        base_url=f"http://127.0.0.1:{service.port}", timezone_id="Europe/Berlin", locale="en-US"
    )
    page = context.new_page()
    said: list[str] = []
    asked: list[str] = []
    page.on("console", lambda message: said.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("request", lambda request: asked.append(request.url))
    yield page
    expected = [text for text in said if "Failed to load resource" not in text]  # the tests of errors make those
    assert expected == []
    assert {url for url in asked if not url.startswith((f"http://127.0.0.1:{service.port}/", "data:"))} == set()
    context.close()


def answer(service: Gunicorn, path: str) -> Any:
    return json.loads(service.ask(path).body)


def settled(page: Page, address: str) -> None:
    """Go somewhere, and wait until every panel has its answer."""
    page.goto(address)
    expect(page.locator(".panel:visible").first).to_be_visible()
    expect(page.locator("[aria-busy]")).to_have_count(0)
    expect(page.locator(".skeleton:visible")).to_have_count(0)


@pytest.mark.thorough
@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize("whose", ["", "user=1"])
def test_every_view_shows_figures_and_no_error(page: Page, view: str, whose: str) -> None:
    settled(page, f"/?{whose}&view={view}&range=all_time")
    assert page.locator(".failed").count() == 0
    assert page.locator(".panel:visible").count() >= 1
    assert page.locator("h1").inner_text() == ("Everyone" if not whose else "ada")
    for table in page.get_by_title("Table").all():
        if table.is_visible():
            table.click()
    expect(page.locator("table").first).to_be_visible()
    assert page.title() != "owned"


def test_the_numbers_are_those_of_the_api(page: Page, service: Gunicorn) -> None:
    settled(page, "/?user=1")
    summary = answer(service, "/insights/summary/1?tz=Europe/Berlin")
    numbers = page.locator("#summary dd")
    assert numbers.nth(0).inner_text() == f"{summary['listens']:,}"
    assert numbers.nth(2).inner_text() == f"{summary['distinct_tracks']:,}"
    top = answer(service, "/insights/top/artists/1?limit=8")
    assert page.locator("#artists b").all_inner_texts() == [row["artist_name"] for row in top]
    figures = [text.split("\n")[0] for text in page.locator("#artists .figure").all_inner_texts()]
    assert figures == [f"{row['count']:,}" for row in top]


def test_the_first_view_takes_at_most_twelve_requests(page: Page) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    settled(page, "/?user=1&range=365d")
    assert 1 <= len([url for url in asked if "/insights/" in url]) <= 12


def test_from_an_artist_to_a_track_and_back(page: Page, service: Gunicorn) -> None:
    settled(page, "/?user=1")
    artist = answer(service, "/insights/top/artists/1?limit=1")[0]
    page.locator("#artists a").first.click()
    expect(page.locator("#entity h3")).to_have_text(artist["artist_name"])
    assert f"artist_id={artist['artist_id']}" in page.url
    expect(page.locator("#summary dd").first).to_have_text(f"{artist['count']:,}")
    page.locator("#tracks a").first.click()
    expect(page.locator("#entity .kind")).to_have_text("TRACK", ignore_case=True)
    assert "track_id=" in page.url
    assert "artist_id" not in page.url
    page.go_back()
    expect(page.locator("#entity h3")).to_have_text(artist["artist_name"])


def test_a_window_is_set_by_drawing_on_the_picture(page: Page) -> None:
    settled(page, "/?user=1&range=365d")
    box = page.locator("[data-brush]").bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] * 0.4, box["y"] + 50)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.6, box["y"] + 50, steps=5)
    page.mouse.up()
    page.wait_for_url(re.compile("from=.*to="))
    assert "range" not in page.url


def test_a_window_is_set_by_keys(page: Page, service: Gunicorn) -> None:
    settled(page, "/?user=1&range=365d&tz=Asia/Tokyo")
    buckets = answer(service, "/insights/activity/1?range=365d&tz=Asia/Tokyo")["buckets"]
    sliders = page.locator("#activity .sliders input")
    sliders.first.focus()
    before = sliders.first.get_attribute("aria-valuetext")
    expect(page.locator("#activity .sliders")).to_be_in_viewport()
    for _ in range(3):
        page.keyboard.press("ArrowRight")
    assert sliders.first.get_attribute("aria-valuetext") != before
    page.keyboard.press("Tab")
    for _ in range(2):
        page.keyboard.press("ArrowLeft")
    assert page.locator("#activity .brush .selection").bounding_box()["width"] > 50
    spoken = [slider.get_attribute("aria-valuetext") for slider in sliders.all()]
    assert page.locator("#activity output").inner_text() == f"{spoken[0]} \N{EN DASH} {spoken[1]}"
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile("from=.*to="))
    asked = {name: value for name, (value,) in parse_qs(urlsplit(page.url).query).items()}
    instants = {name: datetime.fromisoformat(asked.pop(name)) for name in ("from", "to")}
    assert instants == {
        "from": datetime.fromisoformat(buckets[3]["start"]),
        "to": datetime.fromisoformat(buckets[-3]["end"]),
    }
    assert asked == {"user": "1", "tz": "Asia/Tokyo"}


@pytest.mark.parametrize(("kind", "name"), [("tracks", "track_name"), ("artists", "artist_name"), ("genres", "genre")])
def test_a_group_sees_what_all_of_them_play(page: Page, service: Gunicorn, kind: str, name: str) -> None:
    settled(page, "/?users=1,2,3&view=people&range=all_time")
    rows = answer(service, f"/insights/global/blend/{kind}?users=1,2,3&limit=10&range=all_time&tz=Europe/Berlin")
    assert rows
    panel = page.locator(f"#blend-{kind}")
    assert panel.locator("b").all_inner_texts() == [row[name] for row in rows]
    notes = panel.locator(".figure small").all_inner_texts()
    assert notes == [" · ".join(f"{count:,}" for count in row["counts"]) for row in rows]
    names = {row["user_id"]: row["username"] for row in answer(service, "/insights/global/top/listeners")}
    expect(panel.locator(".hint")).to_contain_text(" · ".join(names[user] for user in (1, 2, 3)))
    panel.get_by_title("Table").click()
    for place, user in enumerate((1, 2, 3)):
        expect(panel.locator("th").nth(3 + place)).to_have_text(names[user])
        column = panel.locator(f"td:nth-child({4 + place})").all_inner_texts()
        assert column == [f"{row['counts'][place]:,}" for row in rows]


def test_two_are_compared_by_what_they_share(page: Page, service: Gunicorn) -> None:
    settled(page, "/?user=1&other=2&view=people")
    compared = answer(service, "/insights/compare/1/2?limit=10&tz=Europe/Berlin")
    names = {row["user_id"]: row["username"] for row in answer(service, "/insights/global/top/listeners")}
    expect(page.locator("#compare .legend")).to_have_text(names[1] + names[2])
    shared = [row["counts"] for kind in ("primary_artists", "tracks") for row in compared[f"shared_{kind}"]]
    for side, place in (("left", 0), ("right", 1)):
        shown = page.locator(f"#compare .side.{side}").all_inner_texts()
        assert shown == [f"{counts[place]:,}" for counts in shared]
    alike = answer(service, "/insights/similar/1?limit=12")
    assert page.locator("#similar b").all_inner_texts() == [row["username"] for row in alike]
    page.locator("#similar a").first.click()
    page.wait_for_url(re.compile(f"other={alike[0]['user_id']}"))


@pytest.mark.parametrize(("users", "panels"), [("1,1", 0), ("1,2", 3), (",".join(map(str, range(1, 22))), 0)])
def test_two_to_twenty_can_be_blended(page: Page, users: str, panels: int) -> None:
    settled(page, f"/?users={users}&view=people")
    expect(page.locator(".panel[id^=blend-]:visible")).to_have_count(panels)
    assert page.locator("#similar").is_hidden()


def test_the_zone_moves_the_clock(page: Page, service: Gunicorn) -> None:
    settled(page, "/?user=1&view=rhythm")
    with page.expect_request(re.compile("clock/1.*tz=Asia%2FTokyo")):
        page.locator("#zone").select_option("Asia/Tokyo")
    expect(page.locator("[aria-busy]")).to_have_count(0)
    page.locator("#clock").get_by_title("Table").click()
    clock = answer(service, "/insights/clock/1?tz=Asia/Tokyo")["count"]
    assert page.locator("#clock td:nth-child(3)").all_inner_texts() == [f"{n:,}" for row in clock for n in row]


def test_names_stay_text(page: Page) -> None:
    settled(page, "/?user=1")
    expect(page.locator("#tracks b").first).to_have_text(EVIL)


def test_what_fails_is_told_and_can_be_tried_again(page: Page) -> None:
    fails = True

    def handle(route: Route) -> None:
        if not fails:
            route.continue_()
            return
        route.fulfill(status=503, content_type="application/problem+json", body='{"error": "The database is away"}')

    page.route(re.compile("/insights/clock/"), handle)
    settled(page, "/?user=1")
    expect(page.locator("#clock [role=alert]")).to_contain_text("The database is away")
    fails = False
    page.locator("#clock button", has_text="Try again").click()
    expect(page.locator("#clock svg.plot")).to_be_visible()


def test_what_is_old_stays_until_the_new_has_come(page: Page) -> None:
    settled(page, "/?user=1")
    held: list[Route] = []
    page.route(re.compile("/insights/top/artists/1.*range=30d"), lambda route: held.append(route))
    page.locator(".ranges a", has_text="30 days").click()
    expect(page.locator("#artists [aria-busy]")).to_have_count(1)
    assert page.locator("#artists .bars li").count() == 8
    page.locator(".ranges a", has_text="All time").click()  # overtakes it
    expect(page.locator("[aria-busy]")).to_have_count(0)


@pytest.mark.thorough
def test_a_key_is_asked_for_and_kept_for_the_tab(
    browser: Browser, engine: Engine, tmp_path_factory: pytest.TempPathFactory
) -> None:
    with starting(tmp_path_factory.mktemp("keys"), url_of(engine)) as start:
        keys = f"app:{hashlib.sha256(b'secret').hexdigest()}"
        server = start(EXPLORER="true", WEB_CONCURRENCY="1", API_KEYS=keys)
        context = browser.new_context(base_url=f"http://127.0.0.1:{server.port}")
        page = context.new_page()
        page.goto("/?user=1")
        page.get_by_label("Key").fill("secret")
        page.get_by_role("button", name="Use it").click()
        expect(page.locator("#summary dd").first).to_be_visible()
        page.reload()
        expect(page.locator("#summary dd").first).to_be_visible()
        assert page.locator("dialog").count() == 0
        context.close()


@pytest.mark.thorough
@pytest.mark.parametrize("width", [360, 760, 1280, 2560])
def test_nothing_sticks_out_at_any_width(page: Page, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 900})
    for view in ("", "rhythm", "wrapped"):
        settled(page, f"/?user=1&view={view}")
        assert page.evaluate("document.documentElement.scrollWidth") <= width, view


@pytest.mark.thorough
@needs_axe
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("view", VIEWS)
def test_axe_finds_nothing_serious(page: Page, view: str, scheme: Any) -> None:
    page.emulate_media(color_scheme=scheme)
    settled(page, f"/?user=1&other=2&view={view}")
    assert hindrances(page) == []
