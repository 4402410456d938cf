"""The model's tables in the schema `insights`, next to the rollups' where those are installed."""

from sqlalchemy import Connection
from sqlalchemy.orm import Session

from app.models.taste import metadata
from app.rollups.installation.install import drop_empty_schema, grant, roles_of_schema
from app.taste.model import is_readable


def install(connection: Connection) -> None:
    """Make the tables where they are missing: the owner's to do, once."""
    with Session(connection) as session:
        if is_readable(session):
            return
    connection.exec_driver_sql("CREATE SCHEMA IF NOT EXISTS insights")
    metadata.create_all(connection)
    grant(connection, roles_of_schema(connection))


def drop(connection: Connection) -> None:
    """Take the tables away, and the schema where nothing else is in it."""
    connection.exec_driver_sql("CREATE SCHEMA IF NOT EXISTS insights")
    metadata.drop_all(connection)
    drop_empty_schema(connection)
