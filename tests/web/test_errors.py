"""Errors: which requests are wrong, and the problem that says so."""

from typing import Any
from urllib.parse import quote, unquote

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.support.factories import Platform

MEMBERS = {"type", "title", "status", "detail", "instance", "error", "request_id"}
LIST, NUMBER = "/insights/top/tracks/1", "/insights/total/listens/1"
GLOBAL_LIST = "/insights/global/top/tracks"
LIMIT_DETAIL, USER_DETAIL = "Limit must be between 1 and 100", "Invalid user_id parameter"


def check_problem(answer: TestResponse, status: int) -> dict[str, Any]:
    """The problem document of an answer, checked for all that every problem has."""
    assert answer.status_code == status, answer.text
    assert answer.content_type == "application/problem+json"
    assert answer.headers["Cache-Control"] == "no-store"
    body: dict[str, Any] = answer.json
    assert body.keys() - {"errors"} == MEMBERS
    assert body["status"] == status
    assert body["error"] == body["detail"]
    assert unquote(body["instance"]) == answer.request.path
    assert body["request_id"] == answer.headers["X-Request-ID"]
    assert ("errors" in body) == (status == 400)
    if status == 400:
        assert body["detail"] == body["errors"][0]["detail"]
        assert all(item.keys() == {"parameter", "detail"} for item in body["errors"])
    assert len(answer.data) - len(body["instance"]) < 1500
    return body


def wrong(answer: TestResponse) -> list[str]:
    """The parameters that a 400 names."""
    return [item["parameter"] for item in check_problem(answer, 400)["errors"]]


USER_PATHS = ["top/tracks", "top/artists", "top/primary-artists", "total/listens", "total/listen-time"]


@pytest.mark.parametrize("path", USER_PATHS)
@pytest.mark.parametrize(
    "given",
    ["0", "00", "2147483648", "99999999999", "-1", "+1", "1.0", "1e3", "0x1", "abc", "%00", "1%00", "1%20", "%201",
     "1,2", "1_0", "%EF%BC%91", "%D9%A1", "%C2%B2", "%FF", "%", "null", "1%0A", "9" * 400, "1" * 6000],
)  # fmt: skip
def test_a_user_id_is_digits_from_1_to_2147483647(path: str, given: str, client: FlaskClient) -> None:
    body = check_problem(client.get(f"/insights/{path}/{given}"), 400)

    assert body["detail"] == USER_DETAIL
    assert body["errors"] == [{"parameter": "user_id", "detail": USER_DETAIL}]


@pytest.mark.parametrize("given", ["1", "01", "0000000001", "0" * 40 + "1", "2147483647"])
def test_leading_zeros_of_a_user_id_are_fine(given: str, client: FlaskClient) -> None:
    assert client.get(f"/insights/total/listens/{given}").status_code == 200


@pytest.mark.parametrize("path", [LIST, "/insights/top/artists/1", GLOBAL_LIST, "/insights/global/top/listeners"])
@pytest.mark.parametrize(
    "given",
    [
        "0",
        "101",
        "-1",
        "+1",
        "1.0",
        "1e1",
        "ten",
        " 10",
        "10 ",
        "1_0",
        "\uff11\uff10",
        "\u0663",
        "\u00b2",
        "\0",
        "1" * 6000,
    ],
)
def test_a_wrong_limit_has_one_text(path: str, given: str, client: FlaskClient) -> None:
    body = check_problem(client.get(path, query_string={"limit": given}), 400)

    assert body["detail"] == LIMIT_DETAIL
    assert body["errors"] == [{"parameter": "limit", "detail": LIMIT_DETAIL}]


def test_a_limit_given_twice_has_the_same_text(client: FlaskClient) -> None:
    assert check_problem(client.get(LIST + "?limit=1&limit=1"), 400)["detail"] == LIMIT_DETAIL


@pytest.mark.parametrize("given", ["1", "100", "010", "", "10"])
def test_a_limit_from_1_to_100_is_right(given: str, client: FlaskClient, platform: Platform) -> None:
    user = platform.user(1)
    for _ in range(12):
        platform.listens(user, platform.track(), 1)

    rows = client.get(LIST, query_string={"limit": given}).json

    assert len(rows) == min(int(given or 10), 12)


@pytest.mark.parametrize(
    ("name", "given"),
    [
        ("offset", ["-1", "10001", "1.5", "x", "\uff11", "9" * 6000]),
        ("by", ["plays", "COUNT", "count ", "listen-time", "\0"]),
        ("compare", ["prev", "PREVIOUS", "true"]),
        ("range", ["0d", "3661d", "07d", "7D", "d", "-1d", "this_day", "last_decade", "Today", "today ", "\u0667d"]),
        ("from", ["2026", "2026-13-01", "2026-02-29", "0000-01-01", "10000-01-01", "1969-12-31", "2101-01-02",
                  "2026-01-01T25:00", "20260101", "now", "1767225600", "2026-01-01T00:00:00+24:00", "\0",
                  "2026-01-01\0", "2" * 6000, "2026-01-01T00:00:00." + "0" * 6000]),
        ("to", ["1970-01-00", "2101-01-01T00:00:00.000001", "x" * 6000]),
        ("tz", ["America", "Mars/Olympus", "../UTC", "/etc/passwd", "utc", "UTC ", "localtime", "posixrules", "+02:00",
                "\0", "UTC\0", "Europe/Paris\n", "é", "A/" * 3000, "x" * 6000]),
        ("nonsense", ["1", ""]),
        ("user_id", ["1"]),
        ("Limit", ["1"]),
        ("x" * 30, ["y" * 6000]),
    ],
)  # fmt: skip
def test_a_value_out_of_bounds_names_its_parameter(name: str, given: list[str], client: FlaskClient) -> None:
    for path in (LIST, GLOBAL_LIST):
        for value in given:
            query = {name: value} | ({"range": "today"} if name == "compare" else {})
            assert wrong(client.get(path, query_string=query)) == [name], value


def test_an_unknown_parameter_of_6_kb_is_told_in_short(client: FlaskClient) -> None:
    (name,) = wrong(client.get(LIST, query_string={"x" * 6000: "1"}))

    assert name.startswith("xxx")


@pytest.mark.parametrize("name", ["limit", "offset", "by", "compare", "users", "as_string"])
def test_a_parameter_of_other_routes_is_unknown_here(name: str, client: FlaskClient) -> None:
    assert wrong(client.get(NUMBER, query_string={name: "1"})) == [name]


def test_a_users_id_that_is_no_parameter_is_unknown(client: FlaskClient) -> None:
    problem = client.get("/insights/global/summary?user_id=1").json
    assert problem["detail"].startswith("unknown parameter 'user_id': allowed are ")


@pytest.mark.parametrize(
    "query",
    [
        "offset=0&offset=0",
        "tz=UTC&tz=UTC",
        "by=&by=count",
        "range=today&range=",
        "from=&from=",
        "as_string=1&as_string=1",
    ],
)
def test_a_parameter_given_twice_is_wrong(query: str, client: FlaskClient) -> None:
    name = query.partition("=")[0]
    path = "/insights/total/listen-time/1" if name == "as_string" else LIST

    assert wrong(client.get(f"{path}?{query}")) == [name]


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("range=today&range=today&compare=previous", ["range"]),
        ("range=&range=today&compare=previous", ["range"]),
        ("to=2020-01-01&to=2021-01-01&from=2020-06-01", ["to"]),
        ("range=today&range=today&limit=0&tz=nowhere", ["range", "limit", "tz"]),
    ],
)
def test_what_goes_with_a_parameter_given_twice_is_not_wrong_too(
    query: str, names: list[str], client: FlaskClient
) -> None:
    assert wrong(client.get(f"{LIST}?{query}")) == names


@pytest.mark.parametrize("given", ["2", "on", "off", "t", "y", "none", " true", "tru\0e", "1" * 6000, "\uff59es"])
def test_as_string_is_one_of_six_words(given: str, client: FlaskClient) -> None:
    for path in ("/insights/total/listen-time/1", "/insights/global/total/listen-time"):
        assert wrong(client.get(path, query_string={"as_string": given})) == ["as_string"]


@pytest.mark.parametrize(
    "given",
    ["0", "a", "1,", ",1", "1,,2", ",", "1;2", "1, 2", "1,-2", "+1", "2147483648", "1,99999999999", "\u0661", "1\0",
     "[1]", "1" * 6000, ",".join(["0"] * 3000)],
)  # fmt: skip
def test_users_are_user_ids(given: str, client: FlaskClient) -> None:
    for path in (GLOBAL_LIST, "/insights/global/total/listens", "/insights/global/distinct/listeners"):
        assert wrong(client.get(path, query_string={"users": given})) == ["users"]


@pytest.mark.parametrize(
    "query",
    [
        {"range": "today", "from": "2026-01-01"},
        {"range": "today", "to": "2026-01-01"},
        {"range": "all_time", "from": "2026-01-01"},
        {"range": "today", "from": "2026-01-01", "to": "2026-02-01"},
    ],
)
def test_range_cannot_stand_beside_from_or_to(query: dict[str, str], client: FlaskClient) -> None:
    assert wrong(client.get(LIST, query_string=query)) == ["range"]


@pytest.mark.parametrize(
    ("start", "end", "tz"),
    [
        ("2026-01-01", "2026-01-01", "UTC"),
        ("2026-01-02", "2026-01-01", "UTC"),
        ("2026-01-01T00:00:00", "2026-01-01T00:00:00Z", "America/Havana"),
        ("2026-03-08T00:30:00", "2026-03-08T01:30:00", "America/Havana"),  # one instant: 00:30 is missing
    ],
)
def test_from_has_to_be_before_to(start: str, end: str, tz: str, client: FlaskClient) -> None:
    assert wrong(client.get(LIST, query_string={"from": start, "to": end, "tz": tz})) == ["from"]


@pytest.mark.parametrize(
    "given",
    ["1969-12-31", "2101-01-01", "0001-01-01", "9999-12-31", "2025-02-29", "2026-1-31", "20260131", "2026-01-31T00:00",
     "2026-01-31\0", "\u0662026-01-31", "today", "0" * 6000],
)  # fmt: skip
def test_a_day_is_of_the_years_1970_to_2100(given: str, client: FlaskClient) -> None:
    assert wrong(client.get("/insights/on-this-day/1", query_string={"date": given})) == ["date"]


@pytest.mark.parametrize("tz", ["UTC", "Pacific/Kiritimati", "America/Havana"])
@pytest.mark.parametrize("given", ["1970-01-01", "2100-12-31", "2024-02-29"])
def test_the_first_and_the_last_day_are_right_in_any_zone(given: str, tz: str, client: FlaskClient) -> None:
    answer = client.get("/insights/on-this-day/1", query_string={"date": given, "tz": tz})

    assert (answer.status_code, answer.json) == (200, {"date": given, "tz": tz, "years": []})


@pytest.mark.parametrize("query", [{}, {"range": "all_time"}, {"from": "2026-01-01"}, {"to": "2026-01-01"}])
def test_compare_needs_a_window_with_two_ends(query: dict[str, str], client: FlaskClient) -> None:
    for path in (LIST, GLOBAL_LIST):
        assert wrong(client.get(path, query_string=query | {"compare": "previous"})) == ["compare"]


def test_an_empty_value_is_the_default(client: FlaskClient, platform: Platform) -> None:
    platform.listens(platform.user(1), platform.track(), 1)
    whole = client.get(GLOBAL_LIST).json
    assert whole

    for name in ("limit", "offset", "range", "from", "to", "tz", "by", "compare", "users"):
        answer = client.get(f"{GLOBAL_LIST}?{name}=")
        assert (answer.status_code, answer.json) == (200, whole), name
    assert client.get(f"{GLOBAL_LIST}?range=&from=2026-01-01").status_code == 200


def test_the_path_s_error_comes_first(client: FlaskClient) -> None:
    body = check_problem(client.get("/insights/top/tracks/abc?tz=Mars&nonsense=1&limit=0"), 400)

    assert body["detail"] == USER_DETAIL
    assert body["errors"][0] == {"parameter": "user_id", "detail": USER_DETAIL}
    assert sorted(item["parameter"] for item in body["errors"][1:]) == ["limit", "nonsense", "tz"]


def test_without_an_error_in_the_path_the_detail_is_the_first_one_s(client: FlaskClient) -> None:
    assert sorted(wrong(client.get(f"{LIST}?offset=x&limit=0&by=y"))) == ["by", "limit", "offset"]


@pytest.mark.parametrize(
    ("name", "given", "told"),
    [
        ("offset", "10001", ["10001", "10000"]),
        ("by", "plays", ["plays", "count", "listen_time"]),
        ("range", "this_day", ["this_day", "all_time", "3660"]),
        ("from", "yesterday", ["yesterday", "2026-01-31"]),
        ("tz", "Mars/Olympus", ["Mars/Olympus", "IANA"]),
        ("nonsense", "1", ["nonsense", "limit"]),
    ],
)
def test_a_detail_names_what_was_given_and_what_is_allowed(
    name: str, given: str, told: list[str], client: FlaskClient
) -> None:
    detail = check_problem(client.get(LIST, query_string={name: given}), 400)["detail"]

    assert all(text in detail for text in told), detail


@pytest.mark.parametrize(
    "query", ["tz=%ff", "limit=%", "limit=%zz", "%ff=1", "users=%C3", "tz=%ED%A0%80", "offset=%FF%FE"]
)
def test_percent_encoding_errors_are_a_400(query: str, client: FlaskClient) -> None:
    check_problem(client.get(f"{GLOBAL_LIST}?{query}"), 400)


@pytest.mark.parametrize("path", ["tracks/\xff", "artists/a\xc3", "tracks/\xed\xa0\x80", "tracks/\xef\xbf\xbd\xff"])
def test_a_path_that_is_no_text_is_a_400(path: str, client: FlaskClient, platform: Platform) -> None:
    platform.track("\ufffd", primary=[platform.artist("a\ufffd")])
    # The bytes as a server hands them on: the test's client would not send what is no text.
    sent = client.get("/", environ_overrides={"PATH_INFO": f"/insights/{path}"})
    detail = check_problem(sent, 400)["detail"]

    assert "percent-encoded UTF-8" in detail
    assert client.get("/insights/tracks/%EF%BF%BD").status_code == 200


@pytest.mark.parametrize(("id_", "is_wrong"), [("%zz", True), ("%", True), ("a%2", True), ("%25zz", False)])
def test_a_path_with_a_percent_sign_that_encodes_nothing_is_a_400(
    id_: str, is_wrong: bool, client: FlaskClient, platform: Platform
) -> None:
    platform.track("%zz", primary=[platform.artist()])
    # As a server hands it on.
    given = {"PATH_INFO": f"/insights/tracks/{unquote(id_)}", "RAW_URI": f"/insights/tracks/{id_}?tz=UTC"}
    answer = client.get("/", environ_overrides=given)

    if is_wrong:
        assert "percent-encoded" in check_problem(answer, 400)["detail"]
    else:
        assert answer.status_code == 200


@pytest.mark.parametrize(
    "path",
    ["/nowhere", "/insights//top/tracks/1", "/insights/top/tracks//1",
     "/insights", "/insights/", "/insights/top/tracks", "/insights/top/tracks/", "/insights/top/tracks/1/2",
     "/insights/top/tracks/1/", "/insights/top/albums/1", "/insights/top/listeners/1", "/insights/distinct/listeners/1",
     "/insights/global/top/tracks/1/", "/%00", "/%FF", "/" + quote("é" * 900)],
)  # fmt: skip
def test_an_unknown_path_is_a_404(path: str, client: FlaskClient) -> None:
    check_problem(client.get(path), 404)


@pytest.mark.parametrize("path", [LIST, NUMBER, GLOBAL_LIST, "/insights/top/tracks/abc", "/health", "/cache/size"])
@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_a_wrong_method_is_a_405_that_tells_the_right_ones(path: str, method: str, client: FlaskClient) -> None:
    answer = client.open(path, method=method)

    check_problem(answer, 405)
    assert "GET" in answer.headers["Allow"]


def test_a_refused_invalidation_is_a_403(client: FlaskClient) -> None:
    assert check_problem(client.post("/cache/invalidate"), 403)["error"] == "Invalid secret key"


def test_a_fault_of_the_service_shows_nothing_of_itself(app: Flask, client: FlaskClient) -> None:
    def fail(**_arguments: str) -> None:
        raise RuntimeError("SELECT secret FROM everything")

    app.view_functions["insights.top_tracks"] = fail

    answer = client.get(LIST)

    check_problem(answer, 500)
    assert "secret" not in answer.text
    assert "Traceback" not in answer.text


def test_every_answer_carries_a_request_id_of_its_own(client: FlaskClient) -> None:
    ids = [client.get(path).headers["X-Request-ID"] for path in (LIST, LIST, "/health", "/nowhere", f"{LIST}?limit=0")]

    assert all(ids)
    assert len(set(ids)) == len(ids)


def test_an_error_is_not_kept_in_the_cache(client: FlaskClient) -> None:
    before = client.get("/cache/size").json["size"]
    for _ in range(2):
        check_problem(client.get(f"{LIST}?limit=0"), 400)

    assert client.get("/cache/size").json["size"] == before
