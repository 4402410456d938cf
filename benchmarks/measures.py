"""Time every insight, uncached, on a database that `benchmarks.generate` has filled.

    python -m benchmarks.measures postgresql://user@host/database [--rounds 9]

For a typical user (1,000 to 5,000 listens), for the heaviest, and for everyone: the median in ms and the number of
statements, in this process, with no cache and no HTTP between.
"""

import argparse
import logging
import statistics
import time
from collections.abc import Iterator
from typing import Any

from flask.testing import FlaskClient
from sqlalchemy import Engine, event, text

from app import create_app
from app.extensions import db
from config import load_settings

YEAR = 2025


def paths(app: Any) -> Iterator[tuple[str, bool]]:
    """The path of each insight, and whether it is one user's."""
    for rule in sorted(app.url_map.iter_rules(), key=lambda rule: rule.rule):
        if rule.rule.startswith("/insights"):
            yield rule.rule, "<user_id>" in rule.rule


def sample(engine: Engine) -> dict[str, Any]:
    """A typical and the heaviest user, and a track and an artist that are listened to."""
    with engine.connect() as connection:
        typical, heaviest = connection.execute(
            text("""
                WITH sizes AS (SELECT user_id, count(*) AS n FROM "History" WHERE user_id <= 200 GROUP BY user_id)
                SELECT (SELECT user_id FROM sizes WHERE n BETWEEN 1000 AND 5000 ORDER BY abs(n - 2000) LIMIT 1),
                       (SELECT user_id FROM sizes ORDER BY n DESC LIMIT 1)
            """)
        ).one()
        track_id = connection.scalar(text('SELECT track_id FROM "History" LIMIT 1'))
        artist_id = connection.scalar(
            text('SELECT artist_id FROM "ArtistTracks" WHERE track_id = :track'), {"track": track_id}
        )
    return {"typical": typical, "heaviest": heaviest, "track_id": track_id, "artist_id": artist_id}


def measure(client: FlaskClient, url: str, rounds: int) -> float:
    """The median of a request's time, in ms."""
    times = []
    for _ in range(rounds):
        started = time.perf_counter()
        answer = client.get(url)
        times.append((time.perf_counter() - started) * 1000)
        assert answer.status_code == 200, (url, answer.text)
    return statistics.median(times)


def main() -> None:
    parser = argparse.ArgumentParser(description="Time every insight, uncached.")
    parser.add_argument("database", help="URL of a database that benchmarks.generate has filled")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--everyone", action="store_true", help="the insights of everyone, too: they scan all listens")
    arguments = parser.parse_args()
    settings = {
        "SQLALCHEMY_DATABASE_URI": arguments.database,
        "CACHE_TYPE": "NullCache",
        "LOG_LEVEL": "ERROR",
        "DATABASE_STATEMENT_TIMEOUT": "600",
    }
    app = create_app(load_settings(settings))
    logging.disable()
    with app.app_context():
        engine = db.engine
    statements: list[str] = []

    def note(*given: Any) -> None:
        if not given[2].startswith("SET LOCAL"):
            statements.append(given[2])

    event.listen(engine, "before_cursor_execute", note)
    found = sample(engine)
    client = app.test_client()
    for rule, is_users in paths(app):
        if not is_users and not arguments.everyone:
            continue
        for who in ("typical", "heaviest") if is_users else ("everyone",):
            url = rule
            for name, value in {"other_user_id": 2, "year": YEAR, **found, "user_id": found.get(who)}.items():
                url = url.replace(f"<{name}>", str(value))
            statements.clear()
            client.get(url)
            number = len(statements)
            rounds = arguments.rounds if is_users else 1
            print(f"{who:9} {url:60} {measure(client, url, rounds):9.1f} ms {number:3} statements", flush=True)


if __name__ == "__main__":
    main()
