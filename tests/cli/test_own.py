"""One's own files on the page of `make run`: into a new listener, and from the page itself alone."""

import json
import re
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from playwright.sync_api import Page, expect
from sqlalchemy import Engine, func, select

from app.cli.embedded.database import DATABASE, engine_for
from app.cli.embedded.server import EmbeddedPostgres
from app.models.history import History, User
from tests.cli.conftest import Python, wait_until
from tests.cli.test_run import banner
from tests.support.browser import chromium, hindrances, needs_axe, needs_chromium

NAME = "Zoë & <b>co</b>"

Post = Callable[..., requests.Response]


def plays(number: int, day: int = 1) -> str:
    """An extended streaming history of Spotify; the last play is too short to count."""
    return json.dumps(
        [
            {
                "ts": f"2024-05-{day:02}T{n:02}:00:00Z",
                "ms_played": 200_000 if n < number - 1 else 4_000,
                "master_metadata_track_name": f"Song {n % 7}",
                "master_metadata_album_artist_name": "Nina Simone",
                "spotify_track_uri": f"spotify:track:{n % 7:022}",
                "reason_end": "trackdone",
            }
            for n in range(number)
        ]
    )


@pytest.fixture
def address(run: Python, port: int) -> str:
    """A running `python run.py`."""
    banner(run())
    return f"http://127.0.0.1:{port}"


@pytest.fixture
def engine(address: str, unstarted: EmbeddedPostgres) -> Engine:
    """The database that it serves."""
    return engine_for(unstarted.uri(DATABASE))


@pytest.fixture
def post(address: str) -> Post:
    """Sends files as the page does."""
    shown = re.findall(r'name="upload-token" content="([^"]+)"', requests.get(address, timeout=30).text)[0]

    def send(
        files: dict[str, str | bytes],
        name: str = NAME,
        token: str | bytes = shown,
        headers: dict[str, str] | None = None,
        stream: bool = False,
        **form: str,
    ) -> requests.Response:
        parts = [("files", (path, content)) for path, content in files.items()]
        return requests.post(
            f"{address}/own",
            data={"name": name} | form,
            files=parts,
            headers={"X-Upload-Token": token, **(headers or {})},
            stream=stream,
            timeout=60,
        )

    return send


def lines(response: requests.Response) -> list[dict[str, Any]]:
    assert response.status_code == 200, response.text
    assert response.headers["Content-Type"] == "application/x-ndjson"
    return [json.loads(line) for line in response.text.splitlines()]


def test_files_become_the_listens_of_a_new_listener(address: str, post: Post, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "mine.zip", "w") as archive:
        archive.writestr("two.json", plays(6, day=2))
    before = requests.get(f"{address}/insights/global/total/listens", timeout=30).json()  # and so it is in the cache
    large = plays(20) + " " * 3_000_000  # far more than other bodies may have
    told = lines(
        post(
            {
                "folder/one.json": large,
                "mine.zip": (tmp_path / "mine.zip").read_bytes(),
                "<i>notes</i>.txt": "nothing that was played",
                "../../履歴.json": plays(10, day=3)[:-40],
            }
        )
    )
    user_id = told[-1]["user_id"]
    common = {"format": "Spotify, extended history", "there": 0, "cut": 0, "passed": {"too short": 1}}
    assert told[:3] == [
        {"file": "folder/one.json", "read": 20, "added": 19} | common,
        {"file": "mine.zip/two.json", "read": 6, "added": 5} | common,
        {"unknown": "<i>notes</i>.txt"},
    ]
    assert told[3]["error"].startswith("履歴.json: ")
    assert requests.get(f"{address}/insights/total/listens/{user_id}", timeout=30).json() == 24
    assert requests.get(f"{address}/insights/global/total/listens", timeout=30).json() == before + 24
    listeners = requests.get(f"{address}/insights/global/top/listeners?limit=100", timeout=30).json()
    assert {row["user_id"]: row["username"] for row in listeners}[user_id] == NAME

    # The next ones are somebody else's, whatever the name; where nothing is loaded nobody is made.
    assert lines(post({"one.json": plays(3)}))[-1]["user_id"] > user_id
    assert lines(post({"notes.txt": "nothing"}))[-1]["user_id"] is None
    assert (
        len(requests.get(f"{address}/insights/global/top/listeners?limit=100", timeout=30).json()) == len(listeners) + 1
    )


def test_what_the_page_does_not_send_is_refused(address: str, post: Post) -> None:
    files = {"one.json": plays(3)}
    port = address.rpartition(":")[2]
    for token in ("", "guessed", "é".encode()):
        assert post(files, token=token).status_code == 403
        assert post({"one.json": plays(3) + " " * 3_000_000}, token=token).status_code == 403
    for headers in (
        {"Origin": "https://elsewhere.example"},
        {"Origin": "null"},
        {"Origin": f"http://127.0.0.1:{int(port) + 1}"},
        {"Origin": f"http://rebound.example:{port}", "Host": f"rebound.example:{port}"},
    ):
        assert post(files, headers=headers).status_code == 403, headers
    assert post(files, headers={"Origin": address}).status_code == 200
    chunked = requests.post(f"{address}/own", data=iter([b"x" * 70_000]), timeout=60)
    assert chunked.status_code == 413
    other = requests.post(f"{address}/insights/total/listens/1", data=b"x" * 70_000, timeout=60)
    assert other.status_code == 413
    for name in ("", "  ", "x" * 21, "a\0b"):
        answer = post(files, name=name)
        assert (answer.status_code, answer.json()["errors"][0]["parameter"]) == (400, "name")
    assert post({}).json()["errors"][0]["parameter"] == "files"
    assert post(files, tz="Atlantis").json()["errors"][0]["parameter"] == "tz"
    assert "/own" not in requests.get(f"{address}/openapi.json", timeout=30).json()["paths"]


def test_what_nobody_waits_for_is_undone(post: Post, engine: Engine) -> None:
    with engine.connect() as connection:
        before = connection.scalar(select(func.count()).select_from(History))
    answer = post({f"{day}.json": plays(20, day) for day in range(1, 29)}, name="in a hurry", stream=True)
    assert b"added" in next(answer.iter_lines())
    answer.close()

    def is_gone() -> bool:
        with engine.connect() as connection:
            return not connection.scalar(select(func.count()).where(User.username == "in a hurry"))

    wait_until(is_gone)
    with engine.connect() as connection:
        assert connection.scalar(select(func.count()).select_from(History)) == before


def test_what_stops_the_loading_is_told(post: Post, engine: Engine) -> None:
    with engine.begin() as connection:
        connection.exec_driver_sql('ALTER TABLE "ArtistTracks" RENAME TO elsewhere')
    told = lines(post({"one.json": plays(3)}))
    assert [list(line) for line in told] == [["error"], ["user_id"]]
    assert 'relation "ArtistTracks" does not exist' in told[0]["error"]
    assert told[1]["user_id"] is None


@pytest.mark.thorough
@needs_axe
@needs_chromium
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_dialog_is_for_everyone(address: str, scheme: Any) -> None:
    with chromium() as browser:
        page = browser.new_context(base_url=address, color_scheme=scheme).new_page()
        page.goto("/")
        page.get_by_role("button", name="Add yours").press("Enter")
        expect(page.get_by_role("dialog")).to_be_visible()
        assert hindrances(page) == []
        page.keyboard.press("Escape")
        expect(page.get_by_role("dialog")).to_have_count(0)


@pytest.fixture
def page(address: str) -> Iterator[Page]:
    """The page, which is seen to have had no error."""
    with chromium() as browser:
        page = browser.new_context(base_url=address, locale="en-US").new_page()
        errors: list[str] = []
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
        page.goto("/?range=30d")
        yield page
        assert errors == []


@needs_chromium
def test_a_folder_is_dropped_on_the_page(page: Page, tmp_path: Path) -> None:
    folder = tmp_path / "my_spotify_data"
    (folder / "more").mkdir(parents=True)
    (folder / "Streaming_History_Audio_1.json").write_text(plays(20))
    (folder / "more" / "Streaming_History_Audio_2.json").write_text(plays(10, day=2))
    (folder / "more" / "Streaming_History_Audio_3.json").write_text(plays(10, day=3)[:-40])
    (folder / "<img src=x>.pdf").write_bytes(b"%PDF-1.4")
    drop(page, folder)
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_role("status")).to_have_text("4 files, 1 MB")
    dialog.get_by_label("A name for this listener").fill(NAME)
    dialog.get_by_role("button", name="Load").click()
    expect(dialog.get_by_role("status")).to_have_text("28 listens out of 2 files")
    broken, *others = dialog.get_by_role("listitem").all_inner_texts()
    assert broken.startswith("my_spotify_data/more/Streaming_History_Audio_3.json: ")
    assert others == ["my_spotify_data/<img src=x>.pdf: of no known format", "2 too short"]
    dialog.get_by_role("button", name="Look at it").click()
    expect(page.locator("h1")).to_have_text(NAME)
    expect(page.locator("#summary dd").first).to_have_text("28")  # in 2024, and so in no 30 days
    page.reload()
    expect(page.locator("h1")).to_have_text(NAME)
    assert re.fullmatch(r"\?user=\d+", page.evaluate("location.search"))


@pytest.mark.thorough
@needs_chromium
def test_a_file_is_dropped_or_picked(page: Page, tmp_path: Path) -> None:
    (tmp_path / "endsong_0.json").write_text(plays(9))
    (tmp_path / "notes.txt").write_text("nothing")
    dialog = page.get_by_role("dialog")
    page.get_by_role("button", name="Add yours").click()
    expect(dialog.get_by_role("button", name="Load")).to_be_disabled()
    page.get_by_label("Choose files").set_input_files(tmp_path / "notes.txt")
    dialog.get_by_role("button", name="Load").click()
    expect(dialog.get_by_role("status")).to_have_text("Nothing was loaded")
    expect(dialog.get_by_role("listitem")).to_have_text("notes.txt: of no known format")
    drop(page, tmp_path / "endsong_0.json")  # takes the place of what is told
    expect(dialog.get_by_role("status")).to_have_text("1 file, 1 MB")
    dialog.get_by_label("A name for this listener").press("Enter")
    expect(dialog.get_by_role("status")).to_have_text("8 listens out of a file")
    page.keyboard.press("Enter")
    expect(page.locator("h1")).to_have_text("me")


@pytest.mark.thorough
@needs_chromium
def test_an_upload_can_be_stopped(page: Page, tmp_path: Path) -> None:
    (tmp_path / "endsong_0.json").write_text(plays(9))
    page.route("**/own", lambda _: None)  # no answer
    dialog = page.get_by_role("dialog")
    drop(page, tmp_path / "endsong_0.json")
    dialog.get_by_role("button", name="Load").click()
    expect(dialog.get_by_role("progressbar")).to_be_visible()
    drop(page, tmp_path / "endsong_0.json")  # one after the other
    expect(dialog.get_by_role("progressbar")).to_be_visible()
    with page.expect_event("requestfailed"):
        dialog.get_by_role("button", name="Stop").click()
    expect(dialog).to_have_count(0)


def drop(page: Page, path: Path) -> None:
    """Drop a file or a folder on the page, as the system does."""
    session = page.context.new_cdp_session(page)
    for kind in ("dragEnter", "dragOver", "drop"):
        session.send(
            "Input.dispatchDragEvent",
            {"type": kind, "x": 300, "y": 300, "data": {"items": [], "files": [str(path)], "dragOperationsMask": 1}},
        )
