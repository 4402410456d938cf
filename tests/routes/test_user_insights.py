"""The insights of one user: each definition of the contract, by example."""

from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import text

from config import PLACEHOLDER_IMAGE
from tests.support.factories import Platform

TOP_TRACKS, TOP_ARTISTS, TOP_PRIMARY = (
    "/insights/top/tracks/1",
    "/insights/top/artists/1",
    "/insights/top/primary-artists/1",
)


def ids(rows: list[dict[str, object]], name: str) -> list[object]:
    """One column of a list."""
    return [row[name] for row in rows]


def test_a_top_track_has_every_field_of_the_contract(client: FlaskClient, platform: Platform) -> None:
    user = platform.user(1)
    main, guest = platform.artist("main", "Main"), platform.artist("guest", "Guest")
    track = platform.track(
        "t",
        "Song",
        200_000,
        primary=[main],
        featured=[guest],
        images=[(300, 300, "https://i.example/300")],
        preview="https://p.example/t",
    )
    platform.listens(user, track, 3)
    platform.listens(user, platform.track("u", duration_ms=100_000), 1)

    assert client.get(TOP_TRACKS, query_string={"limit": 1}).json == [
        {
            "rank": 1,
            "track_id": "t",
            "track_name": "Song",
            "artist_id": "main",
            "artist_name": "Main",
            "artists": [
                {"artist_id": "main", "artist_name": "Main", "is_primary": True},
                {"artist_id": "guest", "artist_name": "Guest", "is_primary": False},
            ],
            "count": 3,
            "listen_time_ms": 600_000,
            "share": 0.75,
            "duration_ms": 200_000,
            "image_url": "https://i.example/300",
            "preview_url": "https://p.example/t",
        }
    ]


def test_a_top_artist_has_every_field_of_the_contract(client: FlaskClient, platform: Platform) -> None:
    artist = platform.artist("a", "Artist", images=[(64, 64, "https://i.example/a")])
    platform.listens(platform.user(1), platform.track(primary=[artist], duration_ms=1000), 2)

    assert client.get(TOP_ARTISTS).json == [
        {
            "rank": 1,
            "artist_id": "a",
            "artist_name": "Artist",
            "count": 2,
            "listen_time_ms": 2000,
            "share": 1.0,
            "image_url": "https://i.example/a",
        }
    ]


def test_only_compare_adds_the_previous_place(client: FlaskClient, platform: Platform) -> None:
    user, old, new = platform.user(1), platform.track("old"), platform.track("new")
    platform.listens(user, old, 2, day="2026-10-05")
    platform.listens(user, old, 1, day="2026-11-05")
    platform.listens(user, new, 2, day="2026-11-06")

    rows = client.get(TOP_TRACKS, query_string={"range": "this_month", "compare": "previous"}).json

    told = ("track_id", "rank", "count", "previous_rank", "previous_count")
    assert [tuple(row[name] for name in told) for row in rows] == [("new", 1, 2, None, None), ("old", 2, 1, 1, 2)]


def test_the_previous_rank_is_by_the_same_measure_and_the_previous_count_is_of_listens(
    client: FlaskClient, platform: Platform
) -> None:
    user = platform.user(1)
    short, long = platform.track("short", duration_ms=1000), platform.track("long", duration_ms=9000)
    for track, number in ((short, 2), (long, 1)):
        platform.listens(user, track, number, day="2026-10-05")
        platform.listens(user, track, 1, day="2026-11-05")

    query = {"range": "this_month", "compare": "previous", "by": "listen_time"}

    told = ("track_id", "rank", "previous_rank", "previous_count")
    assert [tuple(row[name] for name in told) for row in client.get(TOP_TRACKS, query_string=query).json] == [
        ("long", 1, 1, 1),
        ("short", 2, 2, 2),
    ]


def test_a_listen_counts_once_for_each_credited_artist_in_artists(client: FlaskClient, platform: Platform) -> None:
    one, two, guest = platform.artist("1"), platform.artist("2"), platform.artist("guest")
    platform.listens(platform.user(1), platform.track(primary=[one, two], featured=[guest]), 2)

    rows = client.get(TOP_ARTISTS).json

    assert [(row["artist_id"], row["count"], row["share"]) for row in rows] == [
        ("1", 2, 1),
        ("2", 2, 1),
        ("guest", 2, 1),
    ]


def test_a_listen_counts_once_for_each_primary_artist_in_primary_artists(
    client: FlaskClient, platform: Platform
) -> None:
    one, two, guest = platform.artist("1"), platform.artist("2"), platform.artist("guest")
    platform.listens(platform.user(1), platform.track(primary=[one, two], featured=[guest]), 2)

    assert [(row["artist_id"], row["count"]) for row in client.get(TOP_PRIMARY).json] == [("1", 2), ("2", 2)]


def test_two_artists_of_one_name_stay_two(client: FlaskClient, platform: Platform) -> None:
    user = platform.user(1)
    for id, number in (("x", 1), ("y", 2)):
        platform.listens(user, platform.track(primary=[platform.artist(id, "Same")]), number)

    assert [(row["artist_id"], row["artist_name"], row["count"]) for row in client.get(TOP_ARTISTS).json] == [
        ("y", "Same", 2),
        ("x", "Same", 1),
    ]
    assert client.get("/insights/distinct/artists/1").json == 2


def test_a_track_is_one_row_however_many_primary_artists_and_images_it_has(
    client: FlaskClient, platform: Platform
) -> None:
    track = platform.track(
        primary=[platform.artist(id) for id in "cab"],
        images=[(64, 64, "64"), (300, 300, "300"), (640, 640, "640")],
    )
    platform.listens(platform.user(1), track, 2)

    (row,) = client.get(TOP_TRACKS).json

    assert (row["count"], row["share"], ids(row["artists"], "artist_id")) == (2, 1, ["a", "b", "c"])


def test_of_several_primary_artists_a_track_names_the_one_of_the_smallest_id(
    client: FlaskClient, platform: Platform
) -> None:
    # Byte by byte, "B" comes before "a".
    primary = [platform.artist("a", "Small a"), platform.artist("B", "Capital B")]
    platform.listens(platform.user(1), platform.track(primary=primary, featured=[platform.artist("A")]), 1)

    (row,) = client.get(TOP_TRACKS).json

    assert (row["artist_id"], row["artist_name"]) == ("B", "Capital B")
    assert ids(row["artists"], "artist_id") == ["B", "a", "A"]


@pytest.mark.parametrize("featured", [[], ["guest"]])
def test_a_track_without_primary_artist_has_none(featured: list[str], client: FlaskClient, platform: Platform) -> None:
    platform.listens(platform.user(1), platform.track(featured=map(platform.artist, featured)), 1)

    (row,) = client.get(TOP_TRACKS).json

    assert (row["artist_id"], row["artist_name"], ids(row["artists"], "artist_id")) == (None, None, featured)
    assert client.get(TOP_PRIMARY).json == []
    assert client.get("/insights/distinct/primary-artists/1").json == 0
    assert client.get("/insights/distinct/artists/1").json == len(featured)


def test_the_share_of_an_artist_is_of_all_listens_also_those_without_artist(
    client: FlaskClient, platform: Platform
) -> None:
    user = platform.user(1)
    platform.listens(user, platform.track(primary=[platform.artist()]), 1)
    platform.listens(user, platform.track(), 3)

    assert ids(client.get(TOP_ARTISTS).json, "share") == [0.25]


@pytest.mark.parametrize(
    ("images", "shown"),
    [
        ([], PLACEHOLDER_IMAGE),
        ([(64, 64, "z"), (640, 10, "y"), (300, 300, "x")], "y"),  # the widest
        ([(300, 200, "a"), (300, 400, "b"), (300, 300, "c")], "b"),  # of equal width the tallest
        ([(64, 300, "a"), (64, 64, "b")], "a"),
        ([(64, 300, "b"), (64, 64, "a")], "b"),
        ([(0, 64, "a"), (0, 300, "b")], "b"),
        ([(0, 300, "a"), (1, 1, "b")], "b"),  # the widest, however small
    ],
)
def test_the_image_is_the_widest_then_the_tallest_or_the_placeholder(
    images: list[tuple[int, int, str]], shown: str, client: FlaskClient, platform: Platform
) -> None:
    artist = platform.artist(images=images)
    platform.listens(platform.user(1), platform.track(primary=[artist], images=images), 1)

    for path in (TOP_TRACKS, TOP_ARTISTS, TOP_PRIMARY):
        assert ids(client.get(path).json, "image_url") == [shown]


def test_a_track_without_preview_has_null(client: FlaskClient, platform: Platform) -> None:
    platform.listens(platform.user(1), platform.track(), 1)

    assert ids(client.get(TOP_TRACKS).json, "preview_url") == [None]


def test_ranks_are_competition_ranks_over_the_whole_list_and_ties_go_by_id(
    client: FlaskClient, platform: Platform
) -> None:
    user = platform.user(1)
    for id, number in (("b", 2), ("a", 1), ("C", 2), ("é", 2), ("_", 1), ("top", 3)):
        platform.listens(user, platform.track(id), number)

    rows = client.get(TOP_TRACKS).json
    pages = [client.get(TOP_TRACKS, query_string={"limit": 2, "offset": offset}).json for offset in (0, 2, 4)]

    assert [(row["rank"], row["track_id"]) for row in rows] == [
        (1, "top"),
        (2, "C"),
        (2, "b"),
        (2, "é"),
        (5, "_"),
        (5, "a"),
    ]
    assert [row for page in pages for row in page] == rows


def test_by_listen_time_ranks_and_shares_by_time(client: FlaskClient, platform: Platform) -> None:
    user = platform.user(1)
    platform.listens(user, platform.track("short", duration_ms=1000), 3)
    platform.listens(user, platform.track("long", duration_ms=9000), 1)

    rows = client.get(TOP_TRACKS, query_string={"by": "listen_time"}).json

    assert [(row["rank"], row["track_id"], row["count"], row["share"]) for row in rows] == [
        (1, "long", 1, 0.75),
        (2, "short", 3, 0.25),
    ]


def test_by_listen_time_over_no_time_shares_nothing(client: FlaskClient, platform: Platform) -> None:
    platform.listens(platform.user(1), platform.track(duration_ms=0), 2)

    (row,) = client.get(TOP_TRACKS, query_string={"by": "listen_time"}).json

    assert (row["listen_time_ms"], row["share"]) == (0, 0)


def test_a_window_is_half_open(client: FlaskClient, platform: Platform) -> None:
    user, track = platform.user(1), platform.track()
    for instant in ("2025-12-31T23:59:59.999999", "2026-01-01", "2026-01-31T23:59:59.999999", "2026-02-01"):
        platform.listen(user, track, instant)

    query = {"from": "2026-01-01", "to": "2026-02-01"}

    assert client.get("/insights/total/listens/1", query_string=query).json == 2
    assert client.get("/insights/total/listens/1", query_string=query | {"tz": "Asia/Kathmandu"}).json == 2
    assert client.get("/insights/total/listens/1", query_string={"from": "2026-01-01"}).json == 3
    assert client.get("/insights/total/listens/1", query_string={"to": "2026-01-01"}).json == 1


def test_listens_of_another_user_count_nowhere(client: FlaskClient, platform: Platform) -> None:
    one, other = platform.user(1), platform.user(2)
    platform.listens(one, platform.track("own"), 1)
    platform.listens(other, platform.track("other", primary=[platform.artist()]), 2)

    assert ids(client.get(TOP_TRACKS).json, "track_id") == ["own"]
    assert client.get(TOP_ARTISTS).json == []
    assert client.get("/insights/total/listens/1").json == 1


@pytest.mark.parametrize("user_id", [1, 77, 2_147_483_647])
@pytest.mark.parametrize(
    ("path", "empty"),
    [
        ("top/tracks", []),
        ("top/artists", []),
        ("top/primary-artists", []),
        ("total/listens", 0),
        ("total/listen-time", 0),
        ("distinct/tracks", 0),
        ("distinct/artists", 0),
        ("distinct/primary-artists", 0),
    ],
)
def test_a_user_without_listens_has_the_empty_result(
    path: str, empty: object, user_id: int, client: FlaskClient, platform: Platform
) -> None:
    platform.user(1)

    answer = client.get(f"/insights/{path}/{user_id}")

    assert (answer.status_code, answer.json) == (200, empty)


def test_text_is_told_as_it_is_in_utf_8(client: FlaskClient, platform: Platform) -> None:
    name = "Été “déjà vu” <b>\\ 音楽 🎧"
    platform.listens(platform.user(1), platform.track(name=name, primary=[platform.artist(name=name)]), 1)

    answer = client.get(TOP_TRACKS)

    assert (answer.json[0]["track_name"], answer.json[0]["artist_name"]) == (name, name)
    assert name.partition(" ")[0].encode() in answer.data


BEYOND = (
    "-infinity", "0044-03-15 BC", "0001-01-01", "1969-12-31 23:59:59.999999", "2101-01-01", "9999-12-31", "infinity"
)  # fmt: skip
ANSWERS = (
    "top/tracks", "discoveries/tracks", "discoveries/artists", "total/listens", "summary", "clock", "activity"
)  # fmt: skip
WITHIN = ("1970-01-01", "2100-12-31 23:59:59.999999")


def test_listens_before_1970_or_after_2100_are_in_no_answer(client: FlaskClient, platform: Platform) -> None:
    platform.user(1), platform.track("t", primary=[platform.artist("a", genres=["pop"])])
    platform.user(2), platform.track("beyond", primary=[platform.artist("b", genres=["rock"])])
    listen = text('INSERT INTO "History" VALUES (:user, CAST(:instant AS timestamp), :track)')
    for track, instants in (("t", WITHIN), ("beyond", BEYOND)):
        for instant in instants:
            platform.session.execute(listen, {"user": 1, "instant": instant, "track": track})
    for instant in BEYOND:
        platform.session.execute(listen, {"user": 2, "instant": instant, "track": "t"})
    first, last = "1970-01-01T00:00:00Z", "2100-12-31T23:59:59.999999Z"

    for audience, suffix in (("", "/1"), ("global/", ""), ("global/", "?users=1,2")):
        answers = {name: client.get(f"/insights/{audience}{name}{suffix}").json for name in ANSWERS}
        assert ids(answers["top/tracks"], "track_id") == ids(answers["discoveries/tracks"], "track_id") == ["t"]
        assert ids(answers["discoveries/artists"], "first_listened_at") == [first]
        assert answers["total/listens"] == answers["summary"]["listens"] == answers["summary"]["active_days"] == 2
        assert (answers["summary"]["first_listen_at"], answers["summary"]["last_listen_at"]) == (first, last)
        assert answers["summary"]["distinct_genres"] == 1
        assert sum(map(sum, answers["clock"]["count"])) == 2
        assert len(answers["activity"]["buckets"]) == 131
    assert client.get("/insights/global/distinct/listeners").json == 1
    for path in ("tracks/t", "artists/a"):
        page = client.get(f"/insights/{path}").json
        assert (page["listens"], page["listeners"]) == (2, 1)
        assert (page["first_listened_at"], page["last_listened_at"]) == (first, last)
    assert client.get("/insights/tracks/beyond").json["listens"] == 0
    assert ids(client.get("/insights/history/1").json["items"], "played_at") == [last, first]
    assert client.get("/insights/streaks/1").json["longest"]["start"] == "2100-12-31"
    assert client.get("/insights/sessions/1").json["sessions"] == 2
    assert client.get("/insights/wrapped/1/1970?tz=Asia/Tokyo").json["listens"] == 1
    assert client.get("/insights/on-this-day/1?date=2100-01-01").json["years"][0]["year"] == 1970
    assert client.get("/insights/total/listens/2").json == 0


@pytest.mark.parametrize("before", ["0001-01-01T12:00:00Z", "10000-01-01", "0000-01-01", "2101-01-02"])
def test_no_page_of_the_history_is_before_another_instant(before: str, client: FlaskClient) -> None:
    assert client.get("/insights/history/1", query_string={"before": before}).status_code == 400


def test_records_before_1970_or_after_2100_are_in_no_page(client: FlaskClient, platform: Platform) -> None:
    platform.track("t", primary=[platform.artist("a")])
    for table, id_ in (("TrackPopularity", "t"), ("ArtistPopularity", "a"), ("ArtistFollowers", "a")):
        record = text(f'INSERT INTO "{table}" VALUES (:id, CAST(:date AS timestamp), 7)')
        for date in (*BEYOND, *WITHIN):
            platform.session.execute(record, {"id": id_, "date": date})
    track, artist = client.get("/insights/tracks/t").json, client.get("/insights/artists/a").json

    for record in (track["popularity"], artist["popularity"], artist["followers"]):
        assert ids(record, "date") == ["1970-01-01T00:00:00Z", "2100-12-31T23:59:59.999999Z"]


def test_the_next_page_of_the_history_is_nobody_elses(client: FlaskClient, platform: Platform) -> None:
    platform.listens(platform.user(1), platform.track("t"), 3)
    first, second = (client.get(f"/insights/history/{user_id}?limit=1") for user_id in ("001", "1"))

    assert second.headers["X-Cache"] == "HIT"
    assert first.json["next"] == second.json["next"]
    assert second.json["next"].startswith("/insights/history/1?")


@pytest.mark.parametrize("year", [1970, 2019])
def test_on_this_day_begins_with_the_first_listen(year: int, client: FlaskClient, platform: Platform) -> None:
    user, track = platform.user(1), platform.track("t")
    platform.listen(user, track, f"{year:04}-12-31T12:00:00Z")
    query = {"date": "2020-12-31", "tz": "America/Havana"}

    assert ids(client.get("/insights/on-this-day/1", query_string=query).json["years"], "year") == [year]


def test_on_this_day_begins_where_1970_does_in_utc(client: FlaskClient, platform: Platform) -> None:
    platform.listen(platform.user(1), platform.track("t"), "1970-01-01T02:00:00Z")
    query = {"date": "2020-12-31", "tz": "America/Havana"}

    assert ids(client.get("/insights/on-this-day/1", query_string=query).json["years"], "year") == [1969]


def test_the_least_that_a_feature_can_be_is_a_value(client: FlaskClient, platform: Platform) -> None:
    platform.listens(platform.user(1), platform.track(features={"tempo": 5e-324, "loudness": -5e-324}), 2)
    features = client.get("/insights/features/1").json["features"]

    assert (features["tempo"]["max"], features["tempo"]["histogram"][0]) == (5e-324, 2)
    assert (features["loudness"]["min"], features["loudness"]["histogram"][9]) == (-5e-324, 2)


@pytest.mark.parametrize("value", [1e155, -1e308, float("inf"), float("-inf"), float("nan")])
def test_a_feature_that_nothing_can_be_computed_of_is_none(
    value: float, client: FlaskClient, platform: Platform
) -> None:
    user = platform.user(1)
    platform.listens(user, platform.track(features={"tempo": value, "energy": value}), 3)
    platform.listens(user, platform.track(features={"tempo": 120.0, "energy": value}), 2)
    for path in ("/insights/features/1", "/insights/global/features"):
        answer = client.get(path)

        assert answer.status_code == 200
        assert answer.json["coverage"] == 1
        tempo = answer.json["features"]["tempo"]
        assert (tempo["mean"], tempo["stddev"], tempo["min"], tempo["max"]) == (120, 0, 120, 120)
        assert sum(tempo["histogram"]) == 2
        assert answer.json["features"]["energy"] == {
            "mean": None, "stddev": None, "min": None, "max": None, "histogram": [0] * 10
        }  # fmt: skip


def test_a_negative_duration_counts_as_0(client: FlaskClient, platform: Platform) -> None:
    artist = platform.artist("a", genres=["g"])
    user = platform.user(1)
    wrong = platform.track("wrong", duration_ms=-60_000, primary=[artist])
    platform.listen(user, platform.track("right", duration_ms=1000, primary=[artist]), "2026-11-20T12:00:00")
    platform.listen(user, wrong, "2026-11-20T12:00:30")
    platform.listen(user, wrong, "2025-11-23T12:00:00")

    def get(path: str) -> Any:
        return client.get(f"/insights/{path}").json

    for whose, one in (("", "/1"), ("global/", "")):
        assert get(f"{whose}total/listen-time{one}") == 1000
        assert [row["listen_time_ms"] for row in get(f"{whose}top/tracks{one}?by=listen_time")] == [1000, 0]
        assert [row["duration_ms"] for row in get(f"{whose}top/tracks{one}")] == [0, 1000]
        for list_ in ("artists", "primary-artists", "genres"):
            assert ids(get(f"{whose}top/{list_}{one}"), "listen_time_ms") == [1000]
        assert get(f"{whose}summary{one}")["listen_time_ms"] == 1000
        assert sum(map(sum, get(f"{whose}clock{one}")["listen_time_ms"])) == 1000
        assert ids(get(f"{whose}activity{one}?bucket=year")["buckets"], "listen_time_ms") == [0, 1000]
        assert get(f"{whose}discoveries/tracks{one}")[-1]["listen_time_ms"] == 0
    assert get("on-this-day/1")["years"][0]["top_tracks"][0]["listen_time_ms"] == 0
    assert get("wrapped/1/2025")["listen_time_ms"] == 0
    assert get("history/1")["items"][0]["duration_ms"] == 0
    assert get("tracks/wrong")["track"]["duration_ms"] == get("tracks/wrong")["listen_time_ms"] == 0
    assert get("artists/a")["top_listeners"][0]["listen_time_ms"] == 1000
    sessions = get("sessions/1?gap_minutes=1")
    assert [(one["listens"], one["duration_ms"]) for one in sessions["longest"]] == [(2, 31_000), (1, 0)]
