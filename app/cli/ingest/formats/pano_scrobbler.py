"""Pano Scrobbler's export: JSON Lines."""

from collections.abc import Iterator

from app.cli.ingest.plays import Format, Passed, Play, artists, duration, instant, text
from app.cli.ingest.reading import Head, Reader


def recognises(head: Head) -> bool:
    """Objects with `timeMs`, `artist` and `track`."""
    return {"timeMs", "artist", "track"} <= head.line.keys()


def plays(reader: Reader) -> Iterator[Play | Passed]:
    """`timeMs` is the start of the play. Other events are loves and the like."""
    for entry in reader.objects():
        if text(entry, "event") not in ("", "scrobble"):
            yield Passed.NO_PLAY
        else:
            yield Play(
                at=instant(entry, "timeMs"),
                title=text(entry, "track"),
                artists=artists([text(entry, "artist")]),
                is_start=True,
                duration_ms=duration(entry, "durationMs"),
            )


FORMAT = Format("Pano Scrobbler", recognises, plays)
