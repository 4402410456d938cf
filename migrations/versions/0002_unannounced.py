"""The transaction of a change that does not announce itself."""

from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.execute("ALTER TABLE insights.listen_changes ADD unannounced xid8")
    op.execute(
        "CREATE INDEX listen_changes_unannounced ON insights.listen_changes (unannounced) WHERE unannounced IS NOT NULL"
    )
