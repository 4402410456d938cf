"""What a role or a database sets for sessions changes nothing of what is counted."""

from collections.abc import Callable, Iterator
from contextlib import suppress
from threading import Event

import pytest
from click.testing import Result
from psycopg2 import errors
from sqlalchemy import Engine, NullPool, create_engine, text
from sqlalchemy.exc import ProgrammingError

from app.cli import create_app
from app.database.engine import own_engine
from app.rollups.upkeep import upkeep
from config import load_settings
from tests.conftest import NOW
from tests.rollups.loads import connect, fill
from tests.support.servers import url_of

# What stops commands and the upkeep, and what could make of a listen another one. `impostor` has a "History", too.
FOR_ALL = {
    "search_path": "impostor, public",
    "intervalstyle": "sql_standard",
    "datestyle": "'SQL, DMY'",
    "timezone": "'Pacific/Kiritimati'",
    "default_transaction_isolation": "serializable",
    "default_transaction_read_only": "on",
    "statement_timeout": "200",
    "lock_timeout": "1",
    "idle_in_transaction_session_timeout": "500",
    "transaction_timeout": "200",
    "client_encoding": "LATIN1",
    "gin_fuzzy_search_limit": "1",
}
# A loader's own: it has to write all the same.
OF_LOADER = {
    "search_path": "impostor, pg_catalog",
    "session_replication_role": "replica",
    "default_transaction_read_only": "off",
    "statement_timeout": "0",
    "lock_timeout": "0",
    "idle_in_transaction_session_timeout": "0",
    "transaction_timeout": "0",
    "plan_cache_mode": "force_generic_plan",
    "enable_hashjoin": "off",
    "row_security": "off",
    "transform_null_equals": "on",
    "plpgsql.variable_conflict": "use_variable",
    "plpgsql.extra_errors": "'all'",
}


@pytest.fixture(scope="module")
def engine(make_database: Callable[..., Iterator[Engine]]) -> Iterator[Engine]:
    """A platform's database whose sessions have all of these settings, but for those of the tests."""
    for engine in make_database("rollups_session_settings"):
        with engine.begin() as connection:
            fill(connection)
            connection.execute(text("CREATE SCHEMA impostor"))
            connection.execute(text('CREATE TABLE impostor."History" (LIKE public."History")'))
        with create_engine(engine.url, poolclass=NullPool, isolation_level="AUTOCOMMIT").connect() as connection:
            for name, value in FOR_ALL.items():
                with suppress(ProgrammingError):  # PostgreSQL 15 knows no transaction_timeout
                    connection.execute(text(f"ALTER DATABASE {engine.url.database} SET {name} = {value}"))
        yield engine


@pytest.fixture
def rollups(engine: Engine) -> Callable[[str], Result]:
    """Runs a command of `flask rollups`."""
    app = create_app(load_settings({"SQLALCHEMY_DATABASE_URI": url_of(engine)}))
    app.config["CLOCK"] = lambda: NOW
    return lambda command: app.test_cli_runner().invoke(args=["rollups", command])


def write(engine: Engine, *statements: str) -> None:
    """Write as a loader does whose session has settings of its own."""
    loader = connect(engine.url)
    loader.autocommit = True
    with loader.cursor() as cursor:
        for name, value in OF_LOADER.items():
            with suppress(errors.UndefinedObject):  # one of a later version
                cursor.execute(f"SET {name} = {value}")
        for statement in statements:
            cursor.execute(statement.encode())
    loader.close()


def test_commands_and_writers_do_not_depend_on_them(engine: Engine, rollups: Callable[[str], Result]) -> None:
    assert (result := rollups("install")).exit_code == 0, result.output
    write(
        engine,
        "INSERT INTO public.\"History\" VALUES (1, '2026-11-01 00:00:00.1', 'track1')",
        "UPDATE public.\"Tracks\" SET duration_ms = duration_ms + 1 WHERE id < 'track15'",
        "DELETE FROM public.\"ArtistTracks\" WHERE track_id = 'track3'",
        "INSERT INTO public.\"ArtistGenres\" VALUES ('artist1', 'новый')",
        "DELETE FROM public.\"History\" WHERE played_at < '2026-10-01'",
    )
    for command in ("verify", "fold", "verify", "rebuild", "status", "uninstall"):
        assert (result := rollups(command)).exit_code == 0, result.output


def test_the_upkeep_does_not_depend_on_them(
    engine: Engine, rollups: Callable[[str], Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert (result := rollups("install")).exit_code == 0, result.output
    monkeypatch.setattr(upkeep, "KEPT", 0)  # what was announced is forgotten with the next look
    monkeypatch.setattr(upkeep, "SWEEP", 0)
    app = create_app(load_settings({"SQLALCHEMY_DATABASE_URI": url_of(engine)}))
    app.config["CLOCK"] = lambda: NOW
    keeper = upkeep.Upkeep(app, Event(), Event())
    own = own_engine(app.config, writes=True)
    with own.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        for second in range(3):
            write(engine, f"INSERT INTO public.\"History\" VALUES (1, '2026-11-01 00:01:0{second}', 'track1')")
            keeper.look(connection)
            assert connection.scalar(text("SELECT count(*) FROM insights.listen_changes")) == 0
        keeper.look(connection)
        assert connection.scalar(text("SELECT count(*) FROM insights.announcements")) <= 1
        # Behind a pooler the session is other clients', too.
        assert connection.scalar(text("SHOW search_path")) == "impostor, public"
    assert (result := rollups("verify")).exit_code == 0, result.output
