"""The settings: what is taken, what is refused, and that they are documented."""

import re
from hashlib import sha256
from pathlib import Path

import pytest

from app import create_app
from config import SettingsError, SettingsSchema, check_access, load_settings

URL = "postgresql://user:secret@db/songswap"

HASH = sha256(b"a key").hexdigest()
NAMES = set(SettingsSchema().fields)


def test_every_setting_is_in_the_readme_and_in_env_example() -> None:
    readme, example = Path("README.md").read_text(), Path(".env.example").read_text()
    assert {name for name in NAMES if f"`{name}`" not in readme} == set()
    assert set(re.findall(r"^([A-Z_]+)=", example, flags=re.MULTILINE)) == NAMES


def test_env_example_gives_no_value_and_so_no_secret() -> None:
    assert re.findall(r"^[A-Z_]+=.+$", Path(".env.example").read_text(), flags=re.MULTILINE) == []


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg2"])
def test_all_postgresql_urls_mean_psycopg2(scheme: str) -> None:
    given = URL.replace("postgresql", scheme)
    assert load_settings({"SQLALCHEMY_DATABASE_URI": given})["SQLALCHEMY_DATABASE_URI"] == URL.replace(
        "postgresql", "postgresql+psycopg2"
    )


@pytest.mark.parametrize(("given", "expected"), [("false", False), ("False", False), ("0", False), ("true", True)])
def test_debug_is_read_as_a_boolean(given: str, expected: bool) -> None:
    assert load_settings({"DEBUG": given})["DEBUG"] is expected


def test_an_empty_setting_is_an_unset_one() -> None:
    assert load_settings(dict.fromkeys(SettingsSchema().fields, " ")) == load_settings({})


def test_defaults_are_the_documented_ones() -> None:
    settings = load_settings({})
    assert settings["FLASK_RUN_PORT"] == 5001
    assert settings["CACHE_TYPE"] == "SimpleCache"
    assert settings["CACHE_DEFAULT_TIMEOUT"] == 3600
    assert settings["DEFAULT_IMAGE_URL"].startswith("data:image/svg+xml")
    assert settings["CACHE_KEY_PREFIX"]
    assert (settings["RATELIMIT_ENABLED"], settings["TRUSTED_PROXIES"], settings["CORS_ORIGINS"]) == (False, 0, ())


def test_no_secret_has_a_default() -> None:
    settings = load_settings({})
    assert settings["SECRET_KEY"] is None
    assert settings["CACHE_INVALIDATION_SECRET"] is None
    assert settings["API_KEYS"] == ()
    assert settings["METRICS_TOKEN"] is None


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DEBUG", "maybe"),
        ("FLASK_RUN_PORT", "http"),
        ("FLASK_RUN_PORT", "65536"),
        ("LOG_LEVEL", "LOUD"),
        ("SQLALCHEMY_DATABASE_URI", "sqlite:///x.db"),
        ("SQLALCHEMY_DATABASE_URI", "postgresql+psycopg://u@h/d"),
        ("SQLALCHEMY_DATABASE_URI", "postgresql://user:secret@host"),
        ("SQLALCHEMY_DATABASE_URI", "nonsense"),
        ("DATABASE_POOL_SIZE", "0"),
        ("ARCHIVE_URL", "https://bucket.example.com/archive"),
        ("ARCHIVE_URL", "s3://"),
        ("ARCHIVE_EXPORT_AT", "nightly"),
        ("DATABASE_STATEMENT_TIMEOUT", "nan"),
        ("DATABASE_STATEMENT_TIMEOUT", "0"),
        ("CACHE_TYPE", "MemcachedCache"),
        ("CACHE_DEFAULT_TIMEOUT", "1.5"),
        ("CACHE_REDIS_URL", "http://cache:6379"),
        ("CACHE_REDIS_URL", "redis+sentinel://cache:26379"),
        ("CACHE_REDIS_URL", "redis://:secret@cache:99999/0"),
        ("CACHE_REDIS_URL", "redis://:secret@cache:port/0"),
        ("CACHE_REDIS_URL", "redis://:secret@[::1"),
        ("CACHE_REDIS_URL", "redis://cache?decode_responses=true"),
        ("CACHE_REDIS_URL", "redis://cache?socket_timeout=60"),
        ("CACHE_REDIS_URL", "redis://cache?unknown=secret"),
        ("CACHE_REDIS_URL", "rediss://cache?ssl_unknown=secret"),
        ("CACHE_REDIS_SENTINELS", "sentinel"),
        ("CACHE_REDIS_SENTINELS", "sentinel:26379,"),
        ("CACHE_REDIS_SENTINELS", "sentinel:99999"),
        ("CACHE_REDIS_SENTINELS", "redis://:secret@sentinel:26379"),
        ("API_KEYS", "secret"),
        ("API_KEYS", "app:secret"),
        ("API_KEYS", f"app:{HASH},"),
        ("API_KEYS", f"app:{HASH}0"),
        ("SQLALCHEMY_DATABASE_URI", "postgresql://user:secret@host:port/name"),
        ("SQLALCHEMY_DATABASE_URI", "postgresql://host:/name"),
        ("SQLALCHEMY_DATABASE_URI", "postgresql://[::1/name"),
        ("SQLALCHEMY_DATABASE_URI", "postgresql://host:65536/name"),
        ("SQLALCHEMY_DATABASE_URI", "postgresql://host/name?secret=1"),
        ("API_KEYS", f"an app:{HASH}"),
        ("API_KEYS", f":{HASH}"),
        ("API_KEYS", f"{HASH}"),
        ("API_KEYS", f"app:{HASH} secret"),
        ("API_KEYS", f"app:{HASH},secret"),
        ("API_KEYS", f"app:{HASH},airflow:{HASH}"),
        ("API_KEYS", f"app:{HASH};airflow:{HASH[::-1]}"),
        ("ALLOW_ANONYMOUS", "perhaps"),
        ("DOCS_PUBLIC", "secret"),
        ("RATELIMIT_ENABLED", "2"),
        ("RATELIMIT_DEFAULT", "many"),
        ("RATELIMIT_DEFAULT", "0 per minute"),
        ("RATELIMIT_DEFAULT", "10 per fortnight"),
        ("TRUSTED_PROXIES", "-1"),
        ("TRUSTED_PROXIES", "10.0.0.1"),
        ("TASTE_BUILD_AT", "nightly"),
        ("TASTE_BUILD_AT", "24:00"),
        ("CORS_ORIGINS", "*"),
        ("CORS_ORIGINS", "app.example.com"),
        ("CORS_ORIGINS", "https://app.example.com/"),
        ("CORS_ORIGINS", "https://a.example,https://.*"),
    ],
)
def test_a_wrong_value_is_one_line_that_names_the_setting(name: str, value: str) -> None:
    with pytest.raises(SettingsError) as refused:
        load_settings({name: value})
    text = str(refused.value)
    assert text.startswith(f"{name} must be ")
    assert "\n" not in text
    assert "secret" not in text


def test_keys_are_several_pairs() -> None:
    other, third = (sha256(key).hexdigest() for key in (b"another key", b"a third"))
    keys = load_settings({"API_KEYS": f" app:{HASH.upper()} , app:{other},{HASH}:{third}"})["API_KEYS"]
    assert [(key.name, key.digest.hex()) for key in keys[:2]] == [("app", HASH), ("app", other)]
    assert len(keys) == 3


def test_a_real_database_is_served_with_keys_or_on_the_operators_word() -> None:
    for given in ({"API_KEYS": f"app:{HASH}"}, {"ALLOW_ANONYMOUS": "true"}):
        check_access(load_settings({"SQLALCHEMY_DATABASE_URI": URL} | given))
    check_access(load_settings({}))  # there is no real one
    with pytest.raises(SettingsError, match=r"^API_KEYS must be set .* or ALLOW_ANONYMOUS=true .*$"):
        check_access(load_settings({"SQLALCHEMY_DATABASE_URI": URL, "ALLOW_ANONYMOUS": "false"}))


@pytest.mark.parametrize("kind", ["RedisCache", "RedisSentinelCache", "RedisClusterCache"])
def test_a_redis_cache_needs_an_address(kind: str) -> None:
    with pytest.raises(SettingsError, match=r"^CACHE_REDIS_URL must be set"):
        load_settings({"CACHE_TYPE": kind, "CACHE_REDIS_SENTINELS": "sentinel:26379"})


def test_sentinels_need_addresses() -> None:
    with pytest.raises(SettingsError, match=r"^CACHE_REDIS_SENTINELS must be set"):
        load_settings({"CACHE_TYPE": "RedisSentinelCache", "CACHE_REDIS_URL": "redis://songs"})


def test_a_database_must_be_named() -> None:
    with pytest.raises(SettingsError, match=r"^SQLALCHEMY_DATABASE_URI must be set"):
        create_app(load_settings({}))


def test_dotenv_is_read_and_the_environment_wins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    dotenv = tmp_path / ".env"
    dotenv.write_text("CACHE_DEFAULT_TIMEOUT=60\nFLASK_RUN_PORT=6000\n")
    monkeypatch.setattr("config.DOTENV", dotenv)
    monkeypatch.setenv("FLASK_RUN_PORT", "7000")
    settings = load_settings()
    assert (settings["CACHE_DEFAULT_TIMEOUT"], settings["FLASK_RUN_PORT"]) == (60, 7000)
