"""The orders of rankings without the ids: half the space. `flask rollups install` makes the indexes anew."""

from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.execute("DROP INDEX insights.rankings_by_plays, insights.rankings_by_listen_time")


def downgrade() -> None:
    for column in "plays", "listen_time_ms":
        name = f"rankings_by_{column.removesuffix('_ms')}"
        op.execute(f"DROP INDEX IF EXISTS insights.{name}")
        op.execute(f'CREATE INDEX {name} ON insights.rankings (window_id, kind, {column} DESC, id COLLATE "C")')
