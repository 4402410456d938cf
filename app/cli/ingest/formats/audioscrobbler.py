"""`.scrobbler.log` of Rockbox and other players: AUDIOSCROBBLER/1.x."""

from collections.abc import Iterator
from datetime import UTC

from app.cli.ingest.plays import Format, Passed, Play, artists, duration, instant
from app.cli.ingest.reading import FileError, Head, Reader

COLUMNS = ("artist", "album", "title", "number", "length", "rating", "timestamp")
UNTAGGED = "<Untagged>"


def recognises(head: Head) -> bool:
    """A first line that names the format."""
    return head.text.startswith("#AUDIOSCROBBLER/1.")


def plays(reader: Reader) -> Iterator[Play | Passed]:
    """The timestamp is the start of the play: in UTC after `#TZ/UTC`, else the player's wall clock, whatever it was."""
    zone = None
    for line in reader.lines():
        if line.startswith("#"):
            zone = UTC if line.strip() == "#TZ/UTC" else None if line.startswith("#TZ/") else zone
        elif line.strip():
            columns = line.rstrip("\r\n").split("\t")
            if len(columns) < len(COLUMNS):
                raise FileError(f"{len(columns)} columns, not {len(COLUMNS)} or more")
            entry = dict(zip(COLUMNS, columns, strict=False))
            if entry["rating"] == "S":
                yield Passed.SKIPPED
            elif UNTAGGED in (entry["artist"], entry["title"]):
                yield Passed.NAMELESS
            else:
                yield Play(
                    at=instant(entry, "timestamp").replace(tzinfo=zone),
                    title=entry["title"],
                    artists=artists([entry["artist"]]),
                    is_start=True,
                    duration_ms=duration(entry, "length", unit=1000),
                )


FORMAT = Format("AUDIOSCROBBLER/1.x", recognises, plays)
