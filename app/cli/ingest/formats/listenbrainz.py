"""ListenBrainz: the JSON Lines of its export."""

from collections.abc import Iterator
from typing import Any

from app.cli.ingest.plays import (
    Artist,
    Format,
    Play,
    artists,
    duration,
    instant,
    milliseconds,
    objects,
    spotify_id,
    text,
    value,
)
from app.cli.ingest.reading import Head, Reader


def recognises(head: Head) -> bool:
    """Objects with `listened_at` and `track_metadata`."""
    return {"listened_at", "track_metadata"} <= head.line.keys()


def plays(reader: Reader) -> Iterator[Play]:
    """`listened_at` is the start of the play."""
    for entry in reader.objects():
        track = value(entry, "track_metadata")
        more = value(track, "additional_info")
        played_s = milliseconds(more, "duration_played", unit=1000)
        yield Play(
            at=instant(entry, "listened_at"),
            title=text(track, "track_name"),
            artists=_artists(track, more),
            is_start=True,
            played_ms=played_s,
            duration_ms=duration(more, "duration_ms") or duration(more, "duration", unit=1000),
            track_id=spotify_id("track", text(more, "spotify_id")),
        )


def _artists(track: Any, more: Any) -> list[Artist]:
    """Those that Spotify names, with its ids; else MusicBrainz's; else the one text that was submitted."""
    names = [str(name) for name in objects(more, "artist_names")]
    ids = [spotify_id("artist", str(id_)) for id_ in objects(more, "spotify_artist_ids")]
    if names and len(ids) == len(names):
        return artists(names, ids)
    mapped = [text(artist, "artist_credit_name") for artist in objects(track, "mbid_mapping", "artists")]
    return artists(mapped or [text(track, "artist_name")])


FORMAT = Format("ListenBrainz", recognises, plays)
