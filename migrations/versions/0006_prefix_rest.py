"""When the prefix sums may be counted again, whichever process does it."""

from alembic import op

revision = "0006"
down_revision = "0005"

LOGS = ("listen_changes", "credit_changes", "genre_changes", "duration_changes")


def upgrade() -> None:
    op.execute("CREATE TABLE insights.prefix_rest (until timestamptz NOT NULL)")
    # It forgets the prefix sums, too.
    op.execute("ALTER FUNCTION insights.forget_heavy_users() RENAME TO forget_counts")
    for log in LOGS:
        op.execute(f"ALTER TRIGGER forget_heavy_users ON insights.{log} RENAME TO forget_counts")
