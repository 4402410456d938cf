"""The SQL of the rollups: a file a statement, or a list of CTEs that statements share."""

from functools import cache
from pathlib import Path

from app.models.rollups import Kind
from app.rollups.spans import EVER, Span

FOLDER = Path(__file__).parent


def slot_of(instant: str) -> str:
    """The number of an instant's slot, as SQL."""
    return f"CAST(floor(extract(epoch FROM {instant}) / 900) AS integer)"


def within(instant: str, span: Span) -> str:
    """Whether an instant lies in a span, as SQL."""
    return f"{instant} >= timestamp '{span.starts}' AND {instant} < timestamp '{span.ends}'"


# What every file may have in braces: the kinds by name, a user's id as an id of a ranking, the slot of `played_at`, and
# whether that is an instant that counts at all.
SHARED = {kind.name.lower(): f"{kind:d}" for kind in Kind} | {
    "all_kinds": ", ".join(f"{kind:d}" for kind in Kind),
    "listener_id": "lpad(CAST(user_id AS text), 10, '0')",
    "slot": slot_of("played_at"),
    "ever": within("played_at", EVER),
}


def load(name: str, **texts: str) -> str:
    """The text of a file, with texts in place of what it has in braces."""
    return _read(name).format(**SHARED, **texts)


@cache
def _read(name: str) -> str:
    lines = (FOLDER / f"{name}.sql").read_text().splitlines()
    return "\n".join(line for line in lines if line and not line.lstrip().startswith("--"))
