"""Spotify's "recently played" JSON: a page of a user's listens, checked as a whole before anything of it is used."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple, cast

from marshmallow import EXCLUDE, Schema, ValidationError, fields, post_load, validate
from sqlalchemy import String
from sqlalchemy.orm import InstrumentedAttribute

from app.domain.windows import MAX_BOUND, MIN_BOUND
from app.models import history

LARGEST_INTEGER = 2**31 - 1  # PostgreSQL's


class PageError(Exception):
    """The file is not a page of recently played tracks; the text is one line that says why."""


class Artist(NamedTuple):
    id: str
    name: str


class Image(NamedTuple):
    """`height` and `width` in pixels, None where Spotify does not know them."""

    url: str
    height: int | None
    width: int | None


class Track(NamedTuple):
    """`artists` in Spotify's order, the first one primary; `popularity` from 0 to 100."""

    id: str
    name: str
    duration_ms: int
    artists: list[Artist]
    images: list[Image]
    preview_url: str | None
    popularity: int | None


class Play(NamedTuple):
    """A listen; `played_at` is naive, in UTC."""

    played_at: datetime
    track: Track


class Page(NamedTuple):
    """`skipped` counts the items without a Spotify track: local files, podcasts, tracks withdrawn."""

    plays: list[Play]
    skipped: int


def read_page(file: Path) -> Page:
    """The page in a file. Raises PageError for whatever is not a complete page that fits the platform's tables."""
    document = _read_json(file)
    items = document.get("items") if isinstance(document, dict) else None
    if not isinstance(items, list):
        raise PageError('not a page of recently played tracks, which is an object with a list "items"')
    plays = [_play(index, item) for index, item in enumerate(items) if not _has_no_track(item)]
    return Page(plays, skipped=len(items) - len(plays))


def _read_json(file: Path) -> Any:
    if file.exists() and not file.is_file():
        raise PageError("not a file")
    try:
        return json.loads(file.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise PageError(error.strerror or "cannot be read") from error
    except UnicodeDecodeError as error:
        raise PageError("not JSON: not text in UTF-8") from error
    except (ValueError, RecursionError) as error:  # broken off or malformed; a number or a nesting beyond any sense
        raise PageError(f"not JSON: {error}") from error


def _has_no_track(item: Any) -> bool:
    if not isinstance(item, dict) or "track" not in item:
        return False
    track = item["track"]
    if not isinstance(track, dict):
        return track is None
    return track.get("type") == "episode" or track.get("is_local") is True or track.get("id", "") is None


def _play(index: int, item: Any) -> Play:
    try:
        return cast(Play, PlaySchema().load(item))
    except ValidationError as error:
        raise PageError(f"items[{index}]{_first(error.messages)}") from error


def _first(messages: Mapping[Any, Any] | list[Any]) -> str:
    """The first of marshmallow's nested messages, as `.track.artists[0].name: …`."""
    if isinstance(messages, list):
        return f": {messages[0]}"
    key, inner = next(iter(messages.items()))
    place = "" if key == "_schema" else f"[{key}]" if isinstance(key, int) else f".{key}"
    return place + _first(inner)


def _storable(text: str) -> None:
    if "\0" in text or any("\ud800" <= character <= "\udfff" for character in text):
        raise ValidationError("Has a character that PostgreSQL cannot store.")


def _text(column: InstrumentedAttribute[str], shortest: int = 0, **options: Any) -> fields.String:
    longest = cast(String, column.type).length
    return fields.String(validate=[_storable, validate.Length(shortest or None, longest)], **options)


def _integer(highest: int = LARGEST_INTEGER, **options: Any) -> fields.Integer:
    return fields.Integer(strict=True, validate=validate.Range(0, highest), **options)


class _Schema(Schema):
    class Meta:
        unknown = EXCLUDE


class ArtistSchema(_Schema):
    id = _text(history.Artist.id, shortest=1, required=True)
    name = _text(history.Artist.name, required=True)

    @post_load
    def _make(self, data: dict[str, Any], **_options: Any) -> Artist:
        return Artist(**data)


class ImageSchema(_Schema):
    url = _text(history.TrackImage.url, shortest=1, required=True)
    height = _integer(load_default=None)
    width = _integer(load_default=None)

    @post_load
    def _make(self, data: dict[str, Any], **_options: Any) -> Image:
        return Image(**data)


class AlbumSchema(_Schema):
    images = fields.List(fields.Nested(ImageSchema), load_default=None)


class TrackSchema(_Schema):
    id = _text(history.Track.id, shortest=1, required=True)
    name = _text(history.Track.name, required=True)
    duration_ms = _integer(required=True)
    artists = fields.List(fields.Nested(ArtistSchema), required=True)
    album = fields.Nested(AlbumSchema, load_default=None)
    preview_url = _text(history.TrackPreview.url, load_default=None)
    popularity = _integer(100, load_default=None)

    @post_load
    def _make(self, data: dict[str, Any], **_options: Any) -> Track:
        album = data.pop("album") or {}
        return Track(images=album.get("images") or [], **data)


class PlaySchema(_Schema):
    played_at = fields.AwareDateTime(
        required=True,
        validate=validate.Range(MIN_BOUND, MAX_BOUND, max_inclusive=False, error="Not between 1970 and 2100."),
        error_messages=dict.fromkeys(
            ("invalid", "invalid_awareness"), "Not an instant such as 2026-01-31T23:59:59.999Z."
        ),
    )
    track = fields.Nested(TrackSchema, required=True)

    @post_load
    def _make(self, data: dict[str, Any], **_options: Any) -> Play:
        return Play(data["played_at"].astimezone(UTC).replace(tzinfo=None), data["track"])
