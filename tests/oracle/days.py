"""The insights that have days and hours in them."""

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from tests.oracle.calendar import (
    DAY,
    MICROSECOND,
    Bucket,
    TooManyBucketsError,
    Window,
    bucket_around,
    buckets,
    default_unit,
    instant_text,
    local_date,
)
from tests.oracle.lists import Asked, Kind, counts, discovered, distinct, ranking, top
from tests.oracle.world import Listen


def window_body(window: Window) -> dict[str, Any]:
    """A window as answers tell it."""
    return {
        "range": window.range,
        "from": window.start and instant_text(window.start),
        "to": window.end and instant_text(window.end),
        "tz": window.tz.key,
    }


def activity(asked: Asked, *, bucket: str | None = None) -> dict[str, Any]:
    """A series; raises TooManyBucketsError for too long a one."""
    unit, spans = _series(asked, bucket, default_unit, "day", 10_000)
    rows = []
    for span in spans:
        listens = [listen for listen in asked.listens if span.start <= listen.played_at < span.end]
        rows.append({"start": instant_text(span.start), "end": instant_text(span.end), **counts(asked, listens)})
    return {"window": window_body(asked.window), "bucket": unit, "buckets": rows}


def charts(asked: Asked, kind: Kind, *, bucket: str | None = None, by: str = "count", limit: int = 5) -> dict[str, Any]:
    """The head of each bucket's list, newest first; raises TooManyBucketsError for more than 120 buckets."""
    unit, spans = _series(asked, bucket, charts_unit, "month", 120)
    before: dict[Any, int] = {}
    bodies = []
    for span in spans:
        of_bucket = asked.over(Window("custom", span.start, span.end, asked.window.tz))
        rows = top(of_bucket, kind, by=by, limit=limit)
        for place, row in zip(ranking(of_bucket, kind, by), rows, strict=False):
            row["previous_rank"] = before.get(place.key)
        before = {row.key: row.rank for row in ranking(of_bucket, kind, by)}
        bodies.append({"start": instant_text(span.start), "end": instant_text(span.end), "rows": rows})
    return {"window": window_body(asked.window), "bucket": unit, "buckets": bodies[::-1]}


def charts_unit(first: datetime, end: datetime, tz: ZoneInfo) -> str:
    """Months where that gives at most 120, else years."""
    try:
        buckets(first, end, "month", tz, 120)
    except TooManyBucketsError:
        return "year"
    return "month"


def _series(
    asked: Asked,
    asked_unit: str | None,
    default: Callable[[datetime, datetime, ZoneInfo], str],
    empty: str,
    most: int,
) -> tuple[str, list[Bucket]]:
    start, end, tz = asked.window.start, asked.window.end, asked.window.tz
    if (start is None or end is None) and not asked.listens:
        return asked_unit or empty, []
    first, last = start, end and end - MICROSECOND
    if first is None:
        first = asked.listens[0].played_at
    if last is None:
        last = asked.listens[-1].played_at
    unit = asked_unit or default(first, last + MICROSECOND, tz)
    start = start or bucket_around(first, unit, tz).start
    end = end or bucket_around(last, unit, tz).end
    return unit, buckets(start, end, unit, tz, most)


def clock(asked: Asked) -> dict[str, Any]:
    """Two tables of weekday by hour."""
    count = [[0] * 24 for _ in range(7)]
    listen_time_ms = [[0] * 24 for _ in range(7)]
    for listen in asked.listens:
        shown = listen.played_at.astimezone(asked.window.tz)
        count[shown.weekday()][shown.hour] += 1
        listen_time_ms[shown.weekday()][shown.hour] += asked.listen_time([listen])
    return {"window": window_body(asked.window), "count": count, "listen_time_ms": listen_time_ms}


class Run(NamedTuple):
    """Days in a row; both days are included."""

    start: date
    end: date

    @property
    def days(self) -> int:
        """How many days."""
        return (self.end - self.start).days + 1

    def body(self) -> dict[str, Any]:
        """The run as answers tell it."""
        return {"start": self.start.isoformat(), "end": self.end.isoformat(), "days": self.days}


def listen_days(asked: Asked) -> Counter[date]:
    """The number of listens on each local day that has any."""
    return Counter(local_date(listen.played_at, asked.window.tz) for listen in asked.listens)


def runs(asked: Asked) -> list[Run]:
    """Every run of days with a listen, oldest first."""
    found: list[Run] = []
    for day in sorted(listen_days(asked)):
        if found and found[-1].end + DAY == day:
            found[-1] = Run(found[-1].start, day)
        else:
            found.append(Run(day, day))
    return found


def current_run(asked: Asked) -> Run | None:
    """The run that ends today or yesterday."""
    today = local_date(asked.now, asked.window.tz)
    return next((run for run in runs(asked) if run.end in (today, today - DAY)), None)


def streaks(asked: Asked, *, limit: int = 10) -> dict[str, Any]:
    """Runs of days, longest first then newest."""
    longest_first = sorted(runs(asked), key=lambda run: (run.days, run.start), reverse=True)
    current = current_run(asked)
    return {
        "window": window_body(asked.window),
        "current": current and current.body(),
        "longest": longest_first[0].body() if longest_first else None,
        "streaks": [run.body() for run in longest_first[:limit]],
    }


def sessions(asked: Asked, *, gap_minutes: int = 30, limit: int = 10) -> dict[str, Any]:
    """Plays without a long gap between the end of all before and the start of the next."""
    found: list[tuple[datetime, datetime, int]] = []  # start, latest end so far, listens
    for start, end in sorted(map(asked.play, asked.listens)):
        if found and start <= found[-1][1] + timedelta(minutes=gap_minutes):
            started, ended, number = found[-1]
            found[-1] = (started, max(ended, end), number + 1)
        else:
            found.append((start, end, 1))
    durations = [(end - start) // timedelta(milliseconds=1) for start, end, _ in found]
    order = sorted(range(len(found)), key=lambda i: (durations[i], found[i][0]), reverse=True)
    return {
        "window": window_body(asked.window),
        "gap_minutes": gap_minutes,
        "sessions": len(found),
        "mean_listens": len(asked.listens) / len(found) if found else None,
        "mean_duration_ms": sum(durations) / len(found) if found else None,
        "longest": [
            {
                "start": instant_text(found[i][0]),
                "end": instant_text(found[i][1]),
                "listens": found[i][2],
                "duration_ms": durations[i],
            }
            for i in order[:limit]
        ],
    }


def on_this_day(asked: Asked, *, date: date | None = None) -> dict[str, Any]:
    """The same month and day of earlier years. The window's zone is all that counts of it."""
    tz = asked.window.tz
    today = date or local_date(asked.now, tz)
    first_year = local_date(asked.ever[0].played_at, tz).year if asked.ever else today.year
    years = []
    for year in range(today.year - 1, first_year - 1, -1):
        try:
            day = today.replace(year=year)
        except ValueError:  # 29 February
            continue
        of_day = asked.over(Window.of_days("custom", day, day + DAY, tz))
        if of_day.listens:
            years.append({"year": year, "count": len(of_day.listens), "top_tracks": top(of_day, "tracks", limit=3)})
    return {"date": today.isoformat(), "tz": tz.key, "years": years}


def wrapped(asked: Asked, year: int) -> dict[str, Any]:
    """The year's review of the one user asked for. The window's zone is all that counts of it."""
    tz = asked.window.tz
    year_of = asked.over(Window.of_days("custom", date(year, 1, 1), date(year + 1, 1, 1), tz))
    months = [[listen for listen in year_of.listens if _month(listen, tz) == month] for month in range(1, 13)]
    return _highlights(year_of) | {
        "year": year,
        "tz": tz.key,
        "months": [{"month": number, **counts(year_of, listens)} for number, listens in enumerate(months, 1)],
        "top_month": _most(Counter(_month(listen, tz) for listen in year_of.listens)),
    }


def review(asked: Asked) -> dict[str, Any]:
    """The review of the one user's window."""
    return _highlights(asked) | {"window": window_body(asked.window)}


def _highlights(asked: Asked) -> dict[str, Any]:
    """What all reviews have."""
    (user_id,) = asked.users
    days, hours = listen_days(asked), Counter(_hour(listen, asked.window.tz) for listen in asked.listens)
    day = _most(days)
    longest = min(runs(asked), key=lambda run: (-run.days, run.start), default=None)
    return {
        "user_id": user_id,
        "listens": len(asked.listens),
        "listen_time_ms": asked.listen_time(asked.listens),
        "distinct_tracks": distinct(asked, "tracks"),
        "distinct_artists": distinct(asked, "artists"),
        "distinct_primary_artists": distinct(asked, "primary-artists"),
        "distinct_genres": distinct(asked, "genres"),
        "top_tracks": top(asked, "tracks", limit=5),
        "top_primary_artists": top(asked, "primary-artists", limit=5),
        "top_genres": top(asked, "genres", limit=5),
        "top_day": day and {"date": day.isoformat(), "count": days[day]},
        "busiest_hour": _most(hours),
        "new_tracks": len(discovered(asked, "tracks")),
        "new_primary_artists": len(discovered(asked, "primary-artists")),
        "longest_streak": longest and longest.body(),
        "percentile": _percentile(asked, user_id),
    }


def _month(listen: Listen, tz: ZoneInfo) -> int:
    return local_date(listen.played_at, tz).month


def _hour(listen: Listen, tz: ZoneInfo) -> int:
    return listen.played_at.astimezone(tz).hour


def _most(numbers: Counter[Any]) -> Any:
    """What has the highest number; of several the earliest."""
    return min(numbers, key=lambda key: (-numbers[key], key), default=None)


def _percentile(asked: Asked, user_id: int) -> float | None:
    """The share of the window's other listeners who have fewer listens."""
    by_user = Counter(listen.user_id for listen in replace(asked, users=None).listens)
    others = [number for other, number in by_user.items() if other != user_id]
    if not others or user_id not in by_user:
        return None
    return sum(number < by_user[user_id] for number in others) / len(others)
