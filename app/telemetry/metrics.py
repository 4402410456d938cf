"""What Prometheus scrapes: counted in each process, added up over all gunicorn workers of this server.

Each process keeps its numbers in files (app/telemetry/processes.py), and the process that is scraped adds them up.
"""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

from app.telemetry import processes
from app.version import VERSION

# Numbers that each process counts.
REGISTRY = CollectorRegistry()
# Numbers of the service as a whole, looked up by the process that is scraped.
AT_SCRAPE = CollectorRegistry()

# In seconds: a hit takes less than a millisecond, and a statement ends after DATABASE_STATEMENT_TIMEOUT.
BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)

# Callers may make up methods and paths. They are counted together, so that they add no series.
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


def observe(method: str, route: str | None, status: int, seconds: float) -> None:
    """Count a request and the time of its answer."""
    REQUESTS.labels(method if method in METHODS else OTHER_METHOD, route or UNKNOWN_ROUTE, status).observe(seconds)


def exposition() -> bytes:
    """All numbers, in Prometheus' text format."""
    counted = REGISTRY
    if processes.folder:
        counted = CollectorRegistry()
        MultiProcessCollector(counted)  # type: ignore[no-untyped-call]
    return generate_latest(counted) + generate_latest(AT_SCRAPE)
