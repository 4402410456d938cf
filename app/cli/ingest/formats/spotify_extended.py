"""Spotify's extended streaming history: `Streaming_History_Audio_*.json`, `endsong_*.json`."""

from collections.abc import Iterator

from app.cli.ingest.plays import Format, Passed, Play, artists, instant, milliseconds, spotify_id, text, value
from app.cli.ingest.reading import Head, Reader


def recognises(head: Head) -> bool:
    """A list of objects with `ts` and `ms_played`."""
    return {"ts", "ms_played"} <= head.first("item").keys()


def plays(reader: Reader) -> Iterator[Play | Passed]:
    """`ts` is the end of the play. The artist is the album's, by name alone."""
    for entry in reader.entries("item"):
        uri = text(entry, "spotify_track_uri")
        name = text(entry, "master_metadata_track_name")
        if text(entry, "spotify_episode_uri") or text(entry, "episode_name"):
            yield Passed.PODCAST
        elif text(entry, "audiobook_uri") or text(entry, "audiobook_title"):
            yield Passed.AUDIOBOOK
        elif not uri and not name:
            yield Passed.VIDEO
        else:
            yield Play(
                at=instant(entry, "ts"),
                title=name,
                artists=artists([text(entry, "master_metadata_album_artist_name")]),
                is_start=False,
                played_ms=milliseconds(entry, "ms_played"),
                has_ended=text(entry, "reason_end") == "trackdone",
                track_id=spotify_id("track", uri),
                is_incognito=value(entry, "incognito_mode") is True,
            )


FORMAT = Format("Spotify, extended history", recognises, plays)
