"""The rollups: rankings and slots of everyone's listens, and the logs of changes still to be folded into them."""

from alembic import op

revision = "1"
down_revision = None

TABLES = """
CREATE TABLE insights.state (
    is_only boolean PRIMARY KEY DEFAULT true CHECK (is_only),
    trusted boolean NOT NULL DEFAULT true,
    reason text,
    slots_built boolean NOT NULL DEFAULT false,
    firsts_built boolean NOT NULL DEFAULT false
);
INSERT INTO insights.state DEFAULT VALUES;

CREATE TABLE insights.windows (
    id integer PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
    starts timestamp NOT NULL,
    ends timestamp NOT NULL,
    built_at timestamptz NOT NULL DEFAULT now()
);

-- The indexes that hold the order of lists, here and of first listens, are made by a build.
CREATE TABLE insights.rankings (
    window_id integer NOT NULL,
    kind smallint NOT NULL,
    plays integer NOT NULL,
    listen_time_ms bigint NOT NULL,
    id varchar(120) NOT NULL,
    PRIMARY KEY (window_id, kind, id)
);
CREATE INDEX rankings_gone ON insights.rankings (window_id, kind) WHERE plays = 0;

CREATE TABLE insights.sizes (
    window_id integer NOT NULL,
    kind smallint NOT NULL,
    rows integer NOT NULL,
    plays bigint NOT NULL,
    listen_time_ms bigint NOT NULL,
    PRIMARY KEY (window_id, kind)
);

CREATE TABLE insights.slots (
    slot integer PRIMARY KEY,
    plays integer NOT NULL,
    listen_time_ms bigint NOT NULL
);

CREATE TABLE insights.firsts (
    kind smallint NOT NULL,
    id varchar(120) NOT NULL,
    played_at timestamp NOT NULL,
    PRIMARY KEY (kind, id)
);

-- What has changed and is not folded in yet. Appended to by the platform's own transactions, so without keys or
-- indexes; text without lengths, so that no change of the platform's columns can make a write fail here.
CREATE TABLE insights.listen_changes (user_id bigint, played_at timestamp, track_id text, change smallint);
CREATE TABLE insights.credit_changes (track_id text, artist_id text, is_primary boolean, change smallint);
CREATE TABLE insights.genre_changes (artist_id text, genre text, change smallint);
CREATE TABLE insights.duration_changes (
    number bigint GENERATED ALWAYS AS IDENTITY,
    track_id text,
    before bigint
);
CREATE TABLE insights.truncations (table_name text);

-- Whose listens a transaction changes that does not announce itself: one row for each statement.
CREATE TABLE insights.unannounced (transaction xid8 NOT NULL, users bigint[] NOT NULL);
CREATE INDEX unannounced_transaction ON insights.unannounced (transaction);
"""


def upgrade() -> None:
    op.execute(TABLES)
