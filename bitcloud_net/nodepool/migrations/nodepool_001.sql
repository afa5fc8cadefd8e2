-- 1.1: faults, bans, and the table that a proof is about. Proofs come again from other nodes.

DROP TABLE np_proof;
CREATE TABLE np_proof (
    owner  BLOB    NOT NULL PRIMARY KEY,
    tbl    INTEGER NOT NULL, -- of the two rows
    id     BLOB    NOT NULL,
    kind   TEXT    NOT NULL,
    period INTEGER NOT NULL,
    raw    BLOB    NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX np_proof_id ON np_proof (id);

CREATE TABLE np_ban (
    target BLOB    NOT NULL,
    since  INTEGER NOT NULL,
    until  INTEGER NOT NULL, -- the last period of the ban
    reason TEXT    NOT NULL,
    PRIMARY KEY (target, since)
) STRICT, WITHOUT ROWID;
CREATE INDEX np_ban_until ON np_ban (until);

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
