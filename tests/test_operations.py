"""`docs/operations.md` and the dashboard speak of metrics, labels, fields, checks and settings that there are."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest
import yaml
from sqlalchemy import Engine, text

from config import SettingsSchema
from tests.conftest import SECRET
from tests.rollups.conftest import install as install_rollups
from tests.support.faulty_servers import Valkey
from tests.support.servers import Gunicorn, Scrape, database, starting, three_listens, url_of

OPERATIONS = Path("docs/operations.md").read_text()
DASHBOARD = json.loads(Path("docs/grafana/songswap-insights.json").read_text())

# What is a word of PromQL's, and no metric. `up` is made by Prometheus itself, and so are these labels.
WORDS = {"sum", "min", "max", "rate", "increase", "histogram_quantile", "topk", "count", "by", "or", "vector"}
OF_PROMETHEUS = {"up"}
LABELS_OF_PROMETHEUS = {"job", "instance", "le"}


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", OPERATIONS, flags=re.MULTILINE | re.DOTALL)


def alerts() -> list[dict[str, Any]]:
    (rules,) = (block for block in blocks("yaml") if block.startswith("groups:"))
    (group,) = yaml.safe_load(rules)["groups"]
    return list(group["rules"])


def expressions() -> list[str]:
    targets = [target for panel in DASHBOARD["panels"] for target in panel.get("targets", [])]
    variables = [
        variable["query"]["query"] for variable in DASHBOARD["templating"]["list"] if variable["type"] == "query"
    ]
    of_variables = [re.sub(r"^label_values\((\w+), \w+\)$", r"\1", query) for query in variables]
    return [target["expr"] for target in targets] + of_variables + [alert["expr"] for alert in alerts()]


def metrics_of(expression: str) -> dict[str, set[str]]:
    """The metrics of a PromQL expression, each with the labels that it is selected by."""
    plain = re.sub(r'"[^"]*"', '""', expression)
    plain = re.sub(r"\b(by|without) *\([^)]*\)", "", plain)
    plain = re.sub(r"\[[^]]*\]", "", plain)
    found: dict[str, set[str]] = {}
    for name, selector in re.findall(r"\b([a-zA-Z_]\w*)\s*(\{[^}]*\})?", plain):
        if name not in WORDS:
            found.setdefault(name, set()).update(re.findall(r"(\w+)=", selector))
    return found


@pytest.fixture(scope="module")
def server(server_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gunicorn]:
    """A server that has seen all that the log and the metrics tell of."""
    valkey = Valkey()
    with (
        database(server_url, "operations", three_listens) as engine,
        starting(tmp_path_factory.mktemp("operations"), url_of(engine)) as start,
    ):
        install_rollups(engine)
        digest = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"  # of "test"
        server = start(
            CACHE_TYPE="RedisCache",
            CACHE_REDIS_URL=valkey.url,
            API_KEYS=f"songswap-app:{digest}",
            METRICS_TOKEN=SECRET,
            DATABASE_STATEMENT_TIMEOUT="0.3",
        )
        for _ in range(8):
            assert server.ask("/insights/total/listens/1", X_API_Key="test").status == 200
        lock_history(engine, server)
        yield server
    valkey.remove()


def lock_history(engine: Engine, server: Gunicorn) -> None:
    with engine.begin() as blocker:
        blocker.execute(text('LOCK TABLE "History" IN ACCESS EXCLUSIVE MODE'))
        assert server.ask("/insights/total/listens/2", X_API_Key="test").status == 503


@pytest.fixture(scope="module")
def scrape(server: Gunicorn) -> Scrape:
    assert server.ask("/metrics").status == 401
    answer = server.ask("/metrics", Authorization=f"Bearer {SECRET}")
    assert answer.status == 200
    return Scrape.of(answer.body)


def test_the_expressions_are_read_as_they_are_meant() -> None:
    assert metrics_of('sum by (le) (rate(a_bucket{job="x", route=~"/b/.*"}[5m])) / count(up{job="$job"}) > 0.1') == {
        "a_bucket": {"job", "route"},
        "up": {"job"},
    }


def test_every_metric_and_label_is_scraped(scrape: Scrape) -> None:
    labels: dict[str, set[str]] = {}
    for name, own in scrape:
        labels.setdefault(name, set()).update(label for label, _ in own)
    assert len(expressions()) > 25
    for expression in expressions():
        used = metrics_of(expression)
        assert used, expression
        for name, selected_by in used.items():
            if name not in OF_PROMETHEUS:
                assert name in labels, expression
                assert selected_by <= labels[name] | LABELS_OF_PROMETHEUS, expression


def test_labels_are_grouped_by_that_are_there(scrape: Scrape) -> None:
    known = {label for _, own in scrape for label, _ in own} | LABELS_OF_PROMETHEUS
    for expression in expressions():
        for grouped in re.findall(r"\bby *\(([^)]*)\)", expression):
            assert {label.strip() for label in grouped.split(",")} <= known, expression


def test_every_metric_is_described(scrape: Scrape) -> None:
    families = {re.sub(r"_(bucket|count|sum)$", "", name) for name, _ in scrape}
    of_connections = {name for name in families if name.startswith("insights_database_connections_")}
    assert {name for name in families - of_connections if f"`{name}`" not in OPERATIONS} == set()
    assert {name.removeprefix("insights_database_connections") for name in of_connections} == {"_in_use", "_max"}


def test_every_alert_says_what_to_do_and_for_whom() -> None:
    names = [alert["alert"] for alert in alerts()]
    assert len(names) == len(set(names)) >= 8
    assert re.findall(r"^### (\w+)$", OPERATIONS, flags=re.MULTILINE) == names
    assert {alert["labels"]["severity"] for alert in alerts()} == {"page", "ticket"}


def test_every_panel_asks_the_data_source_that_is_chosen() -> None:
    panels = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]
    assert len({panel["id"] for panel in DASHBOARD["panels"]}) == len(DASHBOARD["panels"])
    for panel in panels:
        sources = [panel["datasource"], *(target["datasource"] for target in panel["targets"])]
        assert {source["uid"] for source in sources} == {"${datasource}"}, panel["title"]
        assert all('job="$job"' in target["expr"] for target in panel["targets"]), panel["title"]


def test_the_log_queries_ask_for_fields_that_are_logged(server: Gunicorn) -> None:
    logged = {field for line in server.lines() for field in line} | {"exception"}  # that of a bug
    words = {"fields", "filter", "sort", "stats", "limit", "and", "like", "in", "by", "as", "asc", "desc"}
    words |= {"count", "sum", "pct", "bin", "requests", "p50", "p99", "errors"}
    queries = blocks("text")
    assert len(queries) >= 6
    for query in queries:
        plain = re.sub(r'^#.*$|"[^"]*"|@\w+|\b\d\w*', "", query, flags=re.MULTILINE)
        assert set(re.findall(r"[a-z_]\w*", plain)) - words <= logged, query


def test_the_fields_of_a_request_are_described(server: Gunicorn) -> None:
    line = next(line for line in server.requests() if line.get("caller"))
    for field in line.keys() - {"event", "level", "timestamp"}:
        assert f"`{field}`" in OPERATIONS, field


def test_every_check_of_ready_is_described(server: Gunicorn) -> None:
    checks = orjson.loads(server.ask("/ready").body)["checks"]
    described = re.findall(r"^\| `(\w+)` \| `(?:ok)`", OPERATIONS, flags=re.MULTILINE)
    assert set(described) == set(checks)


def test_every_setting_that_is_named_is_one() -> None:
    names = set(re.findall(r"`([A-Z]+(?:_[A-Z]+)+)\b", OPERATIONS))
    assert names <= set(SettingsSchema().fields)


def test_every_link_leads_somewhere() -> None:
    anchors = {
        re.sub(r"[^\w -]", "", title).strip().lower().replace(" ", "-")
        for title in re.findall(r"^#+ (.*)$", OPERATIONS, flags=re.MULTILINE)
    }
    for target in re.findall(r"\]\(([^)]+)\)", OPERATIONS):
        file, _, anchor = target.partition("#")
        assert (Path("docs") / file).exists(), target
        assert file or anchor in anchors, target
