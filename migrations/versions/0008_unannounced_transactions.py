"""Whose listens a transaction changes that does not announce itself: one row for each statement."""

from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    op.execute("CREATE TABLE insights.unannounced (transaction xid8 NOT NULL, users bigint[] NOT NULL)")
    op.execute("CREATE INDEX unannounced_transaction ON insights.unannounced (transaction)")
    # The column stays, and stays empty: processes of the version before read it as they fold.
    op.execute("DROP INDEX insights.listen_changes_unannounced")
