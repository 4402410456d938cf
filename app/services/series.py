"""The buckets that a window's listens are told by."""

from collections.abc import Callable
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Select
from sqlalchemy.orm import Session

from app.domain.buckets import Bucket, Unit, bucket_around, buckets
from app.domain.timezones import RESOLUTION, aware
from app.listens.live import Listens
from app.listens.relations import side_by_side
from app.listens.statements import run


def buckets_of(
    session: Session,
    listens: Listens,
    bucket: Unit | None,
    default: Callable[[datetime, datetime, ZoneInfo], Unit],
    most: int,
) -> tuple[Unit | None, list[Bucket]]:
    """The unit, `default` of the window's ends where none is asked for, and the buckets of the window, oldest first.

    At an open end they go to the whole bucket of the first or last listen; without listens there are none then, and
    maybe no unit. Raises BucketError where there are more than `most`.
    """
    window = listens.window
    start, end = window.start, window.end
    if start is None or end is None:
        found = run(session, _ends_query, listens).one()
        if found.first is None:
            return bucket, []
        first, last = aware(found.first), aware(found.last)
        bucket = bucket or default(start or first, end or last + RESOLUTION, window.tz)
        start = start or bucket_around(first, bucket, window.tz).start
        end = end or bucket_around(last, bucket, window.tz).end
    bucket = bucket or default(start, end, window.tz)
    return bucket, buckets(start, end, bucket, window.tz, most)


def _ends_query(listens: Listens) -> Select[Any]:
    return side_by_side({"first": listens.first(), "last": listens.last()})
