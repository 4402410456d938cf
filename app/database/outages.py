"""Which errors mean that the database cannot answer now, and why."""

from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout

UNREACHABLE = "cannot be reached"
LACKS = "lacks a table or a column of the platform, or does not let this service read it"

# What the database does, by the SQLSTATE of its error or by the class of that, its first two characters.
MEANINGS = {
    "08": UNREACHABLE,
    "3F000": LACKS,  # no schema
    "40": "gave this query up, because of others that ran at the same time",  # a deadlock; on a standby a conflict
    "42501": LACKS,  # no privilege
    "42703": LACKS,  # undefined column
    "42P01": LACKS,  # undefined table
    "53": "is out of disk, memory or connections",
    "54": "has limits that are too low for this query",  # its stack, for example
    "55P03": "has locked what this query reads",
    "57": UNREACHABLE,  # it is stopping, or starting
    "57014": "took too long to answer",  # the statement was cancelled by its timeout
    "58": "cannot read its files",
}


def unavailable(error: SQLAlchemyError) -> str | None:
    """Why the database cannot answer now, as what it does; None where the fault is this service's own."""
    if isinstance(error, PoolTimeout):
        return "is busy"
    state = sqlstate(error) or ""
    if meaning := MEANINGS.get(state) or MEANINGS.get(state[:2]):
        return meaning
    if isinstance(error, OperationalError | InterfaceError) or getattr(error, "connection_invalidated", False):
        return "cannot answer" if state else UNREACHABLE
    return None


def sqlstate(error: SQLAlchemyError) -> str | None:
    """PostgreSQL's code for an error; None for one of the pool or of SQLAlchemy itself."""
    return getattr(error.orig, "pgcode", None) if isinstance(error, DBAPIError) else None
