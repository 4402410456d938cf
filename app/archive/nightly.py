"""Exporting once a night. What it takes is imported by the child alone."""

from collections.abc import Sequence
from datetime import datetime

from flask import Flask
from sqlalchemy import Engine

from app.database import nightly


def _export(_engine: Engine, due: datetime) -> Sequence[str]:
    return ("archive", "export", "--nice", "--unless-since", f"{due:%Y-%m-%dT%H:%M:%S}")


def start(app: Flask) -> None:
    """Begin to export nightly in this process, where ARCHIVE_EXPORT_AT says when. Once, by what serves."""
    task = nightly.Task(7_305_170_313, "archive_exported", "archive_export_failed", _export)
    nightly.start(app, task, "ARCHIVE_EXPORT_AT")
