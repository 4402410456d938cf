"""A truncation is noted where what is counted hangs on the table; `install` makes the triggers' functions anew."""

from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    op.execute("ALTER TABLE insights.listen_changes DROP COLUMN unannounced")
