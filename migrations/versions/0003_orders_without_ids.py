"""The orders of rankings without the ids: half the space. `flask rollups install` makes the indexes again."""

from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.execute("DROP INDEX IF EXISTS insights.rankings_by_plays, insights.rankings_by_listen_time")
