"""What an insight is narrowed to."""

from dataclasses import dataclass
from enum import StrEnum


class SubjectKind(StrEnum):
    """What a subject is, by the name of its parameter."""

    TRACK = "track_id"
    ARTIST = "artist_id"
    GENRE = "genre"


@dataclass(frozen=True)
class Subject:
    """One track, one artist, as credited, or one genre. `id` is the track's or the artist's id, or the genre's text."""

    kind: SubjectKind
    id: str
