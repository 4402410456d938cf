"""ETag and 304, compressed and not, before Flask and behind."""

from collections.abc import Callable

import pytest

from tests.cache.conftest import Service

# Long enough to be worth compressing.
LONG = ["an answer"] * 200
CACHE_HEADERS = ("Cache-Control", "ETag", "Vary", "X-Total-Count", "Link")


@pytest.fixture
def listing(service: Service) -> Service:
    service.probe.answer = LONG
    service.probe.headers = {"X-Total-Count": "200", "Link": '</a>; rel="first"'}
    return service


def test_answers_say_how_they_may_be_kept(listing: Service) -> None:
    for _ in range(3):
        headers = listing.get().headers
        assert headers["Cache-Control"] == "private, no-cache"
        assert "Accept-Encoding" in headers["Vary"]
        assert headers["ETag"].startswith('"')


@pytest.mark.parametrize("encoding", ["", "identity", "zstd", "br", "gzip", "gzip, deflate, br, zstd", "*"])
def test_who_has_an_answer_is_told_so(listing: Service, encoding: str) -> None:
    for _ in range(3):
        full = listing.get(Accept_Encoding=encoding)
        assert full.status_code == 200
        etag = full.headers["ETag"]
        told = listing.get(Accept_Encoding=encoding, If_None_Match=etag)
        assert (told.status_code, told.data) == (304, b"")
        assert "Content-Type" not in told.headers
        for name in CACHE_HEADERS:
            assert told.headers[name] == full.headers[name]
    assert listing.probe.calls == 1


def test_a_tag_of_another_encoding_will_do(listing: Service) -> None:
    compressed, plain = listing.get(Accept_Encoding="zstd"), listing.get()
    assert compressed.headers["Content-Encoding"] == "zstd"
    assert compressed.headers["ETag"] != plain.headers["ETag"]
    told = listing.get(If_None_Match=compressed.headers["ETag"])
    assert (told.status_code, told.headers["ETag"]) == (304, compressed.headers["ETag"])
    assert listing.get(Accept_Encoding="br", If_None_Match=plain.headers["ETag"]).status_code == 304


@pytest.mark.parametrize("form", ["*", "W/{}", '"another", {}', '{}, "another"', 'W/"another", W/{}', "{} ,"])
@pytest.mark.parametrize("encoding", ["", "gzip"])
def test_a_tag_may_stand_in_a_list_and_be_weak(listing: Service, form: str, encoding: str) -> None:
    etag = listing.get(Accept_Encoding=encoding).headers["ETag"]
    for _ in range(2):
        told = listing.get(Accept_Encoding=encoding, If_None_Match=form.format(etag))
        assert (told.status_code, told.data) == (304, b"")
        assert told.headers["ETag"].strip('"').partition(":")[0] == etag.strip('"').partition(":")[0]


@pytest.mark.parametrize("tag", ['"another"', "nonsense", '""', "", '"', "\udcff", '"' + "x" * 3000 + '"'])
@pytest.mark.parametrize("encoding", ["", "gzip"])
def test_another_tag_will_not_do(listing: Service, tag: str, encoding: str) -> None:
    tag = tag.encode("utf-8", "surrogateescape").decode("latin-1")
    for _ in range(3):
        answer = listing.get(If_None_Match=tag, Accept_Encoding=encoding)
        assert answer.status_code == 200
        assert len(answer.data) == int(answer.headers["Content-Length"]) > 50


def test_the_tag_is_that_of_payload_and_list_headers(listing: Service) -> None:
    etags = [listing.get().headers["ETag"]]
    listing.invalidate()
    assert listing.get().headers["ETag"] == etags[0]
    listing.probe.headers["X-Total-Count"] = "201"
    listing.invalidate()
    etags.append(listing.get().headers["ETag"])
    listing.probe.answer = LONG[1:]
    listing.invalidate()
    etags.append(listing.get().headers["ETag"])
    assert len(set(etags)) == 3


def test_the_tag_is_the_same_on_every_backend_and_without_one(make_service: Callable[..., Service]) -> None:
    tags = {make_service(CACHE_TYPE=kind).get().headers["ETag"] for kind in ("SimpleCache", "NullCache")}
    assert len(tags) == 1


def test_a_tag_outlives_an_invalidation_that_changed_nothing(listing: Service) -> None:
    etag = listing.get().headers["ETag"]
    listing.invalidate()
    told = listing.get(If_None_Match=etag)
    assert (told.status_code, told.headers["X-Cache"]) == (304, "MISS")


@pytest.mark.parametrize("encoding", ["", "gzip"])
def test_head_has_the_headers_of_get(listing: Service, encoding: str) -> None:
    for _ in range(2):
        full = listing.get(Accept_Encoding=encoding)
        head = listing.client.head("/probe/list/1", headers={"Accept-Encoding": encoding})
        assert (head.status_code, head.data) == (200, b"")
        for name in (*CACHE_HEADERS, "Content-Type"):
            assert head.headers[name] == full.headers[name]
        told = listing.client.head("/probe/list/1", headers={"If-None-Match": full.headers["ETag"]})
        assert told.status_code == 304


@pytest.mark.parametrize("encoding", ["", "zstd", "br", "gzip"])
def test_a_hit_is_the_answer_byte_for_byte(listing: Service, encoding: str) -> None:
    answers = [listing.get(Accept_Encoding=encoding) for _ in range(4)]
    assert [answer.headers["X-Cache"] for answer in answers] == ["MISS", "HIT", "HIT", "HIT"]
    headers = [
        {(name, value) for name, value in answer.headers if name not in {"X-Cache", "X-Request-ID"}}
        for answer in answers
    ]
    assert headers[0] == headers[1] == headers[2] == headers[3]
    assert len({answer.headers["X-Request-ID"] for answer in answers}) == 4
    assert {answer.headers.get("Content-Encoding", "") for answer in answers} == {encoding}
    assert all(int(answer.headers["Content-Length"]) == len(answer.data) for answer in answers)
    if encoding != "gzip":  # which says when it was made
        assert len({answer.data for answer in answers}) == 1


def test_errors_are_not_to_be_kept(service: Service) -> None:
    answer = service.get("/probe/list/0")
    assert (answer.status_code, answer.headers["Cache-Control"]) == (400, "no-store")
    assert "ETag" not in answer.headers
