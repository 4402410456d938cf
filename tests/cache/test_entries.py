"""What a shared backend keeps: bytes and JSON, and a miss for whatever else stands there."""

import pickle
from collections.abc import Callable
from typing import Any
from zlib import crc32

import orjson
import pytest
from flask import Response
from hypothesis import given
from hypothesis import strategies as st

from app.cache import entries
from app.cache.entries import FORM, Entry
from tests.cache.conftest import Service
from tests.support.faulty_servers import Valkey

ENTRY = Entry.of(Response(b'[{"rank":1}]', mimetype="application/json", headers={"X-Total-Count": "1"}), 10.5, 20.25)


def test_an_entry_comes_back_as_it_was() -> None:
    assert Entry.read(ENTRY.dump()) == ENTRY
    assert Entry.read(None) is None


@given(st.binary(max_size=300))
def test_a_payload_comes_back_whatever_its_bytes(payload: bytes) -> None:
    entry = Entry.of(Response(payload), 1.0, 2.0)
    assert Entry.read(entry.dump()) == entry


@given(position=st.integers(0, len(ENTRY.dump()) - 1), bit=st.integers(0, 7))
def test_a_flipped_bit_is_a_miss(position: int, bit: int) -> None:
    damaged = bytearray(ENTRY.dump())
    damaged[position] ^= 1 << bit
    assert Entry.read(bytes(damaged)) is None


@given(st.integers(0, len(ENTRY.dump()) - 1))
def test_a_truncated_entry_is_a_miss(length: int) -> None:
    assert Entry.read(ENTRY.dump()[:length]) is None


@given(st.binary(max_size=200))
def test_anything_else_is_a_miss(found: bytes) -> None:
    assert Entry.read(found) is None


def stored(head: Any) -> bytes:
    """An entry with the right checksum and a head of any shape."""
    line = orjson.dumps(head) + b"\n[]"
    return b"%08x %s" % (crc32(line), line)


@given(
    st.recursive(st.none() | st.booleans() | st.integers(0, 3) | st.floats(0, 9) | st.text(max_size=3), st.lists)
    | st.tuples(st.just(FORM), st.lists(st.lists(st.text() | st.booleans(), max_size=3)), st.text(), st.floats(0, 9),
                st.floats(0, 9) | st.none())
)  # fmt: skip
def test_a_head_of_another_shape_is_a_miss(head: Any) -> None:
    entry = Entry.read(stored(head))
    if entry is not None:
        assert Entry.read(entry.dump()) == entry
        assert all([*map(type, pair)] == [str, str] for pair in entry.headers)


HEAD = [[["Content-Type", "application/json"]], "0123", 1e10, 1e10]


@pytest.mark.parametrize("form", [FORM - 1, FORM + 1, str(FORM), None])
def test_an_entry_of_another_form_is_a_miss_though_all_else_fits(form: Any) -> None:
    assert Entry.read(stored([FORM, *HEAD])) is not None
    assert Entry.read(stored([form, *HEAD])) is None


class Exploit:
    """Runs code where it is unpickled."""

    def __reduce__(self) -> tuple[object, ...]:
        raise AssertionError("nothing here is pickled")


OF_OTHER_FORMS = {
    "the first form": b'[1,"application/json",{},"0123",1.0,2.0]\n[]',
    "the next form": stored([FORM + 1, *HEAD]),
    "a pickle": pickle.dumps({"rank": 1}),
    "Flask-Caching's": b"!" + pickle.dumps([1]),
    "an integer": b"12",
    "text": "ä".encode("latin-1"),
    "nothing": b"",
    "zeros": bytes(1000),
    "a great deal": b"x" * 5_000_000,
}


@pytest.mark.parametrize("name", OF_OTHER_FORMS)
def test_what_is_not_ours_is_a_miss_and_written_over(shared: Callable[..., Service], valkey: Valkey, name: str) -> None:
    service = shared()
    service.state()
    with valkey.client as client:
        (key,) = client.keys(f"{service.app.config['CACHE_KEY_PREFIX']}answer:*")
        for _ in range(2):  # behind Flask, and before
            client.set(key, OF_OTHER_FORMS[name])
            assert [service.state(), service.state()] == ["MISS", "HIT"]
        client.delete(key)
        client.rpush(key, "a list")
        assert [service.state(), service.state()] == ["MISS", "HIT"]


def test_a_generation_that_is_no_token_does_no_harm(shared: Callable[..., Service], valkey: Valkey) -> None:
    service = shared()
    service.state()
    with valkey.client as client:
        for token in (b"\xff\xfe:,\x00", b"", b"a b"):
            client.set(f"{service.app.config['CACHE_KEY_PREFIX']}generation:user:1", token)
            assert service.state() == "MISS"
            assert service.get("/cache/size").status_code == 200


def test_numbers_that_are_none_do_no_harm(shared: Callable[..., Service], valkey: Valkey) -> None:
    service = shared()
    with valkey.client as client:
        client.set(f"{service.app.config['CACHE_KEY_PREFIX']}counts", "no numbers")
    assert [service.state(), service.state(), service.get("/cache/stats").status_code] == ["MISS", "HIT", 503]
    assert [service.state(), service.state("/probe/list/2"), service.size()] == ["HIT", "MISS", 2]


def test_nothing_that_is_kept_is_a_pickle(shared: Callable[..., Service], valkey: Valkey) -> None:
    service = shared()
    service.state()
    client = valkey.client
    client.connection_pool.connection_kwargs["decode_responses"] = False
    with client:
        for key in client.keys(f"{service.app.config['CACHE_KEY_PREFIX']}*".encode()):
            if client.type(key) == b"string":
                assert not client.get(key).startswith((b"\x80", b"!"))


def test_a_hit_parses_and_dumps_nothing(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    service.probe.answer = ["a payload"] * 10
    service.state()

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a hit is bytes")

    monkeypatch.setattr(service.app.json, "dumps", refuse)
    monkeypatch.setattr(service.app.json, "loads", refuse)
    monkeypatch.setattr(service.app.json, "response", refuse)
    loaded: list[bytes] = []

    class Noting:
        dumps = staticmethod(refuse)

        @staticmethod
        def loads(text: bytes) -> object:
            loaded.append(text)
            return orjson.loads(text)

    monkeypatch.setattr(entries, "orjson", Noting)
    assert [service.state(), service.state()] == ["HIT", "HIT"]
    assert all(b"payload" not in text for text in loaded)
