"""Truncations are noted of tables that counts depend on; `install` makes the triggers' functions again."""

from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    op.execute("ALTER TABLE insights.listen_changes DROP COLUMN unannounced")
