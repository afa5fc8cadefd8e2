-- 1.1: the applications that are installed here.

CREATE TABLE own_app (
    id   BLOB NOT NULL PRIMARY KEY,
    text TEXT NOT NULL -- the definition as it was given
) STRICT, WITHOUT ROWID;
