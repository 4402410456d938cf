"""The rollups: rankings and slots of everyone's listens, and the logs of changes still to be folded into them."""

from alembic import op

from app.models.rollups import VERSION

revision = VERSION
down_revision = None

TABLES = """
CREATE TABLE insights.state (
    is_only boolean PRIMARY KEY DEFAULT true CHECK (is_only),
    -- Why nothing here is believed before it is built again; null where all is.
    distrust text,
    slots_built boolean NOT NULL DEFAULT false,
    firsts_built boolean NOT NULL DEFAULT false,
    -- Another one each time that changes may have left the logs without being folded in.
    epoch uuid NOT NULL DEFAULT gen_random_uuid(),
    -- The announcements of transactions before this one are deleted.
    forgotten xid8 NOT NULL DEFAULT '0'
);
INSERT INTO insights.state DEFAULT VALUES;

CREATE TABLE insights.windows (
    id integer PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
    starts timestamp NOT NULL,
    ends timestamp NOT NULL,
    UNIQUE (starts, ends)
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

-- The days of listens that came or went, with the last fold that took one of them from the log; folds count from 1.
CREATE TABLE insights.touched_days (day date PRIMARY KEY, fold bigint NOT NULL);

-- Whose answers a transaction makes old, a row for each statement: those of everyone and of some users; of all, null.
CREATE TABLE insights.announcements (transaction xid8 NOT NULL DEFAULT pg_current_xact_id(), users bigint[]);
CREATE INDEX announcements_transaction ON insights.announcements (transaction);
"""


def upgrade() -> None:
    op.execute(TABLES)
