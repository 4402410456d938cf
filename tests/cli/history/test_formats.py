"""Every format: the real files, with the numbers that a person counts in them, and the shapes that have none here."""

import json
import zipfile
from pathlib import Path
from typing import Any

import pytest

from app.cli.embedded.server import EmbeddedPostgres
from tests.cli.history.conftest import ONE, Ingest, Listens, Write, account, outcome, played, scrobble, scrobbles
from tests.cli.test_ingest import DATA, item, needs_data, rows

# What stands in each file: the entries, the listens, and what is passed over, counted by hand.
FILES = {
    "Streaming_History_Audio_2020-2025_0.json": (39, 17, "22 too short"),
    "spotify_recently_played.json": (2, 2, ""),
    "exports/spotify_extended_2023.json": (5, 4, "1 too short"),
    "exports/listenbrainz_export.zip": (5, 5, ""),
    "exports/listenbrainz_listens.jsonl": (2, 2, ""),
    "exports/lastfm_recenttracks.json": (10, 10, ""),
    "exports/maloja_export.json": (38, 38, ""),
    "exports/koito_export.json": (13, 13, ""),
    "exports/librefm.csv": (3, 3, ""),
    "exports/audioscrobbler.scrobbler.log": (4, 2, "1 without a title or an artist, 1 skipped, as the player notes"),
    "exports/panoscrobbler.jsonl": (2, 2, ""),
}


@needs_data
@pytest.mark.parametrize(("name", "counted"), FILES.items(), ids=FILES.keys())
def test_a_real_file(ingest: Ingest, listens: Listens, name: str, counted: tuple[int, int, str]) -> None:
    read, added, reasons = counted
    result = ingest(DATA / name)
    assert result.exit_code == 0, result.output
    assert outcome(result) == (read, added, 0, read - added)
    assert ("passed over: " + reasons if reasons else "") in result.stdout
    assert len(listens()) == added
    assert outcome(ingest(DATA / name)) == (read, 0, added, read - added)


@needs_data
def test_a_folder_of_them(ingest: Ingest, listens: Listens) -> None:
    read, added = sum(read for read, _, _ in FILES.values()), sum(added for _, added, _ in FILES.values())
    result = ingest(DATA)
    assert outcome(result) == (read, added, 0, read - added) == (123, 98, 0, 25)
    assert "2 files of no known format passed over" in result.stdout  # the README, and the zip's user.json
    assert outcome(ingest(DATA, "--tz", "Asia/Tokyo"))[1] == 2  # the player's clock means other instants
    assert len(listens()) == 100


@needs_data
def test_ids_artists_and_lengths_of_listenbrainz(ingest: Ingest, clean: EmbeddedPostgres, listens: Listens) -> None:
    ingest(DATA / "exports/listenbrainz_listens.jsonl")
    assert ("2AX5E86cn9n2dgioZEjirI", "Golden Brown", 206_760) in rows(clean, "Tracks")
    assert ("0RUEHcBiENFEqxgicqS2ig", "The Stranglers") in rows(clean, "Artists")
    assert listens()[0] == ("2025-06-03T15:26:13.760000", "2AX5E86cn9n2dgioZEjirI")  # the start and the length
    ingest(DATA / "exports/listenbrainz_export.zip", user=8)
    credits = {(track[:2], artist[:2], primary) for track, artist, primary in rows(clean, "ArtistTracks")[2:]}
    assert credits == {("l:", "l:", True), ("l:", "l:", False)}
    assert {"Carly Rae Jepsen", "Rufus Wainwright"} <= {name for _, name in rows(clean, "Artists")}


@needs_data
def test_aliases_of_koito(ingest: Ingest, clean: EmbeddedPostgres) -> None:
    ingest(DATA / "exports/koito_export.json")
    assert {name: ms for _, name, ms in rows(clean, "Tracks")} == {
        "Every Wave To Ever Rise (feat. Elizabeth Powell)": 354_000,
        "I Can't Feel You (feat. Rachel Goswell)": 287_000,
        "GIRI GIRI": 0,
        "虹の色よ鮮やかであれ (NELKE ver.)": 218_000,
    }
    assert {name for _, name in rows(clean, "Artists")} == {
        "American Football", "Elizabeth Powell", "Rachel Goswell", "鈴木雅之", "すぅ", "NELKE",
    }  # fmt: skip


LOG = "#AUDIOSCROBBLER/1.0\n#TZ/{}\n#CLIENT/Test\nFirst\t\tOne\t1\t200\tL\t1577836800\n"
LASTFM_CSV = "uts,utc_time,artist,artist_mbid,album,album_mbid,track,track_mbid\n"
SHAPES: dict[str, tuple[Any, tuple[int, ...], list[str]]] = {
    "account data": (
        [
            account("2025-01-31 23:59"),
            {"endTime": "2025-01-31 23:59", "podcastName": "P", "episodeName": "E", "msPlayed": 9},
        ],
        (2, 1, 0, 1),
        ["2025-01-31T23:59:00"],
    ),
    "lastfmstats": (scrobbles(scrobble(1577836800)), (1, 1, 0, 0), ["2020-01-01T00:00:00"]),
    "Last.fm CSV": (
        LASTFM_CSV + '1577836800,"01 Jan 2020, 00:00",First,,,,"One, two",\n',
        (1, 1, 0, 0),
        ["2020-01-01T00:00:00"],
    ),
    "Last.fm pages with a track that plays": (
        [{"track": [{"name": "One", "artist": {"#text": "First"}, "@attr": {"nowplaying": "true"}}]}],
        (1, 0, 0, 1),
        [],
    ),
    "Libre.fm without a header": ("First,One,,1577836800\n", (1, 1, 0, 0), ["2020-01-01T00:00:00"]),
    "a log in UTC": (LOG.format("UTC"), (1, 1, 0, 0), ["2020-01-01T00:03:20"]),
    "a log of a wall clock": (LOG.format("UNKNOWN"), (1, 1, 0, 0), ["2019-12-31T23:03:20"]),
    "a love": (
        json.dumps({"timeMs": 1, "artist": "First", "track": "One", "event": "love"}),
        (1, 0, 0, 1),
        [],
    ),
    "extended, all that is no music": (
        [
            played(),
            played(spotify_track_uri=None, master_metadata_track_name=None, spotify_episode_uri="spotify:episode:e"),
            played(spotify_track_uri=None, master_metadata_track_name=None, audiobook_uri="spotify:show:a"),
            played(spotify_track_uri=None, master_metadata_track_name=None),
            played(master_metadata_album_artist_name=None),
        ],
        (5, 1, 0, 4),
        ["2024-05-01T10:00:00"],
    ),
    "a local file": ([played(spotify_track_uri="spotify:local:F::O:1")], (1, 1, 0, 0), ["2024-05-01T10:00:00"]),
}


@pytest.mark.parametrize(("content", "counted", "instants"), SHAPES.values(), ids=SHAPES.keys())
def test_a_shape(
    ingest: Ingest, listens: Listens, write: Write, content: Any, counted: tuple[int, ...], instants: list[str]
) -> None:
    result = ingest(write(content), "--tz", "Europe/Paris")
    assert result.exit_code == 0, result.output
    assert outcome(result) == counted
    assert [at for at, _ in listens()] == instants


def test_the_zip_that_spotify_sends(ingest: Ingest, listens: Listens, tmp_path: Path) -> None:
    file = tmp_path / "my_spotify_data.zip"
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        folder = "Spotify Extended Streaming History/"
        archive.writestr(folder + "Streaming_History_Audio_2024_1.json", json.dumps([played()]))
        archive.writestr(folder + "endsong_0.json", json.dumps([played("2020-01-01T00:00:00Z")]))
        archive.writestr(folder + "Streaming_History_Video_2024.json", json.dumps([played("2024-06-01T00:00:00Z")]))
        archive.writestr(folder + "ReadMeFirst.pdf", b"%PDF-1.7\n\xff\xfe")
        archive.writestr("inner.zip", file.read_bytes())
        archive.writestr("empty.json", "[]")
    result = ingest(file)
    assert outcome(result) == (2, 2, 0, 0)
    assert "4 files of no known format passed over" in result.stdout
    assert result.exit_code == 0
    assert listens() == [("2020-01-01T00:00:00", ONE), ("2024-05-01T10:00:00", ONE)]
    # The same by standard input, as a zip and as a file.
    assert outcome(ingest("-", stdin=file.read_bytes())) == (2, 0, 2, 0)
    assert outcome(ingest("-", stdin=json.dumps([played()]).encode())) == (1, 0, 1, 0)


def test_a_page_comes_with_its_pictures_and_without_local_files(
    ingest: Ingest, write: Write, listens: Listens, clean: EmbeddedPostgres
) -> None:
    local = item(id=None, is_local=True, name="Mine", played_at="2026-01-02T04:00:00Z")
    page = write({"items": [item(), local]})
    result = ingest(page)
    assert outcome(result) == (2, 1, 0, 1)
    assert "passed over: 1 no Spotify tracks" in result.stdout
    assert listens() == [("2026-01-02T03:04:05.678000", "t1")]
    assert rows(clean, "TrackImages") == [("t1", 64, 64, "https://img/1")]
    assert rows(clean, "TrackPreviews") == [("t1", "https://preview/1")]
    assert [popularity for *_, popularity in rows(clean, "TrackPopularity")] == [50]
    assert outcome(ingest(page)) == (2, 0, 1, 1)


def test_a_page_that_is_not_complete_adds_nothing(ingest: Ingest, write: Write, listens: Listens) -> None:
    result = ingest(write({"items": [item(), item(duration_ms=None)]}))
    assert (result.exit_code, listens()) == (1, [])
    assert "items[1].track.duration_ms: Field may not be null." in result.stderr
