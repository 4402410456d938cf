"""The JSON Lines of `GET /insights/export/<user_id>`."""

from collections.abc import Iterator

from app.cli.ingest.plays import Artist, Format, Play, instant, milliseconds, objects, text, value
from app.cli.ingest.reading import FieldError, Head, Reader
from app.models.history import ID_LENGTH


def recognises(head: Head) -> bool:
    """Objects with the export's fields."""
    return {"played_at", "track_id", "track_name", "artists", "duration_ms"} <= head.line.keys()


def plays(reader: Reader) -> Iterator[Play]:
    """All of it as it is."""
    for entry in reader.objects():
        yield Play(
            at=instant(entry, "played_at"),
            title=text(entry, "track_name"),
            artists=[
                Artist(text(it, "artist_name"), _id(it, "artist_id"), value(it, "is_primary") is True)
                for it in objects(entry, "artists")
            ],
            is_start=False,
            duration_ms=milliseconds(entry, "duration_ms"),
            track_id=_id(entry, "track_id"),
        )


def _id(entry: object, name: str) -> str:
    found = text(entry, name)
    if not 1 <= len(found) <= ID_LENGTH:
        raise FieldError((name,), f"not an id of 1 to {ID_LENGTH} characters")
    return found


FORMAT = Format("songswap-insights", recognises, plays, own=True)
