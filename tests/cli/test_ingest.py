"""`flask ingest recently-played` on a real page, on made-up ones, and on everything that is no page at all."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from sqlalchemy import text

from app.cli import create_app
from app.cli.embedded.database import DATABASE, embedded_database, engine_for
from app.cli.embedded.server import EmbeddedPostgres
from config import load_settings

DATA = Path(__file__).parents[2] / ".." / "shared" / "data"
REAL_PAGE = DATA / "spotify_recently_played.json"
OTHER_EXPORT = DATA / "Streaming_History_Audio_2020-2025_0.json"

needs_data = pytest.mark.skipif(not REAL_PAGE.exists(), reason=f"the real files are not here: {DATA}")

Ingest = Callable[..., Result]
Write = Callable[[Any], Path]


@pytest.fixture
def ingest(clean: EmbeddedPostgres) -> Ingest:
    """Run the command on the embedded database, for user 7 unless told otherwise."""
    app = create_app(load_settings({}), clean)

    def run(*arguments: str | Path, user: int = 7, stdin: str | None = None) -> Result:
        command = ["ingest", "recently-played", *map(str, arguments), "--user", str(user)]
        return app.test_cli_runner().invoke(args=command, input=stdin)

    return run


@pytest.fixture
def page(tmp_path: Path) -> Write:
    """Write a document to a file of its own."""
    written: list[Path] = []

    def write(document: Any) -> Path:
        file = tmp_path / f"page{len(written)}.json"
        file.write_text(document if isinstance(document, str) else json.dumps(document))
        written.append(file)
        return file

    return write


def item(**track: Any) -> dict[str, Any]:
    """A play of a track, as Spotify gives it and cut down to what is used."""
    return {
        "played_at": track.pop("played_at", "2026-01-02T03:04:05.678Z"),
        "track": {
            "id": "t1",
            "name": "One",
            "type": "track",
            "duration_ms": 1000,
            "artists": [{"id": "a1", "name": "First"}, {"id": "a2", "name": "Second"}],
            "album": {"images": [{"url": "https://img/1", "height": 64, "width": 64}]},
            "preview_url": "https://preview/1",
            "popularity": 50,
            **track,
        },
    }


def rows(server: EmbeddedPostgres, table: str) -> list[tuple[Any, ...]]:
    with engine_for(server.uri(DATABASE)).connect() as connection:
        return [tuple(row) for row in connection.execute(text(f'SELECT * FROM "{table}" AS t ORDER BY t::text'))]


@needs_data
def test_a_real_page(ingest: Ingest, clean: EmbeddedPostgres) -> None:
    result = ingest(REAL_PAGE, user=99)
    assert result.exit_code == 0, result.output
    assert result.output == f"{REAL_PAGE}: 2 listens added, 0 already there\n"
    assert [(user, at.isoformat(), track) for user, at, track in rows(clean, "History")] == [
        (99, "2023-06-05T23:04:29.771000", "7JDnCjOAuR6snlt3k6VtbO"),
        (99, "2023-06-05T23:05:13.830000", "1RTray5NRStsFK0Pi9Mx4a"),
    ]
    assert rows(clean, "Tracks") == [
        ("1RTray5NRStsFK0Pi9Mx4a", "*Belle", 43728),
        ("7JDnCjOAuR6snlt3k6VtbO", "Brother", 211213),
    ]
    assert rows(clean, "Artists") == [
        ("3a34v9rZzoFZ7K19NszX9F", "Dave Okumu"),
        ("6I3MElirhT5t6Kf7p0hGk9", "Duckwrth"),
    ]
    assert len(rows(clean, "TrackImages")) == 6
    assert len(rows(clean, "TrackPreviews")) == 2
    assert [popularity for *_, popularity in rows(clean, "TrackPopularity")] == [35, 35]

    again = ingest(REAL_PAGE, user=99)
    assert again.output == f"{REAL_PAGE}: 0 listens added, 2 already there\n"
    assert len(rows(clean, "TrackPopularity")) == 2


def test_everything_a_table_has_a_place_for(ingest: Ingest, clean: EmbeddedPostgres, page: Write) -> None:
    assert ingest(page({"items": [item()]})).exit_code == 0
    assert rows(clean, "Users") == [(7, "user7", "user7@example.com", "user7")]
    assert rows(clean, "ArtistTracks") == [("t1", "a1", True), ("t1", "a2", False)]
    assert rows(clean, "TrackImages") == [("t1", 64, 64, "https://img/1")]
    assert rows(clean, "TrackPreviews") == [("t1", "https://preview/1")]
    assert [(id_, date.isoformat(), value) for id_, date, value in rows(clean, "TrackPopularity")] == [
        ("t1", "2026-01-02T03:04:05.678000", 50)
    ]


def test_instants_are_kept_in_utc(ingest: Ingest, clean: EmbeddedPostgres, page: Write) -> None:
    assert ingest(page({"items": [item(played_at="2026-01-02T03:04:05+05:30")]})).exit_code == 0
    assert [at.isoformat() for _, at, _ in rows(clean, "History")] == ["2026-01-01T21:34:05"]


def test_what_is_there_stays_as_it_is(ingest: Ingest, clean: EmbeddedPostgres, page: Write) -> None:
    ingest(page({"items": [item()]}))
    renamed = item(name="Renamed", popularity=51, artists=[{"id": "a1", "name": "Renamed"}])
    result = ingest(page({"items": [renamed, item(played_at="2026-01-03T00:00:00Z"), item()]}))
    assert "1 listens added, 2 already there" in result.output
    assert rows(clean, "Tracks") == [("t1", "One", 1000)]
    assert rows(clean, "Artists") == [("a1", "First"), ("a2", "Second")]
    assert len(rows(clean, "TrackPopularity")) == 2


def test_what_may_be_missing(ingest: Ingest, clean: EmbeddedPostgres, page: Write) -> None:
    bare = item(artists=[], album={"images": None}, preview_url=None, popularity=None)
    unsized = item(id="t2", album={"images": [{"url": "https://img/2", "height": None, "width": None}]})
    del unsized["track"]["preview_url"], unsized["track"]["popularity"]
    unsized["played_at"] = "2026-01-03T00:00:00Z"
    result = ingest(page({"items": [bare, unsized]}))
    assert "2 listens added" in result.output
    assert rows(clean, "TrackImages") == rows(clean, "TrackPreviews") == rows(clean, "TrackPopularity") == []


def test_an_image_with_one_side_alone_is_left_out(ingest: Ingest, clean: EmbeddedPostgres, page: Write) -> None:
    sides = [{"height": 64, "width": 64}, {"height": 99}, {"width": 99}]
    sides += [{"height": 99, "width": None}, {"height": None, "width": 99}]
    images = [{"url": f"https://img/{number}", **known} for number, known in enumerate(sides)]
    assert "1 listens added" in ingest(page({"items": [item(album={"images": images})]})).output
    assert rows(clean, "TrackImages") == [("t1", 64, 64, "https://img/0")]


def test_what_is_no_spotify_track_is_skipped_and_counted(ingest: Ingest, clean: EmbeddedPostgres, page: Write) -> None:
    local = item(id=None, is_local=True, artists=[{"id": None, "name": "Me"}])
    local_with_id = item(id="t2", is_local=True)
    episode = item(type="episode", id="e1", artists=None)
    withdrawn = {"played_at": "2026-01-02T03:04:05Z", "track": None}
    result = ingest(page({"items": [local, local_with_id, item(is_local=False), episode, withdrawn]}))
    assert result.output.endswith("1 listens added, 0 already there, 4 skipped that are no Spotify tracks\n")
    assert [track for _, _, track in rows(clean, "History")] == [id_ for id_, *_ in rows(clean, "Tracks")] == ["t1"]


def test_an_empty_page(ingest: Ingest, page: Write) -> None:
    assert "0 listens added, 0 already there" in ingest(page({"items": []})).output


def test_longest_values_fit(ingest: Ingest, clean: EmbeddedPostgres, page: Write) -> None:
    longest = item(id="i" * 24, name="é" * 240, artists=[{"id": "a" * 24, "name": "ü" * 120}], duration_ms=2**31 - 1)
    assert ingest(page({"items": [longest]})).exit_code == 0
    assert rows(clean, "Tracks") == [("i" * 24, "é" * 240, 2**31 - 1)]


def test_items_without_a_name_are_skipped_and_named(ingest: Ingest, clean: EmbeddedPostgres, page: Write) -> None:
    missing = item(id="t2")
    del missing["track"]["name"]
    nameless_artist = item(id="t3", artists=[{"id": "a3", "name": None}])
    result = ingest(
        page({"items": [item(id="t4", name=None), item(), missing, item(id="t5", name=" "), nameless_artist]})
    )
    assert result.exit_code == 0
    assert result.output.endswith(
        ": 1 listens added, 0 already there, 4 skipped without a name: items[0] items[2] items[3] items[4]\n"
    )
    assert [track for track, *_ in rows(clean, "Tracks")] == ["t1"]
    assert [artist for artist, _ in rows(clean, "Artists")] == ["a1", "a2"]


def test_names_that_are_too_long_are_cut_and_addresses_left_out(
    ingest: Ingest, clean: EmbeddedPostgres, page: Write
) -> None:
    images = [{"url": "u" * 241, "height": 1, "width": 1}, {"url": "https://img/2", "height": 2, "width": 2}]
    long = item(
        name="é" * 241, artists=[{"id": "a1", "name": "ü" * 121}], preview_url="p" * 241, album={"images": images}
    )
    result = ingest(page({"items": [long]}))
    assert result.output.endswith(
        ": 1 listens added, 0 already there, 4 names cut or addresses left out that are too long: items[0].track.name"
        " items[0].track.preview_url items[0].track.artists[0].name items[0].track.album.images[0].url\n"
    )
    assert rows(clean, "Tracks") == [("t1", "é" * 240, 1000)]
    assert rows(clean, "Artists") == [("a1", "ü" * 120)]
    assert rows(clean, "TrackImages") == [("t1", 2, 2, "https://img/2")]
    assert rows(clean, "TrackPreviews") == []


def test_a_page_on_standard_input(ingest: Ingest, page: Write) -> None:
    text = json.dumps({"items": [item(name="Été")]}, ensure_ascii=False)
    assert ingest("-", page({"items": [item()]}), stdin=text).output.startswith("-: 1 listens added, 0 already there\n")
    result = ingest("-", stdin="")
    assert (result.exit_code, result.stderr) == (1, "Error: -: not JSON: Expecting value: line 1 column 1 (char 0)\n")


NESTED = "[" * 100_000

BROKEN = {
    "a list": ([], 'not a page of recently played tracks, which is an object with a list "items"'),
    "no items": ({}, "not a page of recently played tracks"),
    "items of another kind": ({"items": {"a": 1}}, "not a page of recently played tracks"),
    "text": ("hello", "not JSON: Expecting value"),
    "empty": ("", "not JSON: Expecting value"),
    "nested without end": (NESTED, "not JSON: "),
    "a number without end": ('{"items": [' + "9" * 5000 + "]}", "not JSON: "),
    "an item of another kind": ({"items": [7]}, "items[0]: Invalid input type."),
    "saved tracks": ({"items": [{"added_at": "x", "track": {}}]}, "items[0].played_at: Missing data"),
    "no track": ({"items": [{"played_at": "2026-01-01T00:00:00Z"}]}, "items[0].track: Missing data"),
    "no id": ({"items": [item(id="")]}, "items[0].track.id: Length must be between 1 and 24."),
    "an id too long": ({"items": [item(id="i" * 25)]}, "items[0].track.id: Length must be between 1 and 24."),
    "an artist without id": (
        {"items": [item(artists=[{"id": None, "name": "n"}])]},
        "items[0].track.artists[0].id: Field may not be null.",
    ),
    "a picture without an address": (
        {"items": [item(album={"images": [{"url": "", "height": 1, "width": 1}]})]},
        "items[0].track.album.images[0].url: Length must be between 1 and 240.",
    ),
    "a name of another kind": ({"items": [item(name=7)]}, "items[0].track.name: Not a valid string."),
    "a name too long, but of no track": ({"items": [{"track": {"name": "n" * 241}}]}, "items[0]."),
    "tomorrow": (
        {"items": [item(played_at=(datetime.now(UTC) + timedelta(days=1)).isoformat())]},
        "items[0].played_at: In the future.",
    ),
    "a NUL": ({"items": [item(name="a\0b")]}, "items[0].track.name: Has a character that PostgreSQL cannot store."),
    "half a pair": ('{"items": [' + json.dumps(item(name="\ud800")) + "]}", "items[0].track.name: Has a character"),
    "a duration in words": ({"items": [item(duration_ms="1000")]}, "items[0].track.duration_ms: Not a valid integer."),
    "half a millisecond": ({"items": [item(duration_ms=0.5)]}, "items[0].track.duration_ms: Not a valid integer."),
    "a negative duration": ({"items": [item(duration_ms=-1)]}, "items[0].track.duration_ms: Must be greater than"),
    "a duration too long": ({"items": [item(duration_ms=2**31)]}, "items[0].track.duration_ms: Must be greater than"),
    "no time zone": ({"items": [item(played_at="2026-01-01T00:00:00")]}, "items[0].played_at: Not an instant"),
    "no instant": ({"items": [item(played_at=1686006313830)]}, "items[0].played_at: Not an instant"),
    "before computers": ({"items": [item(played_at="1969-12-31T23:59:59Z")]}, "items[0].played_at: Not between"),
    "after us": ({"items": [item(played_at="2101-01-01T00:00:00Z")]}, "items[0].played_at: Not between"),
    "the beginning of time": (
        {"items": [item(played_at="0001-01-01T00:00:00+14:00")]},
        "items[0].played_at: Not between",
    ),
    "its end": ({"items": [item(played_at="9999-12-31T23:59:59-12:00")]}, "items[0].played_at: Not between"),
    "the second of two": ({"items": [item(), item(id="")]}, "items[1].track.id: Length must be between 1 and 24."),
}


@pytest.mark.parametrize(("document", "reason"), BROKEN.values(), ids=BROKEN.keys())
def test_a_broken_page_is_one_line_and_no_row(
    ingest: Ingest, clean: EmbeddedPostgres, page: Write, document: Any, reason: str
) -> None:
    file = page(document)
    result = ingest(file)
    assert result.exit_code == 1
    assert result.stdout == ""
    assert result.stderr.startswith(f"Error: {file}: {reason}")
    assert result.stderr.count("\n") == 1
    assert rows(clean, "Users") == rows(clean, "Tracks") == rows(clean, "History") == []


@needs_data
def test_a_page_cut_anywhere_is_refused(ingest: Ingest, clean: EmbeddedPostgres, page: Write) -> None:
    whole = REAL_PAGE.read_text().rstrip()
    for part in range(1, 10):
        result = ingest(page(whole[: len(whole) * part // 10]))
        assert result.exit_code == 1
        assert "not JSON: " in result.stderr
    assert rows(clean, "History") == []


@needs_data
def test_another_export_of_spotify_is_refused(ingest: Ingest) -> None:
    result = ingest(OTHER_EXPORT)
    assert result.exit_code == 1
    assert result.stderr.startswith(f"Error: {OTHER_EXPORT}: not a page of recently played tracks")


def test_what_is_no_file_of_text_is_refused(ingest: Ingest, tmp_path: Path) -> None:
    binary = tmp_path / "binary"
    binary.write_bytes(bytes(range(256)))
    result = ingest(tmp_path / "absent", tmp_path, "/dev/null", binary)
    assert result.exit_code == 1
    assert result.stderr.splitlines() == [
        f"Error: {tmp_path / 'absent'}: No such file or directory",
        f"Error: {tmp_path}: not a file",
        "Error: /dev/null: not a file",
        f"Error: {binary}: not JSON: not text in UTF-8",
    ]


def test_good_files_stay_and_bad_ones_are_named(ingest: Ingest, clean: EmbeddedPostgres, page: Write) -> None:
    good, bad = page({"items": [item()]}), page({"items": [item(id="")]})
    last = page({"items": [item(played_at="2026-01-03T00:00:00Z")]})
    result = ingest(good, bad, last)
    assert result.exit_code == 1
    assert result.stdout == f"{good}: 1 listens added, 0 already there\n{last}: 1 listens added, 0 already there\n"
    assert result.stderr == f"Error: {bad}: items[0].track.id: Length must be between 1 and 24.\n"
    assert len(rows(clean, "History")) == 2


@pytest.mark.parametrize("user", [0, -1, 2**31])
def test_users_have_ids_of_the_tables_kind(ingest: Ingest, page: Write, user: int) -> None:
    assert ingest(page({"items": []}), user=user).exit_code == 2


def test_another_users_listens_are_apart(ingest: Ingest, clean: EmbeddedPostgres, page: Write) -> None:
    file = page({"items": [item()]})
    ingest(file, user=7)
    assert "1 listens added" in ingest(file, user=8).output
    assert [user for user, *_ in rows(clean, "History")] == [7, 8]


class TestAForeignDatabase:
    """One that SQLALCHEMY_DATABASE_URI names: the platform's, for all that the command knows."""

    @pytest.fixture
    def ingest(self, clean: EmbeddedPostgres) -> Ingest:
        with embedded_database(clean):  # for the tables
            pass
        app = create_app(load_settings({"SQLALCHEMY_DATABASE_URI": clean.uri(DATABASE)}), clean)
        return lambda *arguments: app.test_cli_runner().invoke(args=["ingest", "recently-played", *map(str, arguments)])

    def test_is_refused(self, ingest: Ingest, clean: EmbeddedPostgres, page: Write) -> None:
        result = ingest(page({"items": [item()]}), "--user", "7")
        assert result.exit_code == 1
        assert "--write-platform-tables" in result.stderr
        assert rows(clean, "Tracks") == []

    def test_is_written_on_demand_but_for_users(self, ingest: Ingest, clean: EmbeddedPostgres, page: Write) -> None:
        file = page({"items": [item()]})
        result = ingest(file, "--user", "7", "--write-platform-tables")
        assert result.stderr == f"Error: {file}: there is no user 7, and users are songswap-app's to make\n"
        assert rows(clean, "Tracks") == []
        with engine_for(clean.uri(DATABASE)).begin() as connection:
            connection.execute(text("""INSERT INTO "Users" VALUES (7, 'me', 'me@example.com', 'me')"""))
        assert "1 listens added" in ingest(file, "--user", "7", "--write-platform-tables").output

    def test_without_the_tables(self, ingest: Ingest, clean: EmbeddedPostgres, page: Write) -> None:
        with engine_for(clean.uri(DATABASE)).begin() as connection:
            connection.execute(text('DROP TABLE "Users" CASCADE'))
        file = page({"items": []})
        result = ingest(file, "--user", "7", "--write-platform-tables")
        assert result.stderr == f'Error: {file}: relation "Users" does not exist\n'


def test_a_database_out_of_reach(page: Write, unstarted: EmbeddedPostgres) -> None:
    app = create_app(load_settings({"SQLALCHEMY_DATABASE_URI": unstarted.uri(DATABASE)}), unstarted)
    file = page({"items": [item()]})
    command = ["ingest", "recently-played", str(file), "--user", "7", "--write-platform-tables"]
    result = app.test_cli_runner().invoke(args=command)
    assert result.exit_code == 1
    assert result.stderr.startswith(f"Error: {file}: connection to server on socket")
    assert result.stderr.count("\n") == 1
