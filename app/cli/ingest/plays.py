"""What a format gives: plays, and entries that are none; and how it reads the fields of an entry."""

import re
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any, NamedTuple

from app.cli.ingest.reading import FieldError, Head, Reader

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
LARGEST_INTEGER = 2**31 - 1  # PostgreSQL's

NUMBER = re.compile(r"-?[0-9]{1,20}(\.[0-9]+)?", re.ASCII)
# As a URI, as an address, or alone.
SPOTIFY_ID = re.compile(r"(?:spotify:(\w+):|https?://open\.spotify\.com/(\w+)/)?([0-9A-Za-z]{22})(?:\?.*)?", re.ASCII)


class Artist(NamedTuple):
    """`id` is None where the format has names alone."""

    name: str
    id: str | None = None
    is_primary: bool = False


class Play(NamedTuple):
    """One play. `at` is its end, or its start where `is_start`; without a time zone it is the user's wall clock.

    Times are in ms, None where the format does not tell. `has_ended` says that the track was played to its end,
    `track_id` is an id of the catalogue, None where the format has names alone.
    """

    at: datetime
    title: str
    artists: Sequence[Artist]
    is_start: bool
    played_ms: int | None = None
    has_ended: bool = False
    duration_ms: int | None = None
    track_id: str | None = None
    is_incognito: bool = False


class Passed(StrEnum):
    """Why an entry is passed over."""

    PODCAST = "podcasts"
    AUDIOBOOK = "audiobooks"
    VIDEO = "videos"
    NO_TRACK = "no Spotify tracks"
    NAMELESS = "without a title or an artist"
    SKIPPED = "skipped, as the player notes"
    PLAYING = "still playing"
    NO_PLAY = "no plays"
    INCOGNITO = "incognito"
    FUTURE = "in the future"
    PAST = "before 1970"
    SHORT = "too short"
    REPEATED = "twice in the file"


class Format(NamedTuple):
    """A format: `recognises` tells it by the first characters, `plays` reads a file of it.

    `precision_ms` is how exact its instants are. The listens of our `own` export are taken as they are. A `page` of
    Spotify's API also has pictures, previews and popularity.
    """

    name: str
    recognises: Callable[[Head], bool]
    plays: Callable[[Reader], Iterator[Play | Passed]]
    precision_ms: int = 1000
    own: bool = False
    page: bool = False


def value(entry: Any, *path: str) -> Any:
    """What stands at a path in nested objects; None where anything on the way is missing or null."""
    for name in path:
        if entry is None:
            return None
        if not isinstance(entry, dict):
            raise FieldError(path, "not an object")
        entry = entry.get(name)
    return entry


def text(entry: Any, *path: str) -> str:
    """A text, "" where there is none."""
    found = value(entry, *path)
    if found is None or isinstance(found, str):
        return found or ""
    if isinstance(found, int | float) and not isinstance(found, bool):
        return str(found)  # a title such as 1999, which some programs write as a number
    raise FieldError(path, "not a text")


def objects(entry: Any, *path: str) -> list[Any]:
    """A list, [] where there is none."""
    found = value(entry, *path)
    if found is None or isinstance(found, list):
        return found or []
    raise FieldError(path, "not a list")


def milliseconds(entry: Any, *path: str, unit: int = 1) -> int | None:
    """A length of time in ms, read in units of `unit` ms; None where there is none."""
    found = value(entry, *path)
    if found is None or found == "":
        return None
    if isinstance(found, bool) or not NUMBER.fullmatch(str(found)):
        raise FieldError(path, "not a number")
    length = round(float(found) * unit)
    if not 0 <= length <= LARGEST_INTEGER:
        raise FieldError(path, "not a length of time")
    return length


def duration(entry: Any, *path: str, unit: int = 1) -> int | None:
    """The same for a track, whose programs write 0 for a length that they do not know."""
    return milliseconds(entry, *path, unit=unit) or None


def instant(entry: Any, *path: str) -> datetime:
    """An instant in UTC: ISO 8601, Last.fm's `13 Jun 2025, 00:55`, or a number of s, ms or µs since 1970."""
    found = str(value(entry, *path)).strip()
    try:
        if NUMBER.fullmatch(found):
            number = float(found) if "." in found else int(found)
            unit = next(unit for unit in (1, 1000, 1_000_000, 10**9) if abs(number) < 10**11 * unit)
            return EPOCH + timedelta(microseconds=number * 1_000_000 / unit if "." in found else number * 10**6 // unit)
        try:
            parsed = datetime.fromisoformat(found.removesuffix(" UTC"))
        except ValueError:
            parsed = datetime.strptime(found.replace(",", ""), "%d %b %Y %H:%M")  # noqa: DTZ007  it is UTC, below
        return parsed.astimezone(UTC) if parsed.tzinfo else parsed.replace(tzinfo=UTC)
    except (ValueError, OverflowError, StopIteration):
        raise FieldError(path, f"not an instant: {found[:40]!r}") from None


def spotify_id(kind: str, text: str) -> str | None:
    """Spotify's id of a `kind` (track or artist) in a URI, an address or alone; None where there is none."""
    match = SPOTIFY_ID.fullmatch(text)
    return match[3] if match and (match[1] or match[2] or kind) == kind else None


def artists(names: Sequence[str], ids: Sequence[str | None] = ()) -> list[Artist]:
    """Artists in the order of a format that names the primary one first, with Spotify's ids where all have one."""
    known = ids if len(ids) == len(names) else [None] * len(names)
    return [Artist(name, id_, place == 0) for place, (name, id_) in enumerate(zip(names, known, strict=True))]
