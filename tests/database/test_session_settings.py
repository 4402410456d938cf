"""What a role, a database or the shell sets for sessions changes no answer."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import Engine, NullPool, create_engine, text

from app import create_app
from app.cli.embedded.database import engine_for
from app.extensions import db
from config import load_settings
from tests.support.factories import Platform
from tests.support.servers import database, url_of

NAME = "Сестра 💜 \\ ' Été"
ZONE = "tz=America/New_York"
PATHS = [
    f"/insights/clock/1?{ZONE}",
    f"/insights/streaks/1?{ZONE}",
    f"/insights/summary/1?{ZONE}",
    f"/insights/wrapped/1/2025?{ZONE}",
    f"/insights/activity/1?{ZONE}&bucket=day&from=2025-11-10&to=2025-11-20",
    f"/insights/charts/tracks/1?{ZONE}&bucket=month&from=2025-01-01&to=2026-01-01",
    f"/insights/forgotten/artists/1?{ZONE}&days=1",
    f"/insights/review/1?{ZONE}&range=all_time&artist_id=artist",
    "/insights/global/top/tracks?track_id=it%27s%20%5C",
    f"/insights/on-this-day/1?{ZONE}&date=2026-11-17",
    f"/insights/sessions/1?{ZONE}",
    f"/insights/global/clock?{ZONE}",
    "/insights/history/1",
    "/insights/features/1",
    "/insights/top/tracks/1",
    "/insights/top/genres/1",
    "/insights/discoveries/tracks/1",
    "/insights/global/top/listeners",
    "/insights/tracks/it%27s%20%5C",
    "/insights/tracks/it%27s",
    "/insights/artists/artist",
]
SETTINGS = {
    "intervalstyle": "'sql_standard'",
    "datestyle": "'SQL, DMY'",
    "timezone": "'Pacific/Kiritimati'",
    "client_encoding": "'LATIN1'",
    "search_path": "impostor, public",
    "extra_float_digits": "-15",
    "standard_conforming_strings": "off",
    "bytea_output": "'escape'",
    "lc_numeric": "'C'",
    "transform_null_equals": "on",
    "array_nulls": "off",
    "default_transaction_isolation": "'serializable'",
    "default_transaction_read_only": "on",
    "default_transaction_deferrable": "on",
    "statement_timeout": "100",
    "row_security": "off",
    "plan_cache_mode": "force_generic_plan",
    "enable_seqscan": "off",
    "enable_hashjoin": "off",
    "quote_all_identifiers": "on",
    "session_replication_role": "'replica'",
    "xmloption": "'document'",
    "gin_fuzzy_search_limit": "1",
}


def fill(platform: Platform) -> None:
    """A user with three listens, whose names are in no single-byte encoding, and an impostor of their table."""
    artist = platform.artist("artist", NAME, genres=["рок \\"])
    features = {"energy": 1 / 3, "tempo": 123.456789012345}
    track = platform.track("it's \\", NAME, 200_001, primary=[artist], features=features)
    user = platform.user(1, "Зоя")
    for instant in ("2025-11-17T18:00", "2025-11-17T18:03:20.001", "2025-11-18T04:59:59.999999"):
        platform.listen(user, track, instant)
    platform.session.execute(text("CREATE SCHEMA impostor"))
    platform.session.execute(text('CREATE TABLE impostor."History" (LIKE public."History")'))


@pytest.fixture(scope="module")
def engine(server_url: str) -> Iterator[Engine]:
    with database(server_url, "session_settings", fill) as engine:
        yield engine


@contextmanager
def service(engine: Engine) -> Iterator[FlaskClient]:
    """The service on connections of its own."""
    app = create_app(load_settings({"SQLALCHEMY_DATABASE_URI": url_of(engine), "CACHE_TYPE": "NullCache"}))
    yield app.test_client()
    with app.app_context():
        db.engine.dispose()


def answers(engine: Engine) -> dict[str, Any]:
    """The statuses of all paths, and the bodies of those that are there."""
    with service(engine) as client:
        found = {path: client.get(path) for path in PATHS}
    bodies = {path: answer.data if answer.status_code == 200 else b"" for path, answer in found.items()}
    return {path: (answer.status_code, bodies[path]) for path, answer in found.items()}


@contextmanager
def set_for_all(engine: Engine, name: str, value: str) -> Iterator[None]:
    with create_engine(engine.url, poolclass=NullPool, isolation_level="AUTOCOMMIT").connect() as connection:
        connection.execute(text(f"ALTER DATABASE {engine.url.database} SET {name} = {value}"))
        try:
            yield
        finally:
            connection.execute(text(f"ALTER DATABASE {engine.url.database} RESET ALL"))


@pytest.mark.parametrize(("name", "value"), SETTINGS.items(), ids=SETTINGS)
def test_a_setting_of_the_database_changes_no_answer(engine: Engine, name: str, value: str) -> None:
    expected = answers(engine)
    assert [status for status, _ in expected.values()].count(200) == len(PATHS) - 1  # one track is not there
    with set_for_all(engine, name, value):
        assert answers(engine) == expected


def test_a_clock_in_new_york_is_right_in_any_interval_style(engine: Engine) -> None:
    with set_for_all(engine, "intervalstyle", "'sql_standard'"), service(engine) as client:
        for whose in ("", "global/"):
            path = f"/insights/{whose}clock{'' if whose else '/1'}?{ZONE}&to=2025-11-18"
            count = client.get(path).json["count"]
            assert {(day, hour): n for day in range(7) for hour, n in enumerate(count[day]) if n} == {
                (0, 13): 2,
                (0, 23): 1,
            }


@pytest.mark.parametrize(
    ("name", "value"),
    {
        "PGCLIENTENCODING": "LATIN1",
        "PGOPTIONS": "-c extra_float_digits=-15 -c intervalstyle=sql_standard -c search_path=impostor",
        "PGTZ": "Pacific/Kiritimati",
        "PGDATESTYLE": "SQL, DMY",
    }.items(),
)
def test_the_shell_changes_no_answer(engine: Engine, monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    expected = answers(engine)
    monkeypatch.setenv(name, value)
    assert answers(engine) == expected


def test_commands_write_any_name(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGCLIENTENCODING", "LATIN1")
    with engine_for(url_of(engine)).begin() as connection:
        connection.execute(text("INSERT INTO \"Artists\" VALUES ('other', :name)"), {"name": NAME})
        assert connection.scalar(text("SELECT name FROM \"Artists\" WHERE id = 'other'")) == NAME
