"""How far the rollups are behind, for Prometheus."""

from collections.abc import Iterable

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from app.extensions import db
from app.rollups.state import read
from app.telemetry.metrics import AT_SCRAPE


class Lag(Collector):
    """Asks the database when it is scraped, within a request. Nothing where there are no rollups, or no database."""

    def describe(self) -> Iterable[Metric]:
        return ()

    def collect(self) -> Iterable[Metric]:
        try:
            rollups = read(db.session())
            if rollups is None:
                return
            waiting = db.session.scalar(text("SELECT count(*) FROM insights.listen_changes"))
        except SQLAlchemyError:
            return
        trusted = "Whether answers come from the rollups, 1, or they are not to be believed, 0."
        yield GaugeMetricFamily("insights_rollups_trusted", trusted, value=int(rollups.distrust is None))
        pending = "Changes of listens that are not folded into the rollups yet; every answer counts them in."
        yield GaugeMetricFamily("insights_rollups_waiting_changes", pending, value=waiting or 0)


AT_SCRAPE.register(Lag())
