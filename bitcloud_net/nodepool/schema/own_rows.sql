-- What this machine has signed, apart from the shared database: it outlives a damaged nodepool,
-- and keeps this machine from ever using one number for two rows.

CREATE TABLE own_row (
    number INTEGER PRIMARY KEY,
    tbl    INTEGER NOT NULL,
    key    BLOB    NOT NULL,
    seq    INTEGER NOT NULL,
    raw    BLOB    NOT NULL
) STRICT;
CREATE UNIQUE INDEX own_row_key ON own_row (tbl, key);

-- The next free slot of an owner in a table and period.
CREATE TABLE own_slot (
    owner  BLOB    NOT NULL,
    tbl    INTEGER NOT NULL,
    period INTEGER NOT NULL,
    next   INTEGER NOT NULL,
    PRIMARY KEY (owner, tbl, period)
) STRICT, WITHOUT ROWID;

-- The applications that are installed here.
CREATE TABLE own_app (
    id   BLOB NOT NULL PRIMARY KEY,
    text TEXT NOT NULL -- the definition as it was given
) STRICT, WITHOUT ROWID;
