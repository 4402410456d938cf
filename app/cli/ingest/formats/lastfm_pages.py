"""Last.fm's "recent tracks" as the usual downloader saves them: a list of pages."""

from collections.abc import Iterator

from app.cli.ingest.plays import Format, Passed, Play, artists, instant, text, value
from app.cli.ingest.reading import Head, Reader


def recognises(head: Head) -> bool:
    """A list of objects with a list `track` of objects with `artist` and `name`."""
    return {"artist", "name"} <= head.first("item.track.item").keys()


def plays(reader: Reader) -> Iterator[Play | Passed]:
    """The date is the start of the play. A track that is playing has none."""
    for entry in reader.entries("item.track.item"):
        if value(entry, "date") is None:
            yield Passed.PLAYING
        else:
            yield Play(
                at=instant(entry, "date", "uts"),
                title=text(entry, "name"),
                artists=artists([text(entry, "artist", "#text") or text(entry, "artist", "name")]),
                is_start=True,
            )


FORMAT = Format("Last.fm, pages", recognises, plays)
