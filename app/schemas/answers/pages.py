"""What the insights give that make a page of their own."""

from flask_marshmallow import Schema
from marshmallow import fields
from marshmallow.validate import Length

from app.schemas.answers.lists import (
    ArtistSchema,
    ImageUrl,
    Instant,
    RankedArtistSchema,
    RankedGenreSchema,
    RankedListenerSchema,
    RankedTrackSchema,
    TrackSchema,
)
from app.schemas.answers.objects import ObjectSchema
from app.schemas.answers.parts import WindowSchema, nested, number
from app.schemas.answers.patterns import StreakSchema


class TotalsSchema(ObjectSchema):
    """Totals and distincts."""

    listens = number()
    listen_time_ms = number()
    distinct_tracks = number()
    distinct_artists = number()
    distinct_primary_artists = number()
    distinct_genres = number()


class SummarySchema(TotalsSchema):
    """A page's numbers; the tops are the first row of each list, null without listens."""

    window = nested(WindowSchema)
    first_listen_at = Instant(required=True, allow_none=True)
    last_listen_at = Instant(required=True, allow_none=True)
    active_days = number("Local days with a listen.")
    top_track = nested(RankedTrackSchema, allow_none=True)
    top_primary_artist = nested(RankedArtistSchema, allow_none=True)
    top_genre = nested(RankedGenreSchema, allow_none=True)


class UserSummarySchema(SummarySchema):
    """A user's numbers."""

    user_id = number()
    current_streak_days = number()
    longest_streak_days = number()


class GlobalSummarySchema(SummarySchema):
    """The numbers of everyone, or of a group."""

    distinct_listeners = number()
    top_listener = nested(RankedListenerSchema, allow_none=True)


class ListenSchema(TrackSchema):
    """A listen."""

    class Meta:
        exclude = ("artists",)

    played_at = Instant(required=True, metadata={"description": "The end of the play."})


class PlaybackSchema(Schema):
    """A page of listens, newest first; `next` is the URL of the next one."""

    items = nested(ListenSchema, many=True)
    next = fields.String(required=True, allow_none=True)


class AnniversarySchema(ObjectSchema):
    """The day in one year, with its top tracks."""

    year = number()
    count = number()
    top_tracks = nested(RankedTrackSchema, many=True)


class OnThisDaySchema(ObjectSchema):
    """The same day of earlier years with listens, newest first."""

    date = fields.Date(required=True)
    tz = fields.String(required=True)
    years = nested(AnniversarySchema, many=True)


class MonthSchema(ObjectSchema):
    """A month, 1 to 12."""

    month = number()
    count = number()
    listen_time_ms = number()


class DaySchema(ObjectSchema):
    """A day."""

    date = fields.Date(required=True)
    count = number()


class HighlightsSchema(TotalsSchema):
    """What all reviews have."""

    user_id = number()
    top_tracks = nested(RankedTrackSchema, many=True)
    top_primary_artists = nested(RankedArtistSchema, many=True)
    top_genres = nested(RankedGenreSchema, many=True)
    top_day = nested(DaySchema, allow_none=True)
    busiest_hour = number(allow_none=True)
    new_tracks = number()
    new_primary_artists = number()
    longest_streak = nested(StreakSchema, allow_none=True)
    percentile = fields.Float(
        required=True,
        allow_none=True,
        metadata={
            "description": "The share of the other listeners with fewer listens, of those who listened then; null "
            "without listens, and where there are no others."
        },
    )


class WrappedSchema(HighlightsSchema):
    """The year's review."""

    year = number()
    tz = fields.String(required=True)
    months = nested(MonthSchema, many=True)
    top_month = number(allow_none=True)


class ReviewSchema(HighlightsSchema):
    """The review of a window."""

    window = nested(WindowSchema)


class SharedArtistSchema(ArtistSchema):
    """A primary artist that both users listened to."""

    counts = fields.List(fields.Integer(), required=True, validate=Length(equal=2))


class SharedTrackSchema(ObjectSchema):
    """A track that both users listened to."""

    track_id = fields.String(required=True)
    track_name = fields.String(required=True)
    artist_id = fields.String(required=True, allow_none=True)
    artist_name = fields.String(required=True, allow_none=True)
    image_url = ImageUrl(required=True)
    counts = fields.List(fields.Integer(), required=True, validate=Length(equal=2))


class ComparisonSchema(ObjectSchema):
    """Two users side by side; counts stand in the order of `users`."""

    users = fields.List(fields.Integer(), required=True, validate=Length(equal=2))
    window = nested(WindowSchema)
    similarity = fields.Float(required=True, metadata={"minimum": 0, "maximum": 1})
    distinct_shared_primary_artists = number()
    distinct_shared_tracks = number()
    shared_primary_artists = nested(SharedArtistSchema, many=True)
    shared_tracks = nested(SharedTrackSchema, many=True)


class PopularitySchema(ObjectSchema):
    """Spotify's popularity at an instant."""

    date = Instant(required=True)
    popularity = number()


class FollowersSchema(ObjectSchema):
    """Followers at an instant."""

    date = Instant(required=True)
    followers = number()


class EntitySchema(ObjectSchema):
    """The listens of a track or an artist."""

    window = nested(WindowSchema)
    listens = number()
    listen_time_ms = number()
    listeners = number()
    rank = number("Among the audience's, by count; null without listens.", allow_none=True)
    first_listened_at = Instant(required=True, allow_none=True)
    last_listened_at = Instant(required=True, allow_none=True)
    top_listeners = nested(RankedListenerSchema, many=True)
    popularity = nested(PopularitySchema, many=True)


class TrackPageSchema(EntitySchema):
    """A track."""

    track = nested(TrackSchema)


class ArtistProfileSchema(ArtistSchema):
    """An artist with its genres."""

    genres = fields.List(fields.String(), required=True)


class ArtistPageSchema(EntitySchema):
    """An artist, by its credits."""

    artist = nested(ArtistProfileSchema)
    top_tracks = nested(RankedTrackSchema, many=True)
    followers = nested(FollowersSchema, many=True)
