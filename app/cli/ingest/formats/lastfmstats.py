"""The JSON of lastfmstats.com."""

from collections.abc import Iterator

from app.cli.ingest.plays import Format, Play, artists, instant, text
from app.cli.ingest.reading import Head, Reader


def recognises(head: Head) -> bool:
    """An object with a list `scrobbles` of objects with `track`, `artist` and `date`."""
    return {"track", "artist", "date"} <= head.first("scrobbles.item").keys()


def plays(reader: Reader) -> Iterator[Play]:
    """`date` is the start of the play."""
    for entry in reader.entries("scrobbles.item"):
        yield Play(
            at=instant(entry, "date"),
            title=text(entry, "track"),
            artists=artists([text(entry, "artist")]),
            is_start=True,
        )


FORMAT = Format("Last.fm, lastfmstats", recognises, plays)
