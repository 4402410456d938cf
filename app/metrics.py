"""What Prometheus scrapes: counted in each process, told for all gunicorn workers of this server together.

Where PROMETHEUS_MULTIPROC_DIR is set when prometheus_client is first imported, each process keeps its numbers in files
of that directory, and whichever is asked adds them all up. `gunicorn.conf.py` sees to that.
"""

import os
from collections.abc import Iterable
from glob import glob
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info, generate_latest
from prometheus_client.metrics_core import Metric
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from app.rollups.lag import Lag
from app.version import VERSION

# Numbers that each process counts.
REGISTRY = CollectorRegistry()
# What holds for the service as a whole: it is looked up by the process that is asked, at that moment.
AT_SCRAPE = CollectorRegistry()

# In seconds: a hit takes less than a millisecond, and a statement ends after DATABASE_STATEMENT_TIMEOUT.
BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)

# What stands for whatever else a caller may make up, so that nobody can add series without end.
METHODS = {"GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"}
OTHER_METHOD, UNKNOWN_ROUTE = "other", "unknown"

REQUESTS = Histogram(
    "http_request_duration_seconds",
    "Time to answer a request, by the route's template; its count is the number of requests.",
    ["method", "route", "status"],
    buckets=BUCKETS,
    registry=REGISTRY,
)
CACHE_ANSWERS = Counter(
    "insights_cache_answers",
    "Answers to insights by what the header X-Cache says of them.",
    ["state"],
    registry=REGISTRY,
)
CACHE_ERRORS = Counter(
    "insights_cache_errors",
    "Calls to the shared cache that failed, by the event that is logged.",
    ["error"],
    registry=REGISTRY,
)
QUERIES = Histogram(
    "insights_database_query_duration_seconds",
    "Time that PostgreSQL took for a statement of a request, failed ones included.",
    buckets=BUCKETS,
    registry=REGISTRY,
)
CONNECTIONS = Gauge(
    "insights_database_connections",
    "Connections to PostgreSQL that are open for requests.",
    multiprocess_mode="livesum",
    registry=REGISTRY,
)
CONNECTIONS_IN_USE = Gauge(
    "insights_database_connections_in_use",
    "Connections to PostgreSQL that requests hold.",
    multiprocess_mode="livesum",
    registry=REGISTRY,
)
CONNECTIONS_MAX = Gauge(
    "insights_database_connections_max",
    "The most connections that the processes which have opened one may hold.",
    multiprocess_mode="livesum",
    registry=REGISTRY,
)
Info("insights_build", "The version that is running.", registry=AT_SCRAPE).info({"version": VERSION})
AT_SCRAPE.register(Lag())

# By method, route and status: `labels()` takes longer than counting does.
_requests: dict[tuple[str, str, int], Any] = {}


def observe(method: str, route: str | None, status: int, seconds: float) -> None:
    """Count a request and how long its answer took."""
    key = (method if method in METHODS else OTHER_METHOD, route or UNKNOWN_ROUTE, status)
    if (histogram := _requests.get(key)) is None:
        histogram = _requests[key] = REQUESTS.labels(*key)
    histogram.observe(seconds)


class _AllProcesses(Collector):
    """What all processes have written, those that are gone among them."""

    def collect(self) -> Iterable[Metric]:
        files = filter(_has_content, glob(os.path.join(os.environ["PROMETHEUS_MULTIPROC_DIR"], "*.db")))
        metrics: Iterable[Metric] = MultiProcessCollector.merge(files)  # type: ignore[no-untyped-call]
        return metrics


def _has_content(file: str) -> bool:
    # A process that begins makes its files empty, which prometheus_client cannot read; a dead one's gauges are removed.
    try:
        return os.path.getsize(file) > 0
    except FileNotFoundError:
        return False


def exposition() -> bytes:
    """All numbers, in Prometheus' text format."""
    counted = REGISTRY
    if "PROMETHEUS_MULTIPROC_DIR" in os.environ:
        counted = CollectorRegistry()
        counted.register(_AllProcesses())
    return generate_latest(counted) + generate_latest(AT_SCRAPE)
