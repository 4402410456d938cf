"""Gunicorn's own messages, in the service's log."""

import sys
from typing import Any

from gunicorn.config import Config
from gunicorn.glogging import Logger


class GunicornLogger(Logger):  # type: ignore[misc]
    """Gunicorn's messages go to the root logger (app/telemetry/logs.py), without what a caller sent."""

    def setup(self, cfg: Config) -> None:
        super().setup(cfg)
        self.error_log.propagate = True

    def debug(self, *_args: Any, **_kwargs: Any) -> None:
        """Drop it: these messages quote requests."""

    def warning(self, msg: str, *args: Any, **kwargs: Any) -> None:
        if msg.startswith("Invalid request"):  # and quotes it
            msg, args = f"Invalid request: {getattr(sys.exc_info()[0], '__name__', 'unknown')}", ()
        super().warning(msg, *args, **kwargs)

    def exception(self, msg: str, *_args: Any, **kwargs: Any) -> None:
        super().exception(str(msg).partition(" %s")[0], **kwargs)  # the arguments are the method and the URI
