"""What counts as a listen, whose track it is, and that no listen is loaded twice: rule by rule, by example."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from app.cli.embedded.server import EmbeddedPostgres
from app.cli.ingest.catalogue import same
from tests.cli.history.conftest import (
    ONE,
    TWO,
    Ingest,
    Listens,
    Write,
    account,
    outcome,
    played,
    scrobble,
    scrobbles,
)
from tests.cli.test_ingest import rows
from tests.support.factories import Platform

Catalogue = Callable[[Callable[[Platform], object]], None]

AT = 1_714_557_600  # 2024-05-01T10:00:00Z


class TestWhatCounts:
    @pytest.mark.parametrize(
        ("entry", "reason"),
        [
            (played(ms=30_000), None),
            (played(ms=29_999), "1 too short"),
            (played(ms=20_000, reason_end="trackdone"), None),  # as long as the track is, for all that is known
            (played(incognito_mode=True), "1 incognito"),
            (played("1970-01-01T00:00:00Z"), None),
            (played("1969-12-31T23:59:59Z"), "1 before 1970"),
            (played("2100-01-01T00:00:00Z"), "1 in the future"),
            (played("2024-05-01 10:00:00 UTC"), None),
        ],
    )
    def test_a_play(self, ingest: Ingest, write: Write, entry: dict[str, Any], reason: str | None) -> None:
        result = ingest(write([entry]), "--skip-incognito")
        assert outcome(result) == ((1, 0, 0, 1) if reason else (1, 1, 0, 0))
        assert (reason or "") in result.stdout

    def test_seconds_may_be_others_and_incognito_counts_by_itself(self, ingest: Ingest, write: Write) -> None:
        file = write([played(ms=10_000, incognito_mode=True)])
        assert outcome(ingest(file))[1] == 0
        assert outcome(ingest(file, "--min-seconds", "10"))[1] == 1

    def test_a_skip_to_the_end_of_a_long_track_is_short(
        self, ingest: Ingest, write: Write, catalogue: Catalogue
    ) -> None:
        file = write([played(ms=5_000, reason_end="trackdone")])
        catalogue(lambda platform: platform.track(ONE, "One", 200_000))
        assert outcome(ingest(file))[1] == 0

    def test_a_short_track_of_the_catalogue_that_was_heard_to_its_end_counts(
        self, ingest: Ingest, write: Write, catalogue: Catalogue
    ) -> None:
        catalogue(lambda platform: platform.track(ONE, "One", 20_000, [platform.artist(name="First")]))
        assert outcome(ingest(write([account("2024-05-01 10:00", 20_000), account("2024-05-01 11:00", 9_000)])))[1] == 1

    def test_an_instant_is_the_end_of_the_play(
        self, ingest: Ingest, write: Write, catalogue: Catalogue, listens: Listens
    ) -> None:
        catalogue(lambda platform: platform.track("known", "One", 100_000, [platform.artist(name="First")]))
        ingest(write(scrobbles(scrobble(AT), scrobble(AT, "Unknown"))))
        assert [at for at, _ in listens()] == ["2024-05-01T10:00:00", "2024-05-01T10:01:40"]


class TestWhoseTrack:
    def test_a_spotify_id_is_the_id_and_its_artist_gets_one_by_name(
        self, ingest: Ingest, write: Write, clean: EmbeddedPostgres, catalogue: Catalogue
    ) -> None:
        catalogue(lambda platform: platform.track("other", "One", 1, [platform.artist("a", "First")]))
        ingest(write([played(ms=100_000, reason_end="trackdone"), played("2024-05-02T00:00:00Z", 150_000)]))
        assert (ONE, "One", 100_000) in rows(clean, "Tracks")
        ((_, artist, is_primary),) = (row for row in rows(clean, "ArtistTracks") if row[0] == ONE)
        assert artist.startswith("l:")
        assert len(artist) == 24
        assert is_primary
        assert (artist, "First") in rows(clean, "Artists")

    def test_rows_that_exist_never_change(
        self, ingest: Ingest, write: Write, clean: EmbeddedPostgres, catalogue: Catalogue
    ) -> None:
        catalogue(lambda platform: platform.track(ONE, "Its name", 0, [platform.artist("a", "Its artist")]))
        before = [rows(clean, table) for table in ("Tracks", "Artists", "ArtistTracks")]
        assert outcome(ingest(write([played(reason_end="trackdone")])))[1] == 1
        assert [rows(clean, table) for table in ("Tracks", "Artists", "ArtistTracks")] == before

    def test_names_are_the_track_of_the_same_names_with_most_listens_then_by_id(
        self, ingest: Ingest, write: Write, catalogue: Catalogue, listens: Listens
    ) -> None:
        def fill(platform: Platform) -> None:
            first, guest = platform.artist(name="The  ＦＩＲＳＴ"), platform.artist(name="Guest")  # noqa: RUF001
            for id_ in ("c", "b", "a"):
                platform.track(id_, "Don’t “Stop”", 1, [first], [guest])  # noqa: RUF001
            platform.track("0", 'Don\'t "Stop"', 1, [guest], [first])
            platform.listens(platform.user(1), platform.session.get_one(type(platform.track()), "c"), 2)

        catalogue(fill)
        name = 'don\'t\u00a0"stop" '
        ingest(write(scrobbles(scrobble(AT, name, "the first"))))
        assert [track for _, track in listens()] == ["c"]
        ingest(write(scrobbles(scrobble(AT, "Don’t “Stop”", "guest"))), user=8)  # noqa: RUF001
        assert [track for _, track in listens(8)] == ["0"]

    def test_unknown_names_get_the_same_id_every_time(
        self, ingest: Ingest, write: Write, clean: EmbeddedPostgres, listens: Listens
    ) -> None:
        ingest(write(scrobbles(scrobble(AT, "Straße", "Ｆirst"), scrobble(AT + 900, "STRASSE", "first"))))  # noqa: RUF001
        ((_, one), (_, other)) = listens()
        assert one == other
        assert one.startswith("l:")
        assert rows(clean, "Tracks") == [(one, "Straße", 0)]
        assert [name for _, name in rows(clean, "Artists")] == ["Ｆirst"]  # noqa: RUF001

    def test_the_longest_play_to_the_end_is_the_length_whatever_the_order_of_the_files(
        self, ingest: Ingest, write: Write, clean: EmbeddedPostgres
    ) -> None:
        first = write([played(ms=50_000)], "1")
        second = write([played("2024-05-02T00:00:00Z", 90_000, reason_end="trackdone")], "2")
        third = write([played("2024-05-03T00:00:00Z", 80_000, reason_end="trackdone")], "3")
        ingest(first, second, third)
        assert rows(clean, "Tracks") == [(ONE, "One", 90_000)]

    def test_a_track_without_a_listen_is_not_added(self, ingest: Ingest, write: Write, clean: EmbeddedPostgres) -> None:
        ingest(write([played(ms=1)]))
        assert rows(clean, "Tracks") == rows(clean, "Artists") == []

    @pytest.mark.parametrize(
        ("one", "other"),
        [("ﬁne", "FINE"), ("a\u3000 b", " A B"), ("İ", "i̇"), ("O\u2032Neill", "o`neill"), ("„x‟", '"X"')],
    )
    def test_names_that_are_the_same(self, one: str, other: str) -> None:
        assert same(one) == same(other)


class TestNoListenTwice:
    @pytest.mark.parametrize(("seconds", "added"), [(0, 0), (-60, 0), (60, 0), (-61, 1), (61, 1)])
    def test_another_source_within_a_minute_of_the_end(
        self, ingest: Ingest, write: Write, seconds: int, added: int
    ) -> None:
        ingest(write([played()]))
        instant = datetime.fromtimestamp(AT + seconds, UTC).isoformat()
        assert outcome(ingest(write([played(instant, spotify_track_uri=f"spotify:track:{TWO}")])))[1] == added

    @pytest.mark.parametrize(("seconds", "added"), [(-60, 0), (260, 0), (-61, 1), (261, 1), (100, 0)])
    def test_a_source_of_starts_alone(
        self, ingest: Ingest, write: Write, listens: Listens, seconds: int, added: int
    ) -> None:
        """A play of 200 s: anywhere from a minute before its start to a minute after its end."""
        ingest(write([played(reason_end="trackdone")]))  # which ends at AT, and says how long the track is
        assert outcome(ingest(write(scrobbles(scrobble(AT - seconds)))))[1] == added
        assert len(listens()) == 1 + added

    def test_another_user_or_track_is_another_listen(self, ingest: Ingest, write: Write) -> None:
        ingest(write([played()]))
        assert outcome(ingest(write([played()]), user=8))[1] == 1
        other = played(spotify_track_uri=f"spotify:track:{TWO}", master_metadata_track_name="Two")
        assert outcome(ingest(write([other])))[1] == 1

    def test_two_in_a_row_stay_two_where_the_length_allows_it(
        self, ingest: Ingest, write: Write, listens: Listens
    ) -> None:
        file = write(
            [played(ms=40_000), played("2024-05-01T10:00:41Z", 40_000), played("2024-05-01T10:01:00Z", 40_000)]
        )
        result = ingest(file)
        assert outcome(result) == (3, 2, 0, 1)
        assert "1 twice in the file" in result.stdout
        assert outcome(ingest(file)) == (3, 0, 2, 1)
        assert [at for at, _ in listens()] == ["2024-05-01T10:00:00", "2024-05-01T10:00:41"]

    def test_the_next_free_millisecond(self, ingest: Ingest, write: Write, listens: Listens) -> None:
        minute = "2024-05-01 10:00"
        entries = [account(minute, 31_000, name) for name in ("One", "Two", "Three")]
        entries += [account(minute, 31_000), account(minute, 200_000, "Long"), account(minute, 200_000, "Long")]
        file = write(entries)
        assert outcome(ingest(file)) == (6, 5, 0, 1)
        assert [at for at, _ in listens()] == [
            "2024-05-01T10:00:00",
            *(f"2024-05-01T10:00:00.00{n}000" for n in range(1, 5)),
        ]
        assert outcome(ingest(file)) == (6, 0, 5, 1)
        assert outcome(ingest(write([played("2024-05-01T10:00:00.001Z")]))) == (1, 0, 1, 0)  # "One" again
        assert len({track for _, track in listens()}) == 4

    def test_files_of_one_command_are_sources_of_their_own(self, ingest: Ingest, write: Write) -> None:
        result = ingest(write([played(reason_end="trackdone")], "a"), write(scrobbles(scrobble(AT - 200)), "b"))
        assert outcome(result) == (2, 1, 1, 0)
