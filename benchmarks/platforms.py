"""A platform of one size, twice: as it is by itself, and with the rollups."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Engine, text

from benchmarks.generate import generate
from benchmarks.server import database

SIZES = {"S": 1_000_000, "M": 10_000_000, "L": 100_000_000}

# Of how many listens the users are that stand for typical ones.
TYPICAL = (1000, 2000, 3000, 4000, 5000)


@dataclass(frozen=True)
class Sample:
    """Whom and what the questions are about: users of typical size, the heaviest one, what is listened to most."""

    typical: tuple[int, ...]
    heaviest: int
    track: str
    artist: str
    listens: dict[int, int]  # by user

    def ids(self, round: int) -> dict[str, object]:
        """What the placeholders of a question stand for in a round: typical users take turns."""
        user, other = (self.typical[(round + step) % len(self.typical)] for step in (0, 1))
        return {"typical": user, "other": other, "heaviest": self.heaviest, "track": self.track, "artist": self.artist}


@dataclass(frozen=True)
class Platform:
    """The databases of one size; `end` is the last listen's instant, naive and in UTC."""

    size: str
    listens: int
    end: datetime
    bare: Engine
    rolled_up: Engine
    sample: Sample


@contextmanager
def platform(
    server_url: str, size: str, listens: int, end: datetime, tell: Callable[[str], None]
) -> Iterator[Platform]:
    """A platform with about `listens` listens, in databases that are dropped at the end."""
    with database(server_url, f"{size}_bare") as bare:
        with bare.connect() as connection:
            generate(connection, listens, end, lambda line: tell(f"{size} {line}"))
            sample = _sample(bare)
            listens = connection.scalar(text('SELECT count(*) FROM "History"')) or 0
        template = bare.url.database
        assert template is not None
        with database(server_url, f"{size}_rollups", template) as rolled_up:
            # The statistics of what was read go with the database's copy, not what is in its memory.
            yield Platform(size, listens, end, bare, rolled_up, sample)


def _sample(engine: Engine) -> Sample:
    with engine.connect() as connection:
        rows = connection.execute(text('SELECT user_id, count(*) FROM "History" GROUP BY user_id ORDER BY user_id'))
        listens: dict[int, int] = dict(rows.tuples().all())
        track, artist = connection.execute(
            text("""
                SELECT track_id, (SELECT min(artist_id) FROM "ArtistTracks" a WHERE a.track_id = h.track_id)
                FROM "History" h GROUP BY track_id ORDER BY count(*) DESC, track_id LIMIT 1
            """)
        ).one()
    typical = []
    for number in TYPICAL:
        rest = (user for user in listens if user not in typical)
        typical.append(min(rest, key=lambda user: abs(listens[user] - number)))
    heaviest = max(listens, key=lambda user: listens[user])
    return Sample(tuple(typical), heaviest, track, artist, {user: listens[user] for user in (*typical, heaviest)})
