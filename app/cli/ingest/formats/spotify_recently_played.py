"""A page of Spotify's "recently played"."""

from collections.abc import Iterator

from app.cli.ingest.plays import Format, Passed, Play, artists, duration, instant, objects, text, value
from app.cli.ingest.reading import Head, Reader


def recognises(head: Head) -> bool:
    """An object with a list `items` of objects with `played_at` and `track`."""
    return {"played_at", "track"} <= head.first("items.item").keys()


def plays(reader: Reader) -> Iterator[Play | Passed]:
    """`played_at` is the end of the play. Local files and withdrawn tracks, which have no id, are passed over."""
    for entry in reader.entries("items.item"):
        track = value(entry, "track")
        credited, track_id = objects(track, "artists"), text(track, "id")
        if text(track, "type") == "episode":
            yield Passed.PODCAST
        elif value(track, "is_local") or not track_id:
            yield Passed.NO_TRACK
        else:
            yield Play(
                at=instant(entry, "played_at"),
                title=text(track, "name"),
                artists=artists(
                    [text(artist, "name") for artist in credited],
                    [text(artist, "id") or None for artist in credited],
                ),
                is_start=False,
                duration_ms=duration(track, "duration_ms"),
                track_id=track_id,
            )


FORMAT = Format("Spotify, recently played", recognises, plays, page=True)
