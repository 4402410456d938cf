"""How long answers take over HTTP, uncached: the questions of a group take turns, and so do the platforms.

What else happens on the machine for a while then slows down all of them a little, rather than one of them a lot.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextlib import ExitStack

from benchmarks.client import Client
from benchmarks.platforms import Platform
from benchmarks.questions import Question

# The times of each question to each size, in ms.
Measured = dict[Question, dict[str, list[float]]]


def measure(
    questions: Sequence[Question],
    platforms: Sequence[Platform],
    ports: Mapping[str, int],
    rounds: int,
    seconds: float,
    warm_up: int,
) -> Measured:
    """Times of questions to the services on the ports, by size.

    Each is asked what it is in the first `warm_up` rounds, then `rounds` times, or until that has taken `seconds`.
    """
    measured: Measured = {question: {platform.size: [] for platform in platforms} for question in questions}
    spent: dict[tuple[Question, str], float] = defaultdict(float)
    with ExitStack() as stack:
        clients = {size: stack.enter_context(Client(port)) for size, port in ports.items()}
        for question in questions:
            for platform in platforms:
                for path in sorted({question.path.format(**ids) for ids in map(platform.sample.ids, range(warm_up))}):
                    _ask(clients[platform.size], path)
        for round in range(rounds):
            for question in questions:
                for platform in platforms:
                    # A median, all that is told of the smaller ones, takes half as many.
                    if spent[question, platform.size] < seconds and (platform is platforms[-1] or round % 2 == 0):
                        ms = _ask(clients[platform.size], question.path.format(**platform.sample.ids(round)))
                        measured[question][platform.size].append(ms)
                        spent[question, platform.size] += ms / 1000
    return measured


def _ask(client: Client, path: str) -> float:
    """The time of a request in ms."""
    answer = client.get(path)
    if answer.status != 200 or answer.cache not in {"BYPASS", None}:
        raise SystemExit(f"{path} gives {answer.status}, {answer.cache}: {answer.body[:500]!r}")
    return answer.ms
