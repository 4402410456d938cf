"""What the insight routes give."""

from typing import Any

from flask import Response, current_app, jsonify
from flask_marshmallow import Schema
from marshmallow import fields

from app.domain.timezones import format_instant
from app.schemas.answers.objects import ObjectSchema


class Scalar(dict[str, Any]):
    """A bare JSON value as an answer: the OpenAPI schema of it, with the `jsonify` that APIFairy calls on schemas."""

    def jsonify(self, value: Any) -> Response:
        """The value as a JSON response."""
        return jsonify(value)


NUMBER = Scalar(type="integer", minimum=0, examples=[28093])
LISTEN_TIME = Scalar(
    oneOf=[
        {"type": "integer", "minimum": 0, "description": "Milliseconds."},
        {"type": "string", "pattern": "^[0-9]+d [0-9]+h [0-9]+m [0-9]+s$", "description": "With `as_string`."},
    ],
    examples=[2427251701000, "28093d 4h 35m 1s"],
)


class ImageUrl(fields.String):
    """An image's URL; the configured placeholder where there is none, so that an <img> never breaks."""

    def _serialize(self, value: Any, attr: str | None, obj: Any, **kwargs: Any) -> Any:
        return value or current_app.config["DEFAULT_IMAGE_URL"]


class Instant(fields.DateTime):
    """An instant in UTC, with the fraction digits that it has."""

    def _serialize(self, value: Any, attr: str | None, obj: Any, **kwargs: Any) -> str | None:
        return None if value is None else format_instant(value)


class CreditSchema(ObjectSchema):
    """A credited artist of a track."""

    artist_id = fields.String(required=True)
    artist_name = fields.String(required=True)
    is_primary = fields.Boolean(required=True)


class TrackSchema(ObjectSchema):
    """A track: the first primary artist by id, and all credited artists, primary ones first."""

    track_id = fields.String(required=True)
    track_name = fields.String(required=True)
    artist_id = fields.String(required=True, allow_none=True)
    artist_name = fields.String(required=True, allow_none=True)
    artists = fields.List(fields.Nested(CreditSchema), required=True)
    duration_ms = fields.Integer(required=True)
    image_url = ImageUrl(required=True)
    preview_url = fields.String(required=True, allow_none=True)


class ArtistSchema(ObjectSchema):
    """An artist."""

    artist_id = fields.String(required=True)
    artist_name = fields.String(required=True)
    image_url = ImageUrl(required=True)


class PlaceSchema(ObjectSchema):
    """A row's place in a ranked list: competition rank, listens, listen time in ms, and its share from 0 to 1."""

    rank = fields.Integer(required=True, metadata={"minimum": 1})
    count = fields.Integer(required=True, metadata={"minimum": 0})
    listen_time_ms = fields.Integer(required=True, metadata={"minimum": 0})
    share = fields.Float(required=True, metadata={"minimum": 0, "maximum": 1})
    previous_rank = fields.Integer(
        attribute="previous.rank", allow_none=True, metadata={"description": "With `compare=previous` alone."}
    )
    previous_count = fields.Integer(
        attribute="previous.count", allow_none=True, metadata={"description": "With `compare=previous` alone."}
    )


class RankedTrackSchema(TrackSchema, PlaceSchema):
    """A track in a ranked list."""


class RankedArtistSchema(ArtistSchema, PlaceSchema):
    """An artist in a ranked list."""


class RankedGenreSchema(PlaceSchema):
    """A genre in a ranked list."""

    genre = fields.String(required=True)


class RankedListenerSchema(PlaceSchema):
    """A user in a ranked list."""

    user_id = fields.Integer(required=True)
    username = fields.String(required=True)


class DiscoverySchema(ObjectSchema):
    """A first listen ever, and the listens in the window."""

    count = fields.Integer(required=True, metadata={"minimum": 1})
    listen_time_ms = fields.Integer(required=True, metadata={"minimum": 0})
    first_listened_at = Instant(required=True)


class DiscoveredTrackSchema(DiscoverySchema, TrackSchema):
    """A track listened to for the first time."""


class DiscoveredArtistSchema(DiscoverySchema, ArtistSchema):
    """A primary artist listened to for the first time."""


class ForgottenSchema(ObjectSchema):
    """A place in a ranked list, and the last listen ever."""

    rank = fields.Integer(required=True, metadata={"minimum": 1})
    count = fields.Integer(required=True, metadata={"minimum": 1})
    listen_time_ms = fields.Integer(required=True, metadata={"minimum": 0})
    last_listened_at = Instant(required=True)


class ForgottenTrackSchema(ForgottenSchema, TrackSchema):
    """A track without a listen of late."""


class ForgottenArtistSchema(ForgottenSchema, ArtistSchema):
    """An artist, as credited, without a listen of late."""


class NeighbourSchema(ObjectSchema):
    """A listener who listens alike."""

    rank = fields.Integer(required=True, metadata={"minimum": 1})
    user_id = fields.Integer(required=True)
    username = fields.String(required=True)
    similarity = fields.Float(required=True, metadata={"minimum": 0, "maximum": 1})
    distinct_shared_primary_artists = fields.Integer(required=True, metadata={"minimum": 1})


class RecommendationSchema(ObjectSchema):
    """A place in a list of recommendations; `listeners` is how many of the 25 most similar listeners play it."""

    rank = fields.Integer(required=True, metadata={"minimum": 1})
    score = fields.Float(required=True, metadata={"minimum": 0})
    listeners = fields.Integer(required=True, metadata={"minimum": 1})


class RecommendedTrackSchema(RecommendationSchema, TrackSchema):
    """A track to listen to."""


class RecommendedArtistSchema(RecommendationSchema, ArtistSchema):
    """A primary artist to listen to."""


class SharedSchema(ObjectSchema):
    """A place in a blend: the least of the users' shares, and the listens of each, in the order of `users`."""

    rank = fields.Integer(required=True, metadata={"minimum": 1})
    score = fields.Float(required=True, metadata={"minimum": 0, "maximum": 1})
    counts = fields.List(fields.Integer(metadata={"minimum": 1}), required=True)


class BlendedTrackSchema(SharedSchema, TrackSchema):
    """A track that each of them listened to."""


class BlendedArtistSchema(SharedSchema, ArtistSchema):
    """A primary artist that each of them listened to."""


class BlendedGenreSchema(SharedSchema):
    """A genre that each of them listened to."""

    genre = fields.String(required=True)


class ListHeaders(Schema):
    """The headers of a list."""

    total = fields.Integer(data_key="X-Total-Count", metadata={"description": "Rows over all pages."})
    link = fields.String(data_key="Link", metadata={"description": "RFC 8288: first, prev, next and last page."})
    window_from = fields.DateTime(data_key="X-Window-From", metadata={"description": "Absent at an open end."})
    window_to = fields.DateTime(data_key="X-Window-To", metadata={"description": "Absent at an open end."})
    computed_at = fields.DateTime(
        data_key="X-Computed-At",
        metadata={"description": "Of similar listeners and recommendations that are computed ahead: as of when."},
    )
