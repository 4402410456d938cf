"""All listens before the beginnings of months, by track, artist, genre and listener."""

from alembic import op

revision = "0005"
down_revision = "0004"

TABLES = """
CREATE TABLE insights.prefixes (slot integer PRIMARY KEY);
CREATE TABLE insights.id_blocks (
    kind smallint NOT NULL,
    block smallint NOT NULL,
    ids text[] NOT NULL,
    durations_ms integer[],
    PRIMARY KEY (kind, block)
);
-- Ids are as good as random: they would take the time to be compressed, and no less space.
ALTER TABLE insights.id_blocks ALTER ids SET STORAGE EXTERNAL;
CREATE TABLE insights.prefix_sums (
    slot integer NOT NULL REFERENCES insights.prefixes ON DELETE CASCADE,
    kind smallint NOT NULL,
    block smallint NOT NULL,
    plays integer[] NOT NULL,
    listen_time_ms bigint[],
    PRIMARY KEY (slot, kind, block)
);
"""

# A process of the version before, which is still there while others are replaced, folds and forgets none.
FUNCTION = """
CREATE OR REPLACE FUNCTION insights.forget_heavy_users() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF current_setting('songswap_insights.forgets_heavy_users', true) IS DISTINCT FROM 'on' THEN
        DELETE FROM insights.heavy_users;
    END IF;
    IF current_setting('songswap_insights.forgets_prefix_sums', true) IS DISTINCT FROM 'on' THEN
        DELETE FROM insights.prefixes;
    END IF;
    RETURN NULL;
END $$
"""


def upgrade() -> None:
    op.execute(TABLES)
    op.execute(FUNCTION)
