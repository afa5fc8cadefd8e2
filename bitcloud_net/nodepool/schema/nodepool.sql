-- The nodepool as every node holds it. Rebuilt from the network when it is damaged.
-- Blobs: keys, ids and sealed bytes. Periods are whole spans of 600 s since 1970.

CREATE TABLE np_row (
    number  INTEGER PRIMARY KEY,
    tbl     INTEGER NOT NULL,
    key     BLOB    NOT NULL,
    owner   BLOB    NOT NULL,
    seq     INTEGER NOT NULL,
    period  INTEGER NOT NULL,
    slot    INTEGER NOT NULL,
    expires INTEGER NOT NULL,
    id      BLOB    NOT NULL,
    raw     BLOB    NOT NULL
) STRICT;
CREATE UNIQUE INDEX np_row_key ON np_row (tbl, key);
-- Covers the start's scan (table, period, id) as well as the look-up by id.
CREATE UNIQUE INDEX np_row_id ON np_row (id, tbl, period);
CREATE INDEX np_row_slot ON np_row (owner, tbl, period, slot);
CREATE INDEX np_row_expires ON np_row (expires);

-- Two rows that convict their owner. One proof for an owner is enough: the one with the smallest id.
CREATE TABLE np_proof (
    owner  BLOB    NOT NULL PRIMARY KEY,
    tbl    INTEGER NOT NULL, -- of the two rows
    id     BLOB    NOT NULL,
    kind   TEXT    NOT NULL,
    period INTEGER NOT NULL,
    raw    BLOB    NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX np_proof_id ON np_proof (id);

-- Bans as this node has judged them itself, from proofs and from the statements of auditors.
CREATE TABLE np_ban (
    target BLOB    NOT NULL,
    since  INTEGER NOT NULL,
    until  INTEGER NOT NULL, -- the last period of the ban
    reason TEXT    NOT NULL,
    name   TEXT    NOT NULL DEFAULT '', -- of the node, when it was banned
    proof  TEXT    NOT NULL DEFAULT '', -- the kind of the proof, where one was enough
    PRIMARY KEY (target, since)
) STRICT, WITHOUT ROWID;
CREATE INDEX np_ban_until ON np_ban (until);

-- Until when those who have been nodes were there, where identities are mined.
CREATE TABLE np_service (
    owner BLOB    NOT NULL PRIMARY KEY,
    until INTEGER NOT NULL -- last period in which the newest node row was valid
) STRICT, WITHOUT ROWID;

-- What each ban rests on, to be shown to people.
CREATE TABLE np_ban_word (
    target  BLOB    NOT NULL,
    since   INTEGER NOT NULL,
    auditor BLOB    NOT NULL,
    reason  INTEGER NOT NULL,
    recent  INTEGER NOT NULL, -- bit i: seen in period - i
    period  INTEGER NOT NULL,
    PRIMARY KEY (target, since, auditor)
) STRICT, WITHOUT ROWID;

-- What nodes have said they hold, for audits of our own; never leaves this machine.
CREATE TABLE np_share_claim (
    node     BLOB    NOT NULL,
    cid      BLOB    NOT NULL,
    share_no INTEGER NOT NULL,
    period   INTEGER NOT NULL, -- when it said so
    PRIMARY KEY (node, cid, share_no)
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

CREATE TABLE node (
    key       BLOB    NOT NULL PRIMARY KEY,
    name      TEXT    NOT NULL,
    roles     INTEGER NOT NULL,
    addresses TEXT    NOT NULL, -- JSON array
    capacity  INTEGER NOT NULL,
    used      INTEGER NOT NULL,
    seq       INTEGER NOT NULL,
    period    INTEGER NOT NULL,
    expires   INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE user (
    key      BLOB    NOT NULL PRIMARY KEY,
    nickname TEXT    NOT NULL,
    seq      INTEGER NOT NULL,
    period   INTEGER NOT NULL,
    expires  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE folder (
    key      BLOB    NOT NULL PRIMARY KEY, -- owner || folder id
    owner    BLOB    NOT NULL,
    id       BLOB    NOT NULL,
    parent   BLOB    NOT NULL, -- folder id, or empty directly below the person
    open_key BLOB    NOT NULL, -- empty unless anybody may read the names
    sealed   BLOB    NOT NULL,
    seq      INTEGER NOT NULL,
    period   INTEGER NOT NULL,
    expires  INTEGER NOT NULL
) STRICT;
CREATE INDEX folder_parent ON folder (owner, parent);

CREATE TABLE file (
    key     BLOB    NOT NULL PRIMARY KEY, -- owner || file id
    owner   BLOB    NOT NULL,
    id      BLOB    NOT NULL,
    folder  BLOB    NOT NULL,
    sealed  BLOB    NOT NULL,
    seq     INTEGER NOT NULL,
    period  INTEGER NOT NULL,
    expires INTEGER NOT NULL
) STRICT;
CREATE INDEX file_folder ON file (owner, folder);

CREATE TABLE placement (
    key      BLOB    NOT NULL PRIMARY KEY, -- owner || cid
    owner    BLOB    NOT NULL,
    cid      BLOB    NOT NULL,
    manifest BLOB    NOT NULL,
    holders  BLOB    NOT NULL, -- 32 bytes for each share, zero = nobody
    seq      INTEGER NOT NULL,
    period   INTEGER NOT NULL,
    expires  INTEGER NOT NULL
) STRICT;
CREATE INDEX placement_cid ON placement (cid);
CREATE INDEX placement_owner ON placement (owner);

CREATE TABLE fault (
    key     BLOB    NOT NULL PRIMARY KEY, -- auditor || target
    auditor BLOB    NOT NULL,
    target  BLOB    NOT NULL,
    reason  INTEGER NOT NULL,
    count   INTEGER NOT NULL,
    recent  INTEGER NOT NULL, -- bit i: seen in period - i
    seq     INTEGER NOT NULL,
    period  INTEGER NOT NULL,
    expires INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX fault_target ON fault (target);

CREATE TABLE identity (
    key        BLOB    NOT NULL PRIMARY KEY, -- owner || role
    owner      BLOB    NOT NULL,
    role       INTEGER NOT NULL,
    day        INTEGER NOT NULL, -- whose beacon is the salt
    nonce      INTEGER NOT NULL,
    registered INTEGER NOT NULL, -- period
    seq        INTEGER NOT NULL,
    period     INTEGER NOT NULL,
    expires    INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE app (
    key        BLOB    NOT NULL PRIMARY KEY, -- owner || id
    owner      BLOB    NOT NULL,
    id         BLOB    NOT NULL,
    definition TEXT    NOT NULL, -- JSON
    seq        INTEGER NOT NULL,
    period     INTEGER NOT NULL,
    expires    INTEGER NOT NULL
) STRICT;
CREATE INDEX announced_app ON app (id);

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
