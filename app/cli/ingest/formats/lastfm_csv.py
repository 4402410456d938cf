"""Last.fm as CSV: `uts,utc_time,artist,artist_mbid,album,album_mbid,track,track_mbid`."""

from collections.abc import Iterator

from app.cli.ingest.plays import Format, Passed, Play, artists, instant
from app.cli.ingest.reading import FileError, Head, Reader

COLUMNS = {"uts", "artist", "track"}


def recognises(head: Head) -> bool:
    """A first line that names the columns."""
    return bool(head.lines) and {name.strip(' "') for name in head.lines[0].split(",")} >= COLUMNS


def plays(reader: Reader) -> Iterator[Play | Passed]:
    """`uts` is the start of the play."""
    rows = reader.rows()
    names = next(rows)
    for row in rows:
        if not row:
            continue
        if len(row) != len(names):
            raise FileError(f"{len(row)} columns, not {len(names)}")
        entry = dict(zip(names, row, strict=True))
        if not entry["uts"]:
            yield Passed.PLAYING
        else:
            yield Play(instant(entry, "uts"), entry["track"], artists([entry["artist"]]), is_start=True)


FORMAT = Format("Last.fm, CSV", recognises, plays)
