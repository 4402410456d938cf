"""Who listens alike, what to listen to next, and what a small group shares."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from math import log, prod, sqrt
from typing import Any, NamedTuple

from tests.oracle.calendar import Window
from tests.oracle.lists import Asked, Kind, bytewise, counted_for, description, ranking

NEAREST, MOST = 25, 100


class Near(NamedTuple):
    """A listener, and how alike."""

    user_id: int
    similarity: float
    shared: int


def alike(asked: Asked, users: Iterable[int] | None = None) -> list[Near]:
    """All listeners, or some, with a similarity above 0 to the one who asks: most alike first, then by id."""
    (user_id,) = asked.users
    own = _counts(asked, user_id, "primary-artists")
    found = []
    for other in asked.world.users if users is None else users:
        theirs = _counts(asked, other, "primary-artists")
        product = sum(count * theirs.get(key, 0) for key, count in own.items())
        if other != user_id and product:
            norm = sqrt(prod(sum(count**2 for count in counts.values()) for counts in (own, theirs)))
            found.append(Near(other, round(min(product / norm, 1.0), 9), len(own.keys() & theirs.keys())))
    return sorted((one for one in found if one.similarity > 0), key=lambda one: (-one.similarity, one.user_id))


def similar(asked: Asked, users: Iterable[int] | None = None) -> list[dict[str, Any]]:
    """The whole list."""
    found = alike(asked, users)[: MOST if users is None else None]
    return [
        {
            "rank": 1 + sum(other.similarity > one.similarity for other in found),
            "user_id": one.user_id,
            "username": asked.world.users[one.user_id],
            "similarity": one.similarity,
            "distinct_shared_primary_artists": one.shared,
        }
        for one in found
    ]


def recommendations(asked: Asked, kind: Kind) -> list[dict[str, Any]]:
    """The whole list of tracks, or of primary artists."""
    (user_id,) = asked.users
    known = _counts(asked, user_id, kind)
    scores: dict[str, list[float]] = {}
    for one in alike(asked)[:NEAREST]:
        for key, count in _counts(asked, one.user_id, kind).items():
            if key not in known:
                scores.setdefault(key, []).append(one.similarity * log(1 + count))
    best = sorted(scores, key=lambda key: (-round(sum(scores[key]), 9), bytewise(key)))
    if kind == "tracks":
        best = _two_an_artist(asked, best)
    score = {key: round(sum(scores[key]), 9) for key in best}
    return [
        {
            "rank": 1 + sum(other > score[key] for other in score.values()),
            "score": score[key],
            "listeners": len(scores[key]),
            **description(asked.world, kind, key),
        }
        for key in best
    ]


def blend(asked: Asked, users: Sequence[int], kind: Kind) -> list[dict[str, Any]]:
    """The whole list of what each of some users listened to in the window."""
    wholes = [_of(asked, user) for user in users]
    counts = [{row.key: len(row.listens) for row in ranking(one, kind)} for one in wholes]
    score = {
        key: round(min(own[key] / len(whole.listens) for own, whole in zip(counts, wholes, strict=True)), 9)
        for key in counts[0]
        if all(key in own for own in counts)
    }
    return [
        {
            "rank": 1 + sum(other > score[key] for other in score.values()),
            "score": score[key],
            "counts": [own[key] for own in counts],
            **description(asked.world, kind, key),
        }
        for key in sorted(score, key=lambda key: (-score[key], bytewise(key)))
    ]


def _of(asked: Asked, user_id: int) -> Asked:
    return replace(asked, users=frozenset({user_id}))


def _counts(asked: Asked, user_id: int, kind: Kind) -> dict[str, int]:
    """Listens over all time."""
    ever = _of(asked, user_id).over(Window.named("all_time", asked.window.tz, asked.now))
    return {row.key: len(row.listens) for row in ranking(ever, kind)}


def _two_an_artist(asked: Asked, tracks: list[str]) -> list[str]:
    kept: list[str] = []
    taken: list[str] = []
    for track in tracks:
        listen = next(listen for listen in asked.world.listens if listen.track_id == track)
        artist = min(counted_for(asked.world, "primary-artists", listen), key=bytewise, default=None)
        if artist is None or taken.count(artist) < 2:
            kept.append(track)
            taken.append(artist)
    return kept
