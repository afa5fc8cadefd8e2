-- The nodepool as every node holds it. Rebuilt from the network when it is damaged.
-- Blobs: keys, ids and sealed bytes. Periods are whole spans of 600 s since 1970.

CREATE TABLE np_row (
    number    INTEGER PRIMARY KEY,
    tbl       INTEGER NOT NULL,
    key       BLOB    NOT NULL,
    owner     BLOB    NOT NULL,
    seq       INTEGER NOT NULL,
    period    INTEGER NOT NULL,
    slot      INTEGER NOT NULL,
    expires   INTEGER NOT NULL,
    id        BLOB    NOT NULL,
    raw       BLOB    NOT NULL,
    co_owners INTEGER NOT NULL DEFAULT 0 -- how many have signed beside the owner
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
    raw    BLOB    NOT NULL,
    was_node INTEGER NOT NULL DEFAULT 0 -- 1: its owner was a node known here
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

-- How deep each table is cut here (core/nodepool/shards.py).
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
    node             BLOB    NOT NULL, -- a running one, that speaks for the grid
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

-- Publishers: who admits users, decides on content, rents grids and pays.
CREATE TABLE publisher (
    key             BLOB    NOT NULL PRIMARY KEY, -- owner
    nickname        TEXT    NOT NULL,
    address         TEXT    NOT NULL,
    joining         INTEGER NOT NULL, -- open 1, invitation 2, captcha 3, mail 4, approval 5, payment 6
    approval        INTEGER NOT NULL, -- periods that content waits at most; 0: it does not
    quota           TEXT    NOT NULL, -- JSON: stored, moved, files, folders
    metadata_public INTEGER NOT NULL,
    files_public    INTEGER NOT NULL,
    trusts_all      INTEGER NOT NULL, -- 1: all publishers except those in trust
    seq             INTEGER NOT NULL,
    period          INTEGER NOT NULL,
    expires         INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- What publishers think of each other.
CREATE TABLE trust (
    key       BLOB    NOT NULL PRIMARY KEY, -- owner || publisher
    owner     BLOB    NOT NULL,
    publisher BLOB    NOT NULL, -- the other one
    stance    INTEGER NOT NULL, -- friend 1, banned 2, bad contracts 3
    users     INTEGER NOT NULL, -- 1: its users are admitted
    powers    INTEGER NOT NULL, -- 1: its bans hold here, too
    reason    TEXT    NOT NULL,
    seq       INTEGER NOT NULL,
    period    INTEGER NOT NULL,
    expires   INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX trust_owner ON trust (owner);
CREATE INDEX trust_publisher ON trust (publisher);

-- Which nodes are gateways of a grid, and for whom.
CREATE TABLE gateway (
    key       BLOB    NOT NULL PRIMARY KEY, -- owner || gateway || publisher
    owner     BLOB    NOT NULL, -- of the grid
    gateway   BLOB    NOT NULL, -- node
    publisher BLOB    NOT NULL, -- whom it serves; zero: the Public grid
    addresses TEXT    NOT NULL, -- JSON array
    priority  INTEGER NOT NULL, -- the higher first
    bandwidth INTEGER NOT NULL, -- bytes per second
    seq       INTEGER NOT NULL,
    period    INTEGER NOT NULL,
    expires   INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX gateway_owner ON gateway (owner);
CREATE INDEX gateway_node ON gateway (gateway);
CREATE INDEX gateway_publisher ON gateway (publisher);

-- What users ask their publisher.
CREATE TABLE user_request (
    key       BLOB    NOT NULL PRIMARY KEY, -- owner || recipient || id
    owner     BLOB    NOT NULL,
    recipient BLOB    NOT NULL, -- publisher
    id        BLOB    NOT NULL,
    action    INTEGER NOT NULL,
    state     INTEGER NOT NULL, -- asked 1, withdrawn 2, agreed 3, refused 4, done 5
    answers   BLOB    NOT NULL, -- id of the row that it answers, or empty
    target    BLOB    NOT NULL, -- file, folder or cid
    folder    BLOB    NOT NULL,
    party     BLOB    NOT NULL, -- new owner, or gateway complained of
    offset    INTEGER NOT NULL, -- bytes
    length    INTEGER NOT NULL, -- bytes
    reply_key BLOB    NOT NULL, -- X25519
    sealed    BLOB    NOT NULL,
    reason    TEXT    NOT NULL,
    seq       INTEGER NOT NULL,
    period    INTEGER NOT NULL,
    expires   INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX user_request_owner ON user_request (owner);
CREATE INDEX user_request_recipient ON user_request (recipient, state);
CREATE INDEX user_request_answers ON user_request (answers);

-- What publishers order from grids, and answer.
CREATE TABLE publisher_request (
    key       BLOB    NOT NULL PRIMARY KEY, -- owner || recipient || id
    owner     BLOB    NOT NULL,
    recipient BLOB    NOT NULL, -- owner of a grid; of an answer also a user
    id        BLOB    NOT NULL,
    action    INTEGER NOT NULL,
    state     INTEGER NOT NULL, -- asked 1, withdrawn 2, agreed 3, refused 4, done 5
    answers   BLOB    NOT NULL, -- id of the row that it answers, or empty
    user      BLOB    NOT NULL,
    target    BLOB    NOT NULL, -- file or folder of the user
    party     BLOB    NOT NULL, -- new owner
    value     INTEGER NOT NULL, -- quota
    until     INTEGER NOT NULL, -- period
    nickname  TEXT    NOT NULL,
    contract  INTEGER NOT NULL, -- number
    amount    TEXT    NOT NULL, -- amount, in decimals
    sealed    BLOB    NOT NULL,
    reason    TEXT    NOT NULL,
    seq       INTEGER NOT NULL,
    period    INTEGER NOT NULL,
    expires   INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX publisher_request_owner ON publisher_request (owner);
CREATE INDEX publisher_request_recipient ON publisher_request (recipient, state);
CREATE INDEX publisher_request_answers ON publisher_request (answers);
CREATE INDEX publisher_request_user ON publisher_request (user);

-- What owners of grids order from their nodes, and say to publishers.
CREATE TABLE grid_owner_request (
    key       BLOB    NOT NULL PRIMARY KEY, -- owner || recipient || id
    owner     BLOB    NOT NULL,
    recipient BLOB    NOT NULL, -- node, or publisher
    id        BLOB    NOT NULL,
    action    INTEGER NOT NULL,
    state     INTEGER NOT NULL, -- asked 1, withdrawn 2, agreed 3, refused 4, done 5
    answers   BLOB    NOT NULL, -- id of the row that it answers, or empty
    gateway   BLOB    NOT NULL,
    publisher BLOB    NOT NULL,
    value     INTEGER NOT NULL, -- bytes per second
    until     INTEGER NOT NULL, -- period
    contract  INTEGER NOT NULL, -- number
    reason    TEXT    NOT NULL,
    seq       INTEGER NOT NULL,
    period    INTEGER NOT NULL,
    expires   INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX grid_owner_request_owner ON grid_owner_request (owner);
CREATE INDEX grid_owner_request_recipient ON grid_owner_request (recipient, state);
CREATE INDEX grid_owner_request_answers ON grid_owner_request (answers);

-- Contracts of storage nodes with grids.
CREATE TABLE node_contract (
    key              BLOB    NOT NULL PRIMARY KEY, -- owner || node || number
    owner            BLOB    NOT NULL, -- of the grid
    node             BLOB    NOT NULL, -- signs, too
    number           INTEGER NOT NULL,
    begins           INTEGER NOT NULL, -- period
    ends             INTEGER NOT NULL, -- period
    storage          INTEGER NOT NULL, -- bytes
    bandwidth        INTEGER NOT NULL, -- bytes per second, at least
    availability_ppm INTEGER NOT NULL, -- at least
    ping_ms          INTEGER NOT NULL, -- at most; 0: not measured
    coin             TEXT    NOT NULL,
    gib_month        TEXT    NOT NULL, -- amount, in decimals
    block            TEXT    NOT NULL, -- amount for a block
    block_bytes      INTEGER NOT NULL,
    deposit          TEXT    NOT NULL, -- amount
    confirming       INTEGER NOT NULL, -- periods after the end
    disputing        INTEGER NOT NULL, -- periods after that
    arbiters         BLOB    NOT NULL, -- 32 bytes each; none: by lot
    state            INTEGER NOT NULL, -- signed 1, funded 2, active 3, ended 4, confirmed 5, released 6, refunded 7, disputed 8, ruled 9, settled 10
    escrow           BLOB    NOT NULL,
    paid             TEXT    NOT NULL, -- amount
    refunded         TEXT    NOT NULL, -- amount
    seq              INTEGER NOT NULL,
    period           INTEGER NOT NULL,
    expires          INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX node_contract_owner ON node_contract (owner, ends);
CREATE INDEX node_contract_node ON node_contract (node, ends);

-- Contracts of publishers with grids.
CREATE TABLE publisher_contract (
    key              BLOB    NOT NULL PRIMARY KEY, -- owner || grid || number
    owner            BLOB    NOT NULL, -- publisher
    grid             BLOB    NOT NULL, -- signs, too
    number           INTEGER NOT NULL,
    begins           INTEGER NOT NULL, -- period
    ends             INTEGER NOT NULL, -- period
    storage          INTEGER NOT NULL, -- bytes
    bandwidth        INTEGER NOT NULL, -- bytes per second, at least
    availability_ppm INTEGER NOT NULL, -- at least
    ping_ms          INTEGER NOT NULL, -- at most; 0: not measured
    coin             TEXT    NOT NULL,
    gib_month        TEXT    NOT NULL, -- amount, in decimals
    block            TEXT    NOT NULL, -- amount for a block
    block_bytes      INTEGER NOT NULL,
    deposit          TEXT    NOT NULL, -- amount
    confirming       INTEGER NOT NULL, -- periods after the end
    disputing        INTEGER NOT NULL, -- periods after that
    arbiters         BLOB    NOT NULL, -- 32 bytes each; none: by lot
    state            INTEGER NOT NULL, -- signed 1, funded 2, active 3, ended 4, confirmed 5, released 6, refunded 7, disputed 8, ruled 9, settled 10
    escrow           BLOB    NOT NULL,
    paid             TEXT    NOT NULL, -- amount
    refunded         TEXT    NOT NULL, -- amount
    seq              INTEGER NOT NULL,
    period           INTEGER NOT NULL,
    expires          INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX publisher_contract_owner ON publisher_contract (owner, ends);
CREATE INDEX publisher_contract_grid ON publisher_contract (grid, ends);

-- What receipts say together.
CREATE TABLE receipt_summary (
    key              BLOB    NOT NULL PRIMARY KEY, -- owner || grid || other || begins
    owner            BLOB    NOT NULL, -- gateway, or publisher
    grid             BLOB    NOT NULL,
    other            BLOB    NOT NULL, -- the other side of the contract: publisher or node
    begins           INTEGER NOT NULL, -- period
    counts_for       INTEGER NOT NULL, -- publisher 1, node 2
    publisher        BLOB    NOT NULL, -- for whom it was delivered
    contract         INTEGER NOT NULL, -- number
    periods          INTEGER NOT NULL, -- how many
    receipts         INTEGER NOT NULL,
    users            INTEGER NOT NULL,
    good             INTEGER NOT NULL, -- chunks
    wrong            INTEGER NOT NULL, -- chunks
    delivered        INTEGER NOT NULL, -- bytes
    stored           INTEGER NOT NULL, -- bytes times periods
    bandwidth        INTEGER NOT NULL, -- bytes per second, median
    ping_ms          INTEGER NOT NULL, -- median
    availability_ppm INTEGER NOT NULL,
    root             BLOB    NOT NULL, -- Merkle root of the newest receipts
    seq              INTEGER NOT NULL,
    period           INTEGER NOT NULL,
    expires          INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX receipt_summary_grid ON receipt_summary (grid, begins);
CREATE INDEX receipt_summary_other ON receipt_summary (other, begins);

-- Offers, and offers against offers.
CREATE TABLE bid (
    key              BLOB    NOT NULL PRIMARY KEY, -- owner || recipient || id
    owner            BLOB    NOT NULL,
    recipient        BLOB    NOT NULL,
    id               BLOB    NOT NULL,
    begins           INTEGER NOT NULL, -- period
    ends             INTEGER NOT NULL, -- period
    storage          INTEGER NOT NULL, -- bytes
    bandwidth        INTEGER NOT NULL, -- bytes per second, at least
    availability_ppm INTEGER NOT NULL, -- at least
    ping_ms          INTEGER NOT NULL, -- at most; 0: not measured
    coin             TEXT    NOT NULL,
    gib_month        TEXT    NOT NULL, -- amount, in decimals
    block            TEXT    NOT NULL, -- amount for a block
    block_bytes      INTEGER NOT NULL,
    deposit          TEXT    NOT NULL, -- amount
    confirming       INTEGER NOT NULL, -- periods after the end
    disputing        INTEGER NOT NULL, -- periods after that
    arbiters         BLOB    NOT NULL, -- 32 bytes each; none: by lot
    state            INTEGER NOT NULL, -- offered 1, accepted 2, refused 3, withdrawn 4
    answers          BLOB    NOT NULL, -- id of the row that it answers, or empty
    text             TEXT    NOT NULL,
    seq              INTEGER NOT NULL,
    period           INTEGER NOT NULL,
    expires          INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX bid_owner ON bid (owner);
CREATE INDEX bid_recipient ON bid (recipient, state);
CREATE INDEX bid_answers ON bid (answers);

-- Rights to files and folders.
CREATE TABLE permission (
    key          BLOB    NOT NULL PRIMARY KEY, -- owner || receiver || target_id
    owner        BLOB    NOT NULL,
    receiver     BLOB    NOT NULL, -- user or publisher; zero: everybody
    target_id    BLOB    NOT NULL, -- file or folder
    of_publisher INTEGER NOT NULL, -- 1: all users of the publisher
    target       INTEGER NOT NULL, -- file 1, folder 2
    rights       INTEGER NOT NULL, -- bits: read 1, write 2, create 4, remove 8, set permissions 16
    read_quota   INTEGER NOT NULL, -- bytes; 0: no limit
    write_quota  INTEGER NOT NULL, -- bytes; 0: no limit
    sealed       BLOB    NOT NULL, -- for the receiver
    seq          INTEGER NOT NULL,
    period       INTEGER NOT NULL,
    expires      INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX permission_owner ON permission (owner, target_id);
CREATE INDEX permission_receiver ON permission (receiver);

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
CREATE INDEX certificate_kind ON certificate (kind, owner);

CREATE TABLE beacon (
    key     BLOB    NOT NULL PRIMARY KEY, -- owner || number
    owner   BLOB    NOT NULL,
    number  INTEGER NOT NULL, -- period; below 2^20: of days
    promise BLOB    NOT NULL, -- of a secret for period + 3
    secret  BLOB    NOT NULL, -- for period + 2
    seen    BLOB    NOT NULL, -- marks of secrets for period + 1, 6 bytes each
    value   BLOB    NOT NULL, -- of the period
    days    BLOB    NOT NULL, -- values, 32 bytes each
    seq     INTEGER NOT NULL,
    period  INTEGER NOT NULL,
    expires INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX beacon_number ON beacon (number);

-- Values of days, as this node knows them for certain. Never leaves this machine.
CREATE TABLE np_day (
    day   INTEGER NOT NULL PRIMARY KEY,
    value BLOB    NOT NULL
) STRICT;

-- Since when each node can have been there, as far as this node has seen. Never leaves this machine.
CREATE TABLE np_seen (
    node  BLOB    NOT NULL PRIMARY KEY,
    since INTEGER NOT NULL, -- the last period in which it was not there yet; 0: unknown
    last  INTEGER NOT NULL  -- of its newest row
) STRICT, WITHOUT ROWID;

-- One row: the last period in which this node was in step with others.
CREATE TABLE np_watched (
    one    INTEGER NOT NULL PRIMARY KEY CHECK (one = 1),
    period INTEGER NOT NULL
) STRICT;

-- Finds the identity of a node.
CREATE INDEX identity_owner ON identity (owner, role);
