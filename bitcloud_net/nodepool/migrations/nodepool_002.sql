-- 1.2: mined identities.

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
