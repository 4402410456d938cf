"""Cards as SVG: where everything stands. The templates in `templates/cards` have the rest."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import resvg_py
from flask import render_template

from app.domain.windows import Window
from app.page.cards import labels
from app.page.cards.text import BOLD, FONTS, REGULAR, fit
from app.services.activity import Activity, Clock
from app.services.wrapped import Review

SHAPES = {"wide": (1200, 630), "square": (1080, 1080)}
THEMES = {
    "light": {
        "ground": "#f7f6f3", "surface": "#ffffff", "ink": "#1d1b20", "muted": "#66616b", "line": "#e5e1da",
        "accent": "#5b46e5", "bar": "#e4dffc", "warm": "#e8623a",
    },
    "dark": {
        "ground": "#131219", "surface": "#1e1c26", "ink": "#f4f2f8", "muted": "#aaa5b6", "line": "#34313f",
        "accent": "#9a8bff", "bar": "#332d59", "warm": "#ff9d76",
    },
}  # fmt: skip
MARGIN = 64
WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


@dataclass(frozen=True)
class Look:
    """How a card looks, and whose it is."""

    theme: str
    shape: str
    title: str


class Box(NamedTuple):
    """A rectangle, in px."""

    x: float
    y: float
    width: float
    height: float


class Canvas(NamedTuple):
    """A card's size, and what is left for the insight below the heading."""

    width: int
    height: int
    body: Box


def canvas(shape: str) -> Canvas:
    """The canvas of a shape."""
    width, height = SHAPES[shape]
    top = 206 if shape == "wide" else 250
    return Canvas(width, height, Box(MARGIN, top, width - 2 * MARGIN, height - top - (92 if shape == "wide" else 110)))


def draw(kind: str, answer: Any, window: Window, look: Look) -> str:
    """The card of an insight, as SVG. The same answer and look give the same text."""
    heading, template, parts = CARDS[kind]
    place = canvas(look.shape)
    size = 56 if look.shape == "wide" else 64
    return render_template(
        f"cards/{template}.svg",
        **THEMES[look.theme],
        canvas=place,
        body=place.body,
        margin=MARGIN,
        title=fit(look.title, place.body.width - 90, size, BOLD),
        title_size=size,
        heading=heading,
        span=labels.span(window),
        **parts(answer, place.body),
    )


def png(svg: str) -> bytes:
    """A card as PNG, by the cards' own font: texts in other scripts are blank where it has no letters for them."""
    files = [str(FONTS / font) for font in (REGULAR, BOLD)]
    drawn: bytes = resvg_py.svg_to_bytes(svg_string=svg, font_files=files, skip_system_fonts=True, font_family="Inter")
    return bytes(drawn)


# --- What each kind has in its body -----------------------------------------------------------------------------------


def _rows(rows: Sequence[Any], body: Box, name: str, detail: str | None = None) -> dict[str, Any]:
    """Five rows with bars by the number of listens."""
    height = body.height / 5
    picture = min(height - 14, 104)
    left = body.x + 50 + (20 if name == "genre" else picture + 18)
    room = body.x + body.width - left - 150
    size = 27 if height < 100 else 34
    most = rows[0].count if rows else 1
    return {
        "rows": [
            {
                "rank": row.rank,
                "y": body.y + index * height,
                "name": fit(getattr(row, name), room, size, BOLD),
                "detail": fit(getattr(row, detail) or "", room, size * 0.7) if detail else "",
                "count": labels.number(row.count),
                "bar": max(8, (body.width - 50) * row.count / most),
                "image": _inline(getattr(row, "image_url", None)),
            }
            for index, row in enumerate(rows)
        ],
        "row_height": height,
        "picture": 0 if name == "genre" else picture,
        "left": left,
        "size": size,
    }


def _inline(url: str | None) -> str:
    """A picture that is a `data:` URL; no other is shown, as a card loads nothing."""
    return url if url and url.startswith("data:image/") else ""


def _tracks(answer: Any, body: Box) -> dict[str, Any]:
    return _rows(answer.rows, body, "track_name", "artist_name")


def _artists(answer: Any, body: Box) -> dict[str, Any]:
    return _rows(answer.rows, body, "artist_name")


def _genres(answer: Any, body: Box) -> dict[str, Any]:
    return _rows(answer.rows, body, "genre")


def _activity(answer: Activity, body: Box) -> dict[str, Any]:
    """Steps over time, each as wide as its bucket."""
    buckets = answer.buckets
    most = max((bucket.count for bucket in buckets), default=0)
    if not most:
        return {"steps": "", "total": "0 listens"}
    begin, end = buckets[0].start.timestamp(), buckets[-1].end.timestamp()
    floor, top = body.y + body.height - 34, body.y + 64
    steps = [f"M{body.x:.1f} {floor:.1f}"]
    for bucket in buckets:
        y = floor - (floor - top) * bucket.count / most
        for instant in (bucket.start, bucket.end):
            x = body.x + body.width * (instant.timestamp() - begin) / (end - begin)
            steps.append(f"L{x:.1f} {y:.1f}")
    steps.append(f"L{body.x + body.width:.1f} {floor:.1f}Z")
    peak = max(buckets, key=lambda bucket: bucket.count)
    zone = answer.window.tz
    return {
        "steps": "".join(steps),
        "floor": floor,
        "total": f"{labels.number(sum(bucket.count for bucket in buckets))} listens",
        "peak": f"at most {labels.number(peak.count)} in a {answer.bucket}",
        "first": labels.day(buckets[0].start.astimezone(zone).date()),
        "last": labels.day(buckets[-1].start.astimezone(zone).date()),
    }


def _clock(answer: Clock, body: Box) -> dict[str, Any]:
    """A cell for each hour of the week, the darker the more listens."""
    left = 62
    width, height = (body.width - left) / 24, (body.height - 34) / 7
    most = max(max(row) for row in answer.count) or 1
    return {
        "cells": [
            {
                "x": body.x + left + hour * width,
                "y": body.y + weekday * height,
                "shade": round(0.1 + 0.9 * (count / most) ** 0.5, 2),
            }
            for weekday, row in enumerate(answer.count)
            for hour, count in enumerate(row)
        ],
        "cell": Box(0, 0, width - 4, height - 4),
        "weekdays": [(name, body.y + (row + 0.5) * height) for row, name in enumerate(WEEKDAYS)],
        "hours": [(f"{hour}:00", body.x + left + (hour + 0.5) * width) for hour in (0, 6, 12, 18)],
    }


def _review(answer: Review, body: Box) -> dict[str, Any]:
    """Four numbers, and what was played most."""
    figures = [
        (labels.number(answer.listens), "listens"),
        (labels.duration(answer.listen_time_ms), "of music"),
        (labels.number(answer.distinct_tracks), "tracks"),
        (labels.number(answer.distinct_primary_artists), "artists"),
    ]
    firsts: list[tuple[str, Sequence[Any], str]] = [
        ("Track", answer.top_tracks, "track_name"),
        ("Artist", answer.top_primary_artists, "artist_name"),
        ("Genre", answer.top_genres, "genre"),
    ]
    columns = 4 if body.width > body.height * 1.5 else 2
    width, height = body.width / columns, 116 if columns == 4 else 150
    below = body.y + height * (4 / columns) + 10
    row = (body.y + body.height - below) / 3
    return {
        "figures": [
            {
                "x": body.x + index % columns * width,
                "y": body.y + index // columns * height,
                "value": value,
                "name": name,
            }
            for index, (value, name) in enumerate(figures)
        ],
        "firsts": [
            {"y": below + index * row, "name": name, "value": fit(getattr(rows[0], field), body.width - 180, 34, BOLD)}
            for index, (name, rows, field) in enumerate(firsts)
            if rows
        ],
        "row_height": row,
    }


Parts = Callable[[Any, Box], dict[str, Any]]

# By kind: the heading, the template, and what it is given.
CARDS: dict[str, tuple[str, str, Parts]] = {
    "top-tracks": ("Top tracks", "list", _tracks),
    "top-artists": ("Top artists", "list", _artists),
    "top-genres": ("Top genres", "list", _genres),
    "activity": ("Listening over time", "activity", _activity),
    "clock": ("Hours of the week", "clock", _clock),
    "review": ("In review", "review", _review),
}
