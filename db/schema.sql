-- The whole schema of the state database, as the scripts in db/migrations leave it (a test compares). Times are milliseconds since 1970-01-01T00:00:00Z, sizes are bytes, hashes are
-- lower-case hex. Numbers behind names (states, kinds, classes) are in db/records.hpp and only grow.

-- One MCU as configured, and what it last said about itself. Rows stay when a device leaves the configuration:
-- its jobs need them.
CREATE TABLE devices (
    name                     TEXT    NOT NULL PRIMARY KEY,
    hardware                 TEXT    NOT NULL,
    configured               INTEGER NOT NULL CHECK (configured IN (0, 1)),
    reachable                INTEGER CHECK (reachable IN (0, 1)),  -- NULL: never tried
    tried_at_ms              INTEGER,
    seen_at_ms               INTEGER,                              -- last answer
    role                     INTEGER NOT NULL DEFAULT 0,           -- 0 unknown, 1 loader, 2 agent
    unique_id                TEXT    NOT NULL DEFAULT '',
    loader_version           TEXT    NOT NULL DEFAULT '',
    agent_version            TEXT    NOT NULL DEFAULT '',
    running_state            INTEGER NOT NULL DEFAULT 0,           -- 0 none, 1 confirmed, 2 on trial, 3 damaged
    running_version          TEXT    NOT NULL DEFAULT '',
    running_sha256           TEXT    NOT NULL DEFAULT '',
    running_bytes            INTEGER NOT NULL DEFAULT 0,
    running_security_counter INTEGER NOT NULL DEFAULT 0,
    backup_state             INTEGER NOT NULL DEFAULT 0,           -- 0 none, 1 valid
    backup_version           TEXT    NOT NULL DEFAULT '',
    backup_sha256            TEXT    NOT NULL DEFAULT '',
    backup_bytes             INTEGER NOT NULL DEFAULT 0,
    security_counter_floor   INTEGER NOT NULL DEFAULT 0,
    stay_reason              INTEGER NOT NULL DEFAULT 0,           -- device status: why it stays in the loader
    error_code               INTEGER,                              -- why the last try to reach it failed
    error_what               TEXT    NOT NULL DEFAULT '',
    error_next               TEXT    NOT NULL DEFAULT '',
    error_device_status      INTEGER NOT NULL DEFAULT 0
) STRICT;

-- What a cloud or a person asked for one device.
CREATE TABLE jobs (
    id                  INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    device              TEXT    NOT NULL REFERENCES devices (name),
    hardware            TEXT    NOT NULL,
    module              TEXT    NOT NULL,
    source_kind         INTEGER NOT NULL,              -- 0 cloud, 1 local
    provider            TEXT    NOT NULL,              -- [[cloud]] name, or the person's account name
    request_id          TEXT    NOT NULL,
    state               INTEGER NOT NULL,
    resume_state        INTEGER NOT NULL,              -- waiting: the state to go on with
    wait_reason         INTEGER NOT NULL,
    wait_until_ms       INTEGER NOT NULL,              -- 0: no limit
    attempts            INTEGER NOT NULL,
    full_only           INTEGER NOT NULL CHECK (full_only IN (0, 1)),
    from_version        TEXT    NOT NULL,
    to_version          TEXT    NOT NULL,
    url                 TEXT    NOT NULL,              -- byte for byte as received
    size_bytes          INTEGER NOT NULL,              -- announced; 0: unknown
    digest_kind         INTEGER NOT NULL,
    digest_hex          TEXT    NOT NULL,
    digest_sign         TEXT    NOT NULL,
    is_diff             INTEGER NOT NULL CHECK (is_diff IN (0, 1)),
    package_sha256      TEXT    NOT NULL,              -- in the cache under this name; '': not yet
    image_sha256        TEXT    NOT NULL,              -- what must run there in the end; '': not yet known
    payload_kind        TEXT    NOT NULL,
    payload_bytes       INTEGER NOT NULL,
    install_token       INTEGER NOT NULL,              -- the 64 bits of the token; 0: none given out
    told_percent        INTEGER NOT NULL,              -- last progress told upstream
    error_code          INTEGER,
    error_what          TEXT    NOT NULL,
    error_next          TEXT    NOT NULL,
    error_device_status INTEGER NOT NULL,
    created_at_ms       INTEGER NOT NULL,
    updated_at_ms       INTEGER NOT NULL,
    finished_at_ms      INTEGER,
    payload_index       INTEGER NOT NULL DEFAULT -1,   -- payload of the package the device holds; -1: none yet
    payloads_refused    INTEGER NOT NULL DEFAULT 0,    -- bit n: the device refused payload n
    percent             INTEGER NOT NULL DEFAULT 0,    -- how far it had come when this was last written
    goal                INTEGER NOT NULL DEFAULT 0     -- 0 install, 1 rollback
) STRICT;
CREATE INDEX jobs_by_device ON jobs (device, id);
CREATE INDEX jobs_by_state ON jobs (state, id);
CREATE INDEX jobs_by_creation ON jobs (created_at_ms);
CREATE INDEX jobs_by_package ON jobs (package_sha256) WHERE package_sha256 <> '';
CREATE INDEX jobs_failed ON jobs (device, id) WHERE state = 9;
-- 7 succeeded, 9 failed, 10 cancelled
CREATE INDEX jobs_unfinished ON jobs (id) WHERE state NOT IN (7, 9, 10);

-- Every step in the life of a job, written in the transaction that made it.
CREATE TABLE transitions (
    id         INTEGER NOT NULL PRIMARY KEY,
    job        INTEGER NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
    at_ms      INTEGER NOT NULL,
    from_state INTEGER,                                -- NULL: the first
    to_state   INTEGER NOT NULL,
    reason     TEXT    NOT NULL
) STRICT;
CREATE INDEX transitions_by_job ON transitions (job, id);

-- How much of a partial file is known to be on disk.
CREATE TABLE downloads (
    job           INTEGER NOT NULL PRIMARY KEY REFERENCES jobs (id) ON DELETE CASCADE,
    offset_bytes  INTEGER NOT NULL,
    etag          TEXT    NOT NULL,
    digest_state  TEXT    NOT NULL,
    updated_at_ms INTEGER NOT NULL
) STRICT;

-- Files of the package cache, named by their SHA-256.
CREATE TABLE packages (
    sha256      TEXT    NOT NULL PRIMARY KEY,
    size_bytes  INTEGER NOT NULL,
    added_at_ms INTEGER NOT NULL,
    used_at_ms  INTEGER NOT NULL
) STRICT;

-- What still has to be told to a cloud, in this order. Rows leave when the broker has acknowledged them.
CREATE TABLE outbox (
    id            INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    provider      TEXT    NOT NULL,
    device        TEXT    NOT NULL,
    topic         TEXT    NOT NULL,
    payload       TEXT    NOT NULL,
    qos           INTEGER NOT NULL,
    coalesce_key  TEXT    NOT NULL,                    -- a newer message of the same key replaces it; '': never
    created_at_ms INTEGER NOT NULL
) STRICT;
CREATE INDEX outbox_by_provider ON outbox (provider, id);
CREATE INDEX outbox_by_key ON outbox (provider, coalesce_key) WHERE coalesce_key <> '';

-- Who asked for what.
CREATE TABLE audit (
    id     INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    at_ms  INTEGER NOT NULL,
    who    TEXT    NOT NULL,                           -- account name, or the cloud's name
    uid    INTEGER,                                    -- NULL: not a local account
    action TEXT    NOT NULL,                           -- install, rollback, cancel, retry, offer, replace, fall_back
    device TEXT    NOT NULL,
    job    INTEGER,
    detail TEXT    NOT NULL
) STRICT;
CREATE INDEX audit_by_time ON audit (at_ms);
