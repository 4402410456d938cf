"""The order of first listens without the ids. `flask rollups install` makes the index again."""

from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    op.execute("DROP INDEX IF EXISTS insights.firsts_by_played_at")
