"""SongSwap Insights: what people listen to, when, and with whom, over HTTP.

Every insight is a measure (top tracks, listen time, …) over the listens of an audience (one user, a group, everyone) in
a window of time. A listen is one play of a track; its instant is the end of the play.
"""

from collections.abc import Mapping
from typing import Any

from flask import Flask
from werkzeug.middleware.proxy_fix import ProxyFix

from app.cache import backends
from app.database import engine as database
from app.domain.now import now
from app.rollups import gauges  # noqa: F401  which `/metrics` asks
from app.routes.cache import cache_bp
from app.routes.cards import cards_bp
from app.routes.docs import docs_bp
from app.routes.entities import entities_bp
from app.routes.insights import insights_bp
from app.routes.insights_global import insights_global_bp
from app.routes.page import page_bp
from app.routes.service import service_bp
from app.telemetry import logs
from app.web import auth, compression, errors, headers, limits, openapi
from app.web.json import JSONProvider
from config import check_database, load_settings


def create_app(settings: Mapping[str, Any] | None = None) -> Flask:
    """The service, with the given settings or those of the environment.

    Raises SettingsError for a wrong setting, and where no database is named.
    """
    settings = load_settings() if settings is None else settings
    check_database(settings)
    app = Flask(__name__)
    app.json = JSONProvider(app)
    # A path with // in it is not there: to send a caller elsewhere would take the host that it named.
    app.url_map.merge_slashes = False
    app.config.from_mapping(settings, CLOCK=now)
    backends.init_app(app)
    logs.init_app(app)
    auth.init_app(app)
    limits.init_app(app)
    headers.init_app(app)
    errors.init_app(app)
    database.init_app(app)
    compression.init_app(app)
    for blueprint in (insights_bp, insights_global_bp, entities_bp, cards_bp, cache_bp, service_bp, docs_bp, page_bp):
        app.register_blueprint(blueprint)
    openapi.init_app(app)
    if proxies := app.config["TRUSTED_PROXIES"]:
        # No answer depends on the scheme or the host. Of the proxies one takes the prefix off, and says which.
        app.wsgi_app = ProxyFix(  # type: ignore[method-assign]
            app.wsgi_app, x_for=proxies, x_proto=0, x_host=0, x_prefix=1
        )
    return app
