"""The archive's SQL: a file a statement. What reads `"…"` tables is PostgreSQL's, the rest a column store's."""

from functools import cache
from pathlib import Path

FOLDER = Path(__file__).parent


def load(name: str, **texts: str) -> str:
    """The text of a file, with texts in place of what it has in braces."""
    return _read(name).format(**texts)


@cache
def _read(name: str) -> str:
    lines = (FOLDER / f"{name}.sql").read_text().splitlines()
    return "\n".join(line for line in lines if line and not line.lstrip().startswith("--"))
