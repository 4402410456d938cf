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

# A process of the version before, which is still there while others are replaced, folds and forgets nobody.
FUNCTION = """
CREATE FUNCTION insights.forget_heavy_users() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF current_setting('songswap_insights.forgets_heavy_users', true) IS DISTINCT FROM 'on' THEN
        DELETE FROM insights.heavy_users;
    END IF;
    RETURN NULL;
END $$
"""
LOGS = ("listen_changes", "credit_changes", "genre_changes", "duration_changes")


def upgrade() -> None:
    op.execute(TABLES)
    op.execute(FUNCTION)
    for log in LOGS:
        op.execute(
            f"CREATE TRIGGER forget_heavy_users AFTER DELETE ON insights.{log}"
            " FOR EACH STATEMENT EXECUTE FUNCTION insights.forget_heavy_users()"
        )
