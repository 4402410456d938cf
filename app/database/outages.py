"""Which errors mean that the database cannot answer now."""

from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout

# SQLSTATE of a statement that ran into its timeout, and of a database that lacks what the service reads.
QUERY_CANCELED = "57014"
SCHEMA_DIFFERS = {"42P01", "42703", "42501", "3F000"}  # undefined table, undefined column, no privilege, no schema


def unavailable(error: SQLAlchemyError) -> str | None:
    """Why the database cannot answer now; None where the fault is this service's own."""
    if isinstance(error, PoolTimeout):
        return "The database is busy"
    if sqlstate(error) == QUERY_CANCELED:
        return "The database took too long to answer"
    if sqlstate(error) in SCHEMA_DIFFERS:
        return "The database lacks a table or a column of the platform, or does not let this service read it"
    if isinstance(error, OperationalError | InterfaceError) or getattr(error, "connection_invalidated", False):
        return "The database cannot be reached"
    return None


def sqlstate(error: SQLAlchemyError) -> str | None:
    """PostgreSQL's code for an error; None for one of the pool or of SQLAlchemy itself."""
    return getattr(error.orig, "pgcode", None) if isinstance(error, DBAPIError) else None
