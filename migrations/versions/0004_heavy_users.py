"""The rankings and slots of users with many listens."""

from alembic import op

revision = "0004"
down_revision = "0003"

TABLES = """
CREATE TABLE insights.heavy_users (
    user_id integer PRIMARY KEY,
    ends timestamp NOT NULL,
    slots integer[],
    plays integer[],
    listen_time_ms bigint[]
);
CREATE TABLE insights.user_rankings (
    user_id integer NOT NULL REFERENCES insights.heavy_users ON DELETE CASCADE,
    kind smallint NOT NULL,
    ids text[] NOT NULL,
    plays integer[] NOT NULL,
    listen_time_ms bigint[] NOT NULL,
    PRIMARY KEY (user_id, kind)
);
-- Ids are as good as random: they would take the time to be compressed, and no less space.
ALTER TABLE insights.user_rankings ALTER ids SET STORAGE EXTERNAL;
"""


def upgrade() -> None:
    op.execute(TABLES)
