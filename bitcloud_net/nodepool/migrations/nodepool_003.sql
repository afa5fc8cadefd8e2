-- 1.3: applications that people use.

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
