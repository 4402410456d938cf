"""Alembic's environment: the schema `insights` alone, with its version table in it.

It runs on the connection that `app.rollups.installation.install` hands over, in that one's transaction.
"""

from alembic import context

from app.models.rollups import SCHEMA, metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    version_table_schema=SCHEMA,
    include_schemas=True,
    include_name=lambda name, type_, _parents: type_ != "schema" or name == SCHEMA,
)
context.run_migrations()
