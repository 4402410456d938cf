"""What is broken or meant to do harm is named with its place and adds nothing; the other files are loaded."""

import json
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from app.cli import create_app
from app.cli.embedded.database import DATABASE, embedded_database, engine_for
from app.cli.embedded.server import EmbeddedPostgres
from config import load_settings
from tests.cli.history.conftest import ONE, Ingest, Listens, Write, outcome, played, scrobble, scrobbles
from tests.cli.test_ingest import rows

GOOD = json.dumps([played()])
MANY = json.dumps([played()] * 500)
JSONL = '{"timeMs": 1714557600000, "artist": "First", "track": "One"}\n'
LATER = played("2024-05-02T10:00:00Z")

BROKEN = {
    "cut off": (GOOD[:-1] + ',{"ts":', "entry 1: parse error: premature EOF"),
    "no instant": ([played(), played("yesterday")], "entry 2: ts: not an instant: 'yesterday'"),
    "no instant at all": ([played(), played(None)], "entry 2: ts: not an instant: 'None'"),
    "the end of time": ([played(), played("9999-12-31T23:59:59-12:00")], "entry 2: ts: not an instant"),
    "a number too large": ([played(), played(ms=2**31)], "entry 2: ms_played: not a length of time"),
    "a number of another kind": ([played(), played(ms=True)], "entry 2: ms_played: not a number"),
    "a text of another kind": ([played(), played(reason_end=["a"])], "entry 2: reason_end: not a text"),
    "an entry of another kind": ([played(), 7], "entry 2: not an object"),
    "a line of another kind": (JSONL + "7\n", "line 2: not an object"),
    "a line cut off": (JSONL + '{"timeMs"', "line 2: Expecting ':' delimiter"),
    "a number without end": (JSONL + "9" * 5000, "line 2: Exceeds the limit"),
    "a line nested without end": (JSONL + "[" * 100_000, "line 2: maximum recursion depth exceeded"),
    "nested without end": (MANY[:-1] + "," + "[" * 10_000_000, "entry 497: an entry is too large or too deeply nested"),
    "a text without end": (GOOD[:-1] + ',"' + "x" * 20_000_000, "entry 1: an entry is too large or too deeply nested"),
    "a line without end": (JSONL + "x" * 2_000_000, "line 2: the line is too long"),
    "another encoding": (GOOD.encode()[:-1] + b',"\xff"]', "'utf-8' codec can't decode byte 0xff"),
    "a column too few": ("First,One,,1577836800\nFirst,One\n", "line 2: 2 columns, not 4"),
    "a log's column too few": ("#AUDIOSCROBBLER/1.1\nFirst\tOne\n", "line 2: 2 columns, not 7 or more"),
}  # fmt: skip


@pytest.mark.parametrize(("content", "reason"), BROKEN.values(), ids=BROKEN.keys())
def test_a_broken_file_is_one_line_and_no_row(
    ingest: Ingest, write: Write, clean: EmbeddedPostgres, content: Any, reason: str
) -> None:
    bad, good = write(content, "bad"), write([LATER], "good")
    result = ingest(bad, good)
    assert result.exit_code == 1
    assert result.stderr.count("\n") == 1
    assert result.stderr.startswith(f"Error: {bad}: {reason}")
    assert outcome(result) == (1, 1, 0, 0)
    assert len(rows(clean, "History")) == 1


def test_what_is_no_history_is_an_error_by_itself(ingest: Ingest, write: Write, tmp_path: Path) -> None:
    text_file, empty, binary = write("hello", "text"), write("", "empty"), write(bytes(range(256)), "binary")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "link").symlink_to(write([played()], "history"))
    nested = write("[" * 1_000_000, "nested")
    result = ingest(text_file, empty, binary, nested, tmp_path / "folder", tmp_path / "absent", "/dev/null")
    assert result.exit_code == 1
    assert result.stdout == ""
    assert result.stderr.splitlines() == [
        *(f"Error: {path}: no listening history of a known format"
          for path in (text_file, empty, binary, nested, tmp_path / "folder")),
        f"Error: {tmp_path / 'absent'}: No such file or directory",
        "Error: /dev/null: not a file",
    ]  # fmt: skip


class TestZips:
    @pytest.fixture
    def archive(self, tmp_path: Path) -> Callable[..., Path]:
        """Make a zip of a good file and others."""

        def make(**others: str | bytes) -> Path:
            file = tmp_path / "all.zip"
            with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
                archive.writestr("good.json", GOOD)
                for name, content in others.items():
                    archive.writestr(name, content)
            return file

        return make

    def check(self, ingest: Ingest, file: Path, reason: str) -> None:
        result = ingest(file)
        assert result.exit_code == 1
        assert result.stderr == f"Error: {file}/{reason}\n"
        assert outcome(result) == (1, 1, 0, 0)

    def test_a_broken_entry(self, ingest: Ingest, archive: Callable[..., Path]) -> None:
        file = archive(bad=json.dumps([LATER, played(None)]))
        self.check(ingest, file, "bad: entry 2: ts: not an instant: 'None'")

    def test_a_path_that_leads_out(self, ingest: Ingest, archive: Callable[..., Path]) -> None:
        self.check(
            ingest, archive(**{"a/../../bad": json.dumps([LATER])}), "a/../../bad: its path leads out of the zip"
        )

    def test_an_encrypted_entry(self, ingest: Ingest, archive: Callable[..., Path]) -> None:
        file = archive(bad=json.dumps([LATER]))
        content = bytearray(file.read_bytes())
        entry = content.rindex(b"PK\x01\x02")  # the last one of the directory
        content[entry + 8] |= 1
        file.write_bytes(content)
        self.check(ingest, file, "bad: encrypted")

    def test_a_bomb(self, ingest: Ingest, archive: Callable[..., Path]) -> None:
        file = archive(bad=GOOD[:-1] + " " * 10_000_000 + "]")
        self.check(ingest, file, "bad: unpacks to more than 250 times its size")

    def test_a_bomb_that_lies_about_its_size(self, ingest: Ingest, archive: Callable[..., Path]) -> None:
        file = archive(bad=GOOD[:-1] + " " * 10_000_000 + "]")
        content = bytearray(file.read_bytes())
        entry = content.rindex(b"PK\x01\x02")
        content[entry + 24 : entry + 28] = struct.pack("<I", 1000)
        file.write_bytes(content)
        self.check(ingest, file, "bad: Bad CRC-32 for file 'bad'")

    def test_a_damaged_entry(self, ingest: Ingest, archive: Callable[..., Path]) -> None:
        file = archive(bad=json.dumps([played(f"2024-05-02T10:{n // 60 % 60:02}:{n % 60:02}Z") for n in range(3000)]))
        content = bytearray(file.read_bytes())
        middle = len(content) // 2
        content[middle : middle + 50] = bytes(50)
        file.write_bytes(content)
        result = ingest(file)
        assert result.exit_code == 1
        assert result.stderr.startswith(f"Error: {file}/bad: entry ")
        assert outcome(result) == (1, 1, 0, 0)

    def test_a_damaged_zip(self, ingest: Ingest, archive: Callable[..., Path]) -> None:
        file = archive()
        content = bytearray(file.read_bytes())
        content[content.rindex(b"PK\x01\x02")] = 0
        file.write_bytes(content)
        result = ingest(file)
        assert result.exit_code == 1
        assert result.stderr == f"Error: {file}: Bad magic number for central directory\n"


class TestTexts:
    @pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
    @pytest.mark.parametrize("content", [[played(master_metadata_track_name="比翼")], None], ids=["JSON", "log"])
    def test_an_encoding(
        self, ingest: Ingest, write: Write, clean: EmbeddedPostgres, encoding: str, content: Any
    ) -> None:
        log = "#AUDIOSCROBBLER/1.1\n#TZ/UTC\nFirst\t\t比翼\t1\t200\tL\t1577836800\n"
        told = json.dumps(content, ensure_ascii=False) if content else log
        assert outcome(ingest(write(told.encode(encoding)))) == (1, 1, 0, 0)
        assert [name for _, name, _ in rows(clean, "Tracks")] == ["比翼"]

    def test_nul_and_half_a_surrogate_pair(self, ingest: Ingest, write: Write, clean: EmbeddedPostgres) -> None:
        file = write(scrobbles(scrobble(1_714_557_600, "a\0b\ud800c")))
        line = write('{"timeMs": 1, "artist": "First", "track": "a\\u0000b\\ud800c"}', "lines")
        assert outcome(ingest(file, line)) == (2, 2, 0, 0)
        assert [name for _, name, _ in rows(clean, "Tracks")] == ["ab?c"]

    def test_names_over_the_columns_widths_are_cut_and_told(
        self, ingest: Ingest, write: Write, clean: EmbeddedPostgres
    ) -> None:
        file = write(scrobbles(scrobble(1_714_557_600, "😀" * 241, "ü" * 121)))
        result = ingest(file)
        assert outcome(result) == (1, 1, 0, 0)
        assert "2 names cut to the length of their columns" in result.stdout
        assert [name for _, name, _ in rows(clean, "Tracks")] == ["😀" * 240]
        assert [name for _, name in rows(clean, "Artists")] == ["ü" * 120]
        assert outcome(ingest(file)) == (1, 0, 1, 0)

    def test_a_name_with_every_delimiter(self, ingest: Ingest, write: Write, clean: EmbeddedPostgres) -> None:
        name = "a,\"b\"\t\\N\\.\r\n'c';{}"
        ingest(write(scrobbles(scrobble(1_714_557_600, name, name))))
        assert [found for _, found, _ in rows(clean, "Tracks")] == [name]
        assert [found for _, found in rows(clean, "Artists")] == [name]


class TestAForeignDatabase:
    @pytest.fixture
    def foreign(self, clean: EmbeddedPostgres) -> Ingest:
        """Run `flask ingest` on a database that SQLALCHEMY_DATABASE_URI names."""
        with embedded_database(clean):  # for the tables
            pass
        app = create_app(load_settings({"SQLALCHEMY_DATABASE_URI": clean.uri(DATABASE)}), clean)
        return lambda *arguments: app.test_cli_runner().invoke(args=["ingest", *map(str, arguments)])

    def test_is_written_on_demand_for_users_that_exist(
        self, foreign: Ingest, write: Write, clean: EmbeddedPostgres, listens: Listens
    ) -> None:
        command = ("history", write([played()]), "--user", "7")
        assert "--write-platform-tables" in foreign(*command).stderr
        result = foreign(*command, "--write-platform-tables")
        assert result.exit_code == 1
        assert result.stderr == "Error: there is no user 7, and users are songswap-app's to make\n"
        with engine_for(clean.uri(DATABASE)).begin() as connection:
            connection.execute(text("""INSERT INTO "Users" VALUES (7, 'me', 'me@example.com', 'me')"""))
        assert outcome(foreign(*command, "--write-platform-tables")) == (1, 1, 0, 0)
        assert foreign("forget", "--user", "7", "--yes").exit_code == 1
        assert listens() == [("2024-05-01T10:00:00", ONE)]


class TestForgetting:
    def test_asks_first(self, command: Ingest, ingest: Ingest, write: Write, listens: Listens) -> None:
        ingest(write([played()]))
        ingest(write([played(), LATER]), user=8)
        assert command("forget", "--user", "8", stdin=b"n\n").exit_code == 1
        assert len(listens(8)) == 2
        result = command("forget", "--user", "8", stdin=b"y\n")
        assert result.stdout.endswith("2 listens of user 8 deleted\n")
        assert listens(8) == []
        assert len(listens(7)) == 1
