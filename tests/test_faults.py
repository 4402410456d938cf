"""Some of the faults of `make faults`, with less data and less time: those that no other test lets happen."""

from collections.abc import Iterator

import pytest

from app.cli.demo import Size
from benchmarks.faults import database, redis_cache, service  # noqa: F401  # they add to FAULTS
from benchmarks.faults.stage import Stage
from benchmarks.faults.trials import FAULTS

QUICK = ["connections_terminated", "out_of_connections", "postgresql_stopped", "standby_promoted"]


@pytest.fixture(scope="module")
def stage() -> Iterator[Stage]:
    with Stage.set_up(Size(users=15, listens=4000, artists=60), hurry=0.3) as stage:
        yield stage


@pytest.mark.thorough
@pytest.mark.parametrize("name", QUICK)
def test_it_is_survived(stage: Stage, name: str) -> None:
    (fault,) = (fault for fault in FAULTS if fault.name == name)
    outcome = fault.run(stage)
    assert outcome.failures == []


def test_every_fault_has_a_name_of_its_own_and_an_expectation() -> None:
    assert len({fault.name for fault in FAULTS}) == len(FAULTS)
    assert all(fault.what and fault.expected for fault in FAULTS)
