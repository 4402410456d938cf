"""Maloja's export."""

from collections.abc import Iterator

from app.cli.ingest.plays import Format, Play, artists, duration, instant, milliseconds, objects, text, value
from app.cli.ingest.reading import Head, Reader


def recognises(head: Head) -> bool:
    """An object with a list `scrobbles` of objects with `time` and `track`."""
    return {"time", "track"} <= head.first("scrobbles.item").keys()


def plays(reader: Reader) -> Iterator[Play]:
    """`time` is the start of the play, `duration` what was played and `length` the track's, both in seconds."""
    for entry in reader.entries("scrobbles.item"):
        track = value(entry, "track")
        yield Play(
            at=instant(entry, "time"),
            title=text(track, "title"),
            artists=artists([str(name) for name in objects(track, "artists")]),
            is_start=True,
            played_ms=milliseconds(entry, "duration", unit=1000),
            duration_ms=duration(track, "length", unit=1000),
        )


FORMAT = Format("Maloja", recognises, plays)
