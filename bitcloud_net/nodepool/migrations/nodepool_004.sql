-- 1.4: the other tables of grids, publishers and people.

CREATE TABLE grid (
    key              BLOB    NOT NULL PRIMARY KEY, -- owner
    name             TEXT    NOT NULL,
    is_open          INTEGER NOT NULL, -- 1: anybody may ask for a contract
    prices           TEXT    NOT NULL, -- JSON array of {coin, gib_month, block}; amounts in decimals
    storage          INTEGER NOT NULL, -- bytes that can still be had
    bandwidth        INTEGER NOT NULL, -- bytes per second
    availability_ppm INTEGER NOT NULL,
    ping_ms          INTEGER NOT NULL,
    least_storage    INTEGER NOT NULL, -- bytes of the smallest contract
    least_periods    INTEGER NOT NULL, -- periods of the shortest contract
    seq              INTEGER NOT NULL,
    period           INTEGER NOT NULL,
    expires          INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE head (
    key       BLOB    NOT NULL PRIMARY KEY, -- owner || publisher
    owner     BLOB    NOT NULL,
    publisher BLOB    NOT NULL, -- whose rows it counts; zero: those that everybody may see
    tables    TEXT    NOT NULL, -- JSON array of {table, count, fingerprint, latest}
    seq       INTEGER NOT NULL,
    period    INTEGER NOT NULL,
    expires   INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Until when those who have been nodes were there, where identities are mined.
CREATE TABLE np_service (
    owner BLOB    NOT NULL PRIMARY KEY,
    until INTEGER NOT NULL -- last period in which the newest node row was valid
) STRICT, WITHOUT ROWID;

-- What nodes have said they hold, for audits of our own; never leaves this machine.
CREATE TABLE np_share_claim (
    node     BLOB    NOT NULL,
    cid      BLOB    NOT NULL,
    share_no INTEGER NOT NULL,
    period   INTEGER NOT NULL, -- when it said so
    PRIMARY KEY (node, cid, share_no)
) STRICT, WITHOUT ROWID;

-- What each ban rests on, to be shown to people.
ALTER TABLE np_ban ADD COLUMN name TEXT NOT NULL DEFAULT '';
ALTER TABLE np_ban ADD COLUMN proof TEXT NOT NULL DEFAULT '';
CREATE TABLE np_ban_word (
    target  BLOB    NOT NULL,
    since   INTEGER NOT NULL,
    auditor BLOB    NOT NULL,
    reason  INTEGER NOT NULL,
    recent  INTEGER NOT NULL, -- bit i: seen in period - i
    period  INTEGER NOT NULL,
    PRIMARY KEY (target, since, auditor)
) STRICT, WITHOUT ROWID;

-- Who may see a row that not everybody may: the keys that it names. Rows without any are public.
CREATE TABLE np_audience (
    tbl    INTEGER NOT NULL,
    key    BLOB    NOT NULL, -- of the row
    reader BLOB    NOT NULL,
    period INTEGER NOT NULL, -- of the row, as its id
    id     BLOB    NOT NULL,
    PRIMARY KEY (tbl, key, reader)
) STRICT, WITHOUT ROWID;
CREATE INDEX np_audience_reader ON np_audience (reader, tbl);

-- How deep each table is cut here (core/shards.py).
CREATE TABLE np_depth (
    tbl   INTEGER NOT NULL PRIMARY KEY,
    depth INTEGER NOT NULL,
    over  INTEGER NOT NULL, -- periods for which the own shard was too large
    under INTEGER NOT NULL  -- or too small
) STRICT;


CREATE TABLE certificate (
    key     BLOB    NOT NULL PRIMARY KEY, -- owner || kind || subject
    owner   BLOB    NOT NULL,
    kind    INTEGER NOT NULL, -- 1 node, 2 user, 3 trust, 4 merge, 5 delegate; revoked: 128 more
    subject BLOB    NOT NULL,
    since   INTEGER NOT NULL, -- period
    reason  INTEGER NOT NULL, -- of a revocation; else 0
    seq     INTEGER NOT NULL,
    period  INTEGER NOT NULL,
    expires INTEGER NOT NULL
) STRICT;
CREATE INDEX certificate_subject ON certificate (subject);
