"""Libre.fm as CSV: `Artist,Track,Album,Time`, with or without that header, and with odd lines before it."""

import csv
from collections.abc import Iterator

from app.cli.ingest.plays import Format, Play, artists, instant
from app.cli.ingest.reading import FileError, Head, Reader

HEADER = ["Artist", "Track", "Album", "Time"]
BEFORE = 20  # lines in which the first listen has to come


def recognises(head: Head) -> bool:
    """The header, or a row of a listen, among the first lines."""
    try:
        return any(row == HEADER or _is_listen(row) for row in csv.reader(head.lines[:BEFORE]))
    except csv.Error:
        return False


def plays(reader: Reader) -> Iterator[Play]:
    """The time is the start of the play, in seconds since 1970."""
    has_begun = False
    for row in reader.rows():
        if row == HEADER or (not has_begun and not _is_listen(row)) or not any(row):
            has_begun = has_begun or row == HEADER
            continue
        has_begun = True
        if len(row) != len(HEADER):
            raise FileError(f"{len(row)} columns, not {len(HEADER)}")
        artist, track, _album, _time = row
        yield Play(instant(dict(zip(HEADER, row, strict=True)), "Time"), track, artists([artist]), is_start=True)


def _is_listen(row: list[str]) -> bool:
    return len(row) == len(HEADER) and row[3].strip().isdigit()


FORMAT = Format("Libre.fm", recognises, plays)
