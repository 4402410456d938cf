"""The text of a file, read once and in pieces of bounded size, whatever is in it."""

import codecs
import csv
import io
import json
from collections.abc import Iterator
from typing import IO, Any, Self

import ijson
from ijson.common import JSONError

HEAD = 65536  # characters by which a format is told
# Characters. A program that exports listens writes lines and entries of a few thousand.
LONGEST_LINE = 2**20
LONGEST_ENTRY = 2**24
# ijson's memory grows with the square of the depth: so it is given little at a time, and told how deep that may be.
PIECE = 4096
DEEPEST = 1000


class FileError(Exception):
    """A file that cannot be loaded; the text says why and where."""


class FieldError(FileError):
    """An entry that cannot be read, by the path of its field."""

    def __init__(self, path: tuple[str, ...], why: str) -> None:
        super().__init__(f"{'.'.join(path)}: {why}")


class Reader:
    """UTF-8 or UTF-16, with or without a byte order mark, closed with the block.

    `place` is where the last entry was read, for errors.
    """

    def __init__(self, binary: IO[bytes], errors: str = "strict") -> None:
        self._binary = binary
        start = binary.read(4)
        binary.seek(0)
        self._text = io.TextIOWrapper(binary, _encoding(start), errors, newline="")
        self._unread = self._depth = 0  # characters and open brackets since the last entry
        self.place = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._text.close()

    @property
    def position(self) -> int:
        """The number of bytes read."""
        return self._binary.tell()

    def head(self) -> str:
        """The first characters."""
        return self._text.read(HEAD)

    def read(self, size: int) -> bytes:
        """The next characters, as ijson reads them. Raises FileError for an entry too large or too deep to be one."""
        piece = self._text.read(size)
        self._unread += len(piece)
        self._depth += sum(map(piece.count, "[{")) - sum(map(piece.count, "]}"))
        if self._unread > LONGEST_ENTRY or self._depth > DEEPEST:
            raise FileError("an entry is too large or too deeply nested")
        return piece.encode()

    def entries(self, prefix: str) -> Iterator[dict[str, Any]]:
        """The objects at a prefix, in ijson's sense, of one JSON document."""
        for number, entry in enumerate(ijson.items(self, prefix, buf_size=PIECE, use_float=True), 1):
            self._unread = self._depth = 0
            self.place = f"entry {number}"
            yield _object(entry)

    def objects(self) -> Iterator[dict[str, Any]]:
        """The objects of JSON Lines."""
        for line in self.lines():
            if line.strip():
                yield _object(json.loads(line))

    def rows(self) -> Iterator[list[str]]:
        """The rows of CSV."""
        return csv.reader(self.lines())

    def lines(self) -> Iterator[str]:
        """The lines, with their ends."""
        number = 0
        while line := self._text.readline(LONGEST_LINE):
            number += 1
            self.place = f"line {number}"
            if len(line) == LONGEST_LINE:
                raise FileError("the line is too long")
            yield line


class Head:
    """The first characters of a file, by which formats are told."""

    def __init__(self, text: str) -> None:
        self.text = text.lstrip("\ufeff")

    @property
    def lines(self) -> list[str]:
        """The lines, the last one perhaps in part."""
        return self.text.splitlines()

    @property
    def line(self) -> dict[str, Any]:
        """The object in the first line that is not blank; {} where there is none."""
        try:
            found = json.loads(self.text.lstrip().partition("\n")[0])
        except (ValueError, RecursionError):
            return {}
        return found if isinstance(found, dict) else {}

    def first(self, prefix: str) -> dict[str, Any]:
        """The first object at a prefix, in ijson's sense, of one JSON document; {} where there is none."""
        try:
            with Reader(io.BytesIO(self.text.encode())) as reader:
                return next(reader.entries(prefix), {})
        except (FileError, JSONError):
            return {}


def _encoding(start: bytes) -> str:
    if start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    # Every format begins with an ASCII character.
    little, big = start[1:2] == b"\0", start[:1] == b"\0"
    return "utf-16-le" if little else "utf-16-be" if big else "utf-8-sig"


def _object(entry: Any) -> dict[str, Any]:
    if not isinstance(entry, dict):
        raise FileError("not an object")
    return entry
