"""Spotify's "recently played" JSON: a page of a user's listens, checked as a whole before anything of it is used."""

import json
import sys
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple, cast

from marshmallow import EXCLUDE, Schema, ValidationError, fields, post_load, validate
from sqlalchemy import String
from sqlalchemy.orm import InstrumentedAttribute

from app.domain.timezones import naive
from app.domain.windows import MAX_BOUND, MIN_BOUND
from app.models import history

LARGEST_INTEGER = 2**31 - 1  # PostgreSQL's


class PageError(Exception):
    """The file is not a page of recently played tracks; the text is one line that says why."""


class Artist(NamedTuple):
    id: str
    name: str


class Image(NamedTuple):
    """`height` and `width` in pixels, None where Spotify does not know them; no `url` where it is too long."""

    url: str | None
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
    """`skipped` counts the items without a Spotify track: local files, podcasts, tracks withdrawn.

    `nameless` are the places of items that are skipped as they lack a name, `unfit` those of texts that are too long:
    of names the beginning is kept, of addresses nothing.
    """

    plays: list[Play]
    skipped: int
    nameless: list[str]
    unfit: list[str]


def read_page(file: Path, now: datetime) -> Page:
    """The page in a file, or on standard input where that is `-`. Raises PageError."""
    return parse_page(_read(file), now)


def parse_page(text: bytes, now: datetime) -> Page:
    """The page in a text.

    Raises PageError for whatever is not a complete page of plays before `now` that fits the platform's tables.
    """
    document = _parse_json(text)
    items = document.get("items") if isinstance(document, dict) else None
    if not isinstance(items, list):
        raise PageError('not a page of recently played tracks, which is an object with a list "items"')
    tracks = {index: item for index, item in enumerate(items) if not _has_no_track(item)}
    unfit = [f"items[{index}]{place}" for index, item in tracks.items() for place in _fit(item)]
    plays = {index: _play(index, item, now) for index, item in tracks.items()}
    nameless = [index for index, play in plays.items() if not all(map(str.strip, _names(play.track)))]
    return Page(
        [play for index, play in plays.items() if index not in nameless],
        skipped=len(items) - len(plays),
        nameless=[f"items[{index}]" for index in nameless],
        unfit=unfit,
    )


def _read(file: Path) -> bytes:
    if file == Path("-"):
        return sys.stdin.buffer.read()
    if file.exists() and not file.is_file():
        raise PageError("not a file")
    try:
        return file.read_bytes()
    except OSError as error:
        raise PageError(error.strerror or "cannot be read") from error


def _parse_json(text: bytes) -> Any:
    try:
        return json.loads(text.decode("utf-8-sig"))
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


def _fit(item: Any) -> Iterator[str]:
    """Cut the names of an item that are longer than their columns, and take out such addresses; gives their places."""
    for place, holder, key, column in _texts(item):
        text, longest = holder.get(key), cast(String, column.type).length or 0
        if isinstance(text, str) and len(text) > longest:
            holder[key] = text[:longest] if key == "name" else None
            yield f"{place}.{key}"


def _texts(item: Any) -> Iterator[tuple[str, dict[str, Any], str, InstrumentedAttribute[str]]]:
    """The names and addresses of an item, as it came: place, object, key and column."""
    track = item.get("track") if isinstance(item, dict) else None
    if not isinstance(track, dict):
        return
    yield ".track", track, "name", history.Track.name
    yield ".track", track, "preview_url", history.TrackPreview.url
    album = track.get("album")
    images = album.get("images") if isinstance(album, dict) else None
    for place, found, key, column in (
        (".track.artists", track.get("artists"), "name", history.Artist.name),
        (".track.album.images", images, "url", history.TrackImage.url),
    ):
        for index, one in enumerate(found if isinstance(found, list) else ()):
            if isinstance(one, dict):
                yield f"{place}[{index}]", one, key, column


def _names(track: Track) -> list[str]:
    return [track.name, *(artist.name for artist in track.artists)]


def _play(index: int, item: Any, now: datetime) -> Play:
    try:
        play = cast(Play, PlaySchema().load(item))
    except ValidationError as error:
        raise PageError(f"items[{index}]{_first(error.messages)}") from error
    if play.played_at > naive(now):
        raise PageError(f"items[{index}].played_at: In the future.")
    return play


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
    name = _text(history.Artist.name, load_default=None)

    @post_load
    def _make(self, data: dict[str, Any], **_options: Any) -> Artist:
        return Artist(data["id"], data["name"] or "")


class ImageSchema(_Schema):
    url = _text(history.TrackImage.url, shortest=1, required=True, allow_none=True)
    height = _integer(load_default=None)
    width = _integer(load_default=None)

    @post_load
    def _make(self, data: dict[str, Any], **_options: Any) -> Image:
        return Image(**data)


class AlbumSchema(_Schema):
    images = fields.List(fields.Nested(ImageSchema), load_default=None)


class TrackSchema(_Schema):
    id = _text(history.Track.id, shortest=1, required=True)
    name = _text(history.Track.name, load_default=None)
    duration_ms = _integer(required=True)
    artists = fields.List(fields.Nested(ArtistSchema), required=True)
    album = fields.Nested(AlbumSchema, load_default=None)
    preview_url = _text(history.TrackPreview.url, load_default=None)
    popularity = _integer(100, load_default=None)

    @post_load
    def _make(self, data: dict[str, Any], **_options: Any) -> Track:
        album = data.pop("album") or {}
        return Track(images=album.get("images") or [], name=data.pop("name") or "", **data)


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
