"""Spotify's account data: `StreamingHistory_music_*.json`, and `StreamingHistory*.json` before that."""

from collections.abc import Iterator

from app.cli.ingest.plays import Format, Passed, Play, artists, instant, milliseconds, text
from app.cli.ingest.reading import Head, Reader


def recognises(head: Head) -> bool:
    """A list of objects with `endTime` and `msPlayed`."""
    return {"endTime", "msPlayed"} <= head.first("item").keys()


def plays(reader: Reader) -> Iterator[Play | Passed]:
    """`endTime` is a minute in UTC."""
    for entry in reader.entries("item"):
        if "podcastName" in entry or "episodeName" in entry:
            yield Passed.PODCAST
        elif "audiobookName" in entry:
            yield Passed.AUDIOBOOK
        else:
            yield Play(
                at=instant(entry, "endTime"),
                title=text(entry, "trackName"),
                artists=artists([text(entry, "artistName")]),
                is_start=False,
                played_ms=milliseconds(entry, "msPlayed"),
            )


FORMAT = Format("Spotify, account data", recognises, plays, precision_ms=60_000)
