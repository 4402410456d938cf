"""What `flask taste build` keeps, in the schema `insights`: who listens most like whom.

Not declared on the platform's metadata: it is there only where an operator has built it.
"""

from sqlalchemy import ARRAY, Column, DateTime, Double, Integer, MetaData, Table

from app.models.rollups import SCHEMA

metadata = MetaData(schema=SCHEMA)

# One row: the instant, naive and in UTC, of the snapshot that the neighbours were computed from, and their number.
models = Table(
    "taste_models",
    metadata,
    Column("computed_at", DateTime, nullable=False),
    Column("listeners", Integer, nullable=False),
)

# The nearest listeners of each one who has any: parallel arrays, the nearest first.
neighbours = Table(
    "taste_neighbours",
    metadata,
    Column("user_id", Integer, primary_key=True, autoincrement=False),
    Column("ids", ARRAY(Integer), nullable=False),
    Column("similarities", ARRAY(Double), nullable=False),
    Column("shared", ARRAY(Integer), nullable=False),
)

TABLES = (models.name, neighbours.name)
