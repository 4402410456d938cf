"""Every setting of the service, read from the environment and `.env`, and checked at start.

An empty value is an unset one. The environment wins over `.env`. `.env.example` lists every setting with its meaning.
"""

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from dotenv import dotenv_values
from limits import parse_many
from marshmallow import EXCLUDE, Schema, ValidationError, fields, validate, validates_schema
from psycopg2 import ProgrammingError
from psycopg2.extensions import make_dsn
from redis import ConnectionPool, RedisError
from redis.connection import parse_url
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

DOTENV = Path(__file__).parent / ".env"

# A grey square with a note: what an <img> shows where the platform knows no picture.
PLACEHOLDER_IMAGE = (
    "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 64 64'%3E"
    "%3Crect width='64' height='64' fill='%23ccc'/%3E"
    "%3Cpath d='M26 44V20l18-4v24' fill='none' stroke='%23777' stroke-width='3'/%3E"
    "%3Ccircle cx='22' cy='44' r='5' fill='%23777'/%3E%3Ccircle cx='40' cy='40' r='5' fill='%23777'/%3E%3C/svg%3E"
)


class SettingsError(ValueError):
    """A setting has a wrong value; the text is one line that names it and what it takes."""


class DatabaseUri(fields.String):
    """A PostgreSQL URL. `postgres://` and `postgresql://` are taken too, and all mean the driver psycopg2."""

    default_error_messages = {"invalid": "must be a PostgreSQL URL: postgresql://user:password@host:5432/database"}

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> str:
        try:
            url = make_url(value)
            make_dsn(**dict.fromkeys(url.query, ""))
        except (ArgumentError, ValueError, ProgrammingError) as error:  # the last for a parameter that libpq lacks
            raise self.make_error("invalid") from error
        is_postgresql = url.drivername in {"postgres", "postgresql", "postgresql+psycopg2"}
        if not is_postgresql or not url.database or not 0 < (url.port or 5432) < 65536:
            raise self.make_error("invalid")
        return url.set(drivername="postgresql+psycopg2").render_as_string(hide_password=False)


class ApiKey(NamedTuple):
    """Who a key was given to, and the SHA-256 of the key; the key itself is nowhere."""

    name: str
    digest: bytes


class ApiKeys(fields.Field[tuple[ApiKey, ...]]):
    """`name:sha256-of-key` pairs, comma separated. Two keys may have one name, while one takes the other's place."""

    default_error_messages = {
        "invalid": "must be name:sha256 pairs, comma separated, as `flask api-keys new NAME` makes them; "
        "names have up to 64 of A-Z a-z 0-9 . _ -, hashes 64 hex digits, and no hash stands twice"
    }

    def _deserialize(
        self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any
    ) -> tuple[ApiKey, ...]:
        found = [API_KEY.fullmatch(pair.strip()) for pair in value.split(",")]
        keys = tuple(ApiKey(pair["name"], bytes.fromhex(pair["digest"])) for pair in found if pair)
        if len({key.digest for key in keys}) < len(found):
            raise self.make_error("invalid")  # without the value: it may hold a key that was pasted by mistake
        return keys


KEY_NAME = re.compile(r"[A-Za-z0-9._-]{1,64}")
API_KEY = re.compile(rf"(?P<name>{KEY_NAME.pattern}):(?P<digest>[0-9A-Fa-f]{{64}})")


def _boolean(default: bool) -> fields.Boolean:
    return fields.Boolean(load_default=default, error_messages={"invalid": "must be true or false"})


def _integer(default: int | None, minimum: int, maximum: int) -> fields.Integer:
    message = f"must be a whole number from {minimum} to {maximum}"
    return fields.Integer(
        load_default=default,
        validate=validate.Range(minimum, maximum, error=message),
        error_messages={"invalid": message, "too_large": message},
    )


def _seconds(default: float, maximum: float) -> fields.Float:
    message = f"must be a number of seconds above 0, at most {maximum:g}"
    return fields.Float(
        load_default=default,
        validate=validate.Range(0, maximum, min_inclusive=False, error=message),
        error_messages={"invalid": message, "special": message},
    )


def _time_of_day() -> fields.Time:
    message = "must be a time of day in UTC, such as 03:30"
    return fields.Time(format="%H:%M", load_default=None, error_messages={"invalid": message, "format": message})


def _choice(default: str, *allowed: str) -> fields.String:
    return fields.String(
        load_default=default, validate=validate.OneOf(allowed, error=f"must be one of {', '.join(allowed)}")
    )


# What CACHE_REDIS_URL may say, besides `ssl_…`. Other options of redis-py would change what the service reads
# (`decode_responses`) or how long it waits (`socket_timeout`).
REDIS_OPTIONS = {"connection_class", "host", "port", "path", "db", "username", "password", "client_name"}


def _check_redis_url(url: str) -> None:
    try:
        given: dict[str, Any] = parse_url(url)  # type: ignore[no-untyped-call]
        refused = [name for name in given.keys() - REDIS_OPTIONS if not name.startswith("ssl_")]
        if not refused:
            ConnectionPool.from_url(url).make_connection()  # this does not connect yet
            return
    except (ValueError, TypeError, RedisError):  # without the error's text, which may hold the password
        refused = []
    raise ValidationError(
        "must be a URL such as redis://user:password@host:6379/0, rediss://host:6379/0?ssl_ca_certs=ca.pem or "
        f"unix:///run/redis.sock, with a port from 1 to 65535{' and without ' if refused else ''}{', '.join(refused)}"
    )


def _check_archive_url(url: str) -> None:
    if "://" in url and not re.fullmatch(r"s3://[^/?]+.*", url):
        raise ValidationError("must be a folder, or a bucket such as s3://bucket/prefix?region=eu-west-1")


class Addresses(fields.Field[tuple[tuple[str, int], ...]]):
    """Hosts and ports, comma separated."""

    default_error_messages = {"invalid": "must be addresses, comma separated: sentinel-1:26379,sentinel-2:26379"}

    def _deserialize(
        self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any
    ) -> tuple[tuple[str, int], ...]:
        found = [ADDRESS.fullmatch(address.strip()) for address in value.split(",")]
        addresses = tuple((address["host"], int(address["port"])) for address in found if address)
        if len(addresses) < len(found) or not all(0 < port < 65536 for _, port in addresses):
            raise self.make_error("invalid")
        return addresses


ADDRESS = re.compile(r"(?P<host>[^\s:/@]+):(?P<port>[0-9]{1,5})")


class Origins(fields.Field[tuple[str, ...]]):
    """Web origins, comma separated."""

    default_error_messages = {"invalid": "must be web origins, comma separated: https://app.example.com"}

    def _deserialize(
        self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any
    ) -> tuple[str, ...]:
        origins = tuple(origin.strip().lower() for origin in value.split(","))
        if not all(map(ORIGIN.fullmatch, origins)):
            raise self.make_error("invalid")
        return origins


ORIGIN = re.compile(r"https?://[a-z0-9.-]+(:[0-9]{1,5})?")


def _check_rate_limits(text: str) -> None:
    try:
        if all(limit.amount for limit in parse_many(text)):
            return
    except ValueError:
        pass
    raise ValidationError("must be a limit such as 600 per minute, or several: 20/second;10000/hour")


# The kinds of CACHE_TYPE that several processes share.
SHARED_CACHES = ("RedisCache", "RedisSentinelCache", "RedisClusterCache")


class SettingsSchema(Schema):
    """Names, types, defaults and bounds of the settings. No secret has a default."""

    class Meta:
        unknown = EXCLUDE

    DEBUG = _boolean(False)
    SECRET_KEY = fields.String(load_default=None)
    FLASK_RUN_PORT = _integer(5001, 1, 65535)
    LOG_LEVEL = _choice("INFO", "DEBUG", "INFO", "WARNING", "ERROR")

    # Read by gunicorn.conf.py, where the default of the first depends on the cache.
    WEB_CONCURRENCY = _integer(None, 1, 64)
    GUNICORN_THREADS = _integer(8, 1, 256)

    SQLALCHEMY_DATABASE_URI = DatabaseUri(load_default=None)
    DATABASE_DIRECT_URI = DatabaseUri(load_default=None)
    DATABASE_POOL_SIZE = _integer(5, 1, 1000)
    DATABASE_MAX_OVERFLOW = _integer(5, 0, 1000)
    DATABASE_POOL_TIMEOUT = _seconds(5, 300)
    DATABASE_CONNECT_TIMEOUT = _integer(3, 2, 60)
    DATABASE_STATEMENT_TIMEOUT = _seconds(30, 3600)

    ARCHIVE_URL = fields.String(load_default=None, validate=_check_archive_url)
    ARCHIVE_EXPORT_AT = _time_of_day()
    ARCHIVE_LOCAL_FOLDER = fields.String(load_default=None)
    ARCHIVE_THREADS = _integer(2, 1, 256)
    ARCHIVE_MEMORY = _integer(512, 64, 1_048_576)
    ARCHIVE_TIMEOUT = _seconds(10, 3600)

    CACHE_TYPE = _choice("SimpleCache", "SimpleCache", *SHARED_CACHES, "NullCache")
    CACHE_DEFAULT_TIMEOUT = _integer(3600, 1, 31_536_000)
    CACHE_STALE_TIMEOUT = _integer(3600, 0, 31_536_000)
    CACHE_THRESHOLD = _integer(1000, 10, 1_000_000)
    CACHE_REDIS_URL = fields.String(load_default=None, validate=_check_redis_url)
    CACHE_REDIS_SENTINELS = Addresses(load_default=())
    CACHE_KEY_PREFIX = fields.String(load_default="songswap-insights:")
    CACHE_INVALIDATION_SECRET = fields.String(load_default=None)

    API_KEYS = ApiKeys(load_default=())
    ALLOW_ANONYMOUS = _boolean(False)
    DOCS_PUBLIC = _boolean(True)
    METRICS_TOKEN = fields.String(load_default=None)
    CORS_ORIGINS = Origins(load_default=())

    RATELIMIT_ENABLED = _boolean(False)
    RATELIMIT_DEFAULT = fields.String(load_default="600 per minute", validate=_check_rate_limits)
    TRUSTED_PROXIES = _integer(0, 0, 10)

    TASTE_BUILD_AT = _time_of_day()

    EXPLORER = _boolean(False)
    CARD_SIGNING_KEY = fields.String(load_default=None)
    DEFAULT_IMAGE_URL = fields.String(load_default=PLACEHOLDER_IMAGE)

    @validates_schema
    def _archive_has_a_place(self, data: dict[str, Any], **kwargs: Any) -> None:
        if data["ARCHIVE_EXPORT_AT"] is not None and not data["ARCHIVE_URL"]:
            raise ValidationError("must be set where ARCHIVE_EXPORT_AT is", "ARCHIVE_URL")

    @validates_schema
    def _redis_has_an_address(self, data: dict[str, Any], **kwargs: Any) -> None:
        kind = data["CACHE_TYPE"]
        needed = {"RedisSentinelCache": ("CACHE_REDIS_URL", "CACHE_REDIS_SENTINELS")}.get(kind, ("CACHE_REDIS_URL",))
        for name in needed if kind in SHARED_CACHES else ():
            if not data[name]:
                raise ValidationError(f"must be set where CACHE_TYPE is {kind}", name)


# An environment that names settings and gives none: each has its default, whatever a `.env` says. WEB_CONCURRENCY is
# not among them: gunicorn reads it, too, and falls over an empty one.
NO_SETTINGS = dict.fromkeys(SettingsSchema().fields.keys() - {"WEB_CONCURRENCY"}, "")


def load_settings(environ: Mapping[str, str] | None = None) -> dict[str, Any]:
    """Every setting by name, from `environ` (the process environment over `.env` when not given).

    Raises SettingsError for the first wrong value.
    """
    if environ is None:
        environ = {name: value for name, value in dotenv_values(DOTENV).items() if value is not None} | dict(os.environ)
    given = {name: value.strip() for name, value in environ.items() if value.strip()}
    try:
        settings: dict[str, Any] = SettingsSchema().load(given)
    except ValidationError as error:
        name, messages = next(iter(dict[str, Any](error.messages_dict).items()))
        raise SettingsError(f"{name} {messages[0]}") from None
    return settings


def check_database(settings: Mapping[str, Any]) -> None:
    """Raise SettingsError where no database is named."""
    if not settings["SQLALCHEMY_DATABASE_URI"]:
        raise SettingsError("SQLALCHEMY_DATABASE_URI must be set: a PostgreSQL URL")


def check_access(settings: Mapping[str, Any]) -> None:
    """Raise SettingsError for settings that would serve a real database to every caller without saying so."""
    if settings["SQLALCHEMY_DATABASE_URI"] and not settings["API_KEYS"] and not settings["ALLOW_ANONYMOUS"]:
        raise SettingsError(
            "API_KEYS must be set (`flask api-keys new NAME` makes a key), or ALLOW_ANONYMOUS=true where the network "
            "alone decides who may ask"
        )
