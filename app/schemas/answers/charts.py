"""What the charts give."""

from marshmallow import fields

from app.domain.buckets import CHART_UNITS
from app.schemas.answers.lists import Instant, PlaceSchema, RankedArtistSchema, RankedGenreSchema, RankedTrackSchema
from app.schemas.answers.objects import ObjectSchema
from app.schemas.answers.parts import WindowSchema, nested


class ChartedSchema(PlaceSchema):
    """A row's place in a bucket's list, and its rank in the whole list of the bucket before."""

    class Meta:
        exclude = ("previous_count",)

    previous_rank = fields.Integer(
        attribute="previous.rank",
        required=True,
        allow_none=True,
        metadata={"description": "Null in the oldest bucket, and where the one before does not have it."},
    )


class ChartedTrackSchema(ChartedSchema, RankedTrackSchema):
    """A track in a chart."""


class ChartedArtistSchema(ChartedSchema, RankedArtistSchema):
    """An artist in a chart."""


class ChartedGenreSchema(ChartedSchema, RankedGenreSchema):
    """A genre in a chart."""


class SpanSchema(ObjectSchema):
    """From `start` up to `end`."""

    start = Instant(required=True)
    end = Instant(required=True)


class ChartsSchema(ObjectSchema):
    """The charts of a window, newest first; a bucket without listens has no rows."""

    window = nested(WindowSchema)
    bucket = fields.String(required=True, metadata={"enum": list(CHART_UNITS)})


class TrackChartSchema(SpanSchema):
    """The chart of a bucket."""

    rows = nested(ChartedTrackSchema, many=True)


class TrackChartsSchema(ChartsSchema):
    """Charts of tracks."""

    buckets = nested(TrackChartSchema, many=True)


class ArtistChartSchema(SpanSchema):
    """The chart of a bucket."""

    rows = nested(ChartedArtistSchema, many=True)


class ArtistChartsSchema(ChartsSchema):
    """Charts of artists."""

    buckets = nested(ArtistChartSchema, many=True)


class GenreChartSchema(SpanSchema):
    """The chart of a bucket."""

    rows = nested(ChartedGenreSchema, many=True)


class GenreChartsSchema(ChartsSchema):
    """Charts of genres."""

    buckets = nested(GenreChartSchema, many=True)
