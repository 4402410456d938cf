"""Koito's export."""

from collections.abc import Iterator
from typing import Any

from app.cli.ingest.plays import Artist, Format, Play, duration, instant, objects, text, value
from app.cli.ingest.reading import Head, Reader


def recognises(head: Head) -> bool:
    """An object with a list `listens` of objects with `listened_at`, `track` and `artists`."""
    return {"listened_at", "track", "artists"} <= head.first("listens.item").keys()


def plays(reader: Reader) -> Iterator[Play]:
    """`listened_at` is the start of the play, `duration` the track's, in seconds. Names are the primary aliases."""
    for entry in reader.entries("listens.item"):
        track = value(entry, "track")
        credited = objects(entry, "artists")
        yield Play(
            at=instant(entry, "listened_at"),
            title=_name(track),
            artists=[Artist(_name(artist), is_primary=value(artist, "is_primary") is True) for artist in credited],
            is_start=True,
            duration_ms=duration(track, "duration", unit=1000),
        )


def _name(thing: Any) -> str:
    aliases = objects(thing, "aliases")
    primary = [alias for alias in aliases if value(alias, "is_primary") is True]
    return text(next(iter(primary or aliases), None), "alias")


FORMAT = Format("Koito", recognises, plays)
