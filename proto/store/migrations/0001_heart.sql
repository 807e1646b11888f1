-- One schema for SQLite and PostgreSQL. `GENERATED_ID` is the only word that differs; see src/migration.rs.
-- Times end in _ms and are milliseconds since 1970 on the store's clock (src/time.rs). Columns named in SEALED comments
-- hold AEAD envelopes (src/seal.rs); nothing personal stands outside of them.

CREATE TABLE meta (
  name TEXT PRIMARY KEY,
  value TEXT NOT NULL
);

CREATE TABLE data_keys (
  key_id BIGINT PRIMARY KEY,
  purpose TEXT NOT NULL,
  master_id TEXT NOT NULL,
  wrapped BYTEA NOT NULL,
  created_ms BIGINT NOT NULL
);

CREATE TABLE tenants (
  tenant_id TEXT PRIMARY KEY,
  name TEXT NOT NULL,
  created_ms BIGINT NOT NULL
);

-- 連携先アカウント: one company's カオナビ, known by the fingerprint of its Consumer Key.
CREATE TABLE accounts (
  account_id TEXT PRIMARY KEY,
  fingerprint TEXT NOT NULL UNIQUE,        -- of the Consumer Key of now; a new key keeps the account and its log of calls
  base_url TEXT NOT NULL,
  credentials BYTEA,                       -- SEALED
  token BYTEA,                             -- SEALED
  token_expires_ms BIGINT NOT NULL DEFAULT 0,
  lease_owner TEXT,
  lease_epoch BIGINT NOT NULL DEFAULT 0,
  lease_until_ms BIGINT NOT NULL DEFAULT 0,
  next_due_ms BIGINT NOT NULL,
  wake_seq BIGINT NOT NULL DEFAULT 0,
  next_batch BIGINT NOT NULL DEFAULT 1,
  doc TEXT NOT NULL
);
CREATE INDEX accounts_due ON accounts (next_due_ms);

CREATE TABLE connections (
  connection_id TEXT PRIMARY KEY,
  tenant_id TEXT NOT NULL REFERENCES tenants (tenant_id),
  name TEXT NOT NULL,
  source TEXT NOT NULL,
  account_id TEXT REFERENCES accounts (account_id),
  state TEXT NOT NULL,                     -- draft, active, paused, halted, disconnected
  state_code TEXT,
  state_detail BYTEA,                      -- SEALED
  state_ms BIGINT NOT NULL,
  activated_ms BIGINT,
  wanted_ms BIGINT,
  problems TEXT NOT NULL DEFAULT '[]',
  settings TEXT NOT NULL,
  declared_state TEXT
);
CREATE INDEX connections_account ON connections (account_id);

CREATE TABLE webhook_secrets (
  connection_id TEXT NOT NULL REFERENCES connections (connection_id),
  secret_id TEXT NOT NULL,
  secret BYTEA NOT NULL,                   -- SEALED
  expires_ms BIGINT,
  PRIMARY KEY (connection_id, secret_id)
);

-- One row per employee is the heart: the latest record and how far it has come.
CREATE TABLE employees (
  connection_id TEXT NOT NULL,
  employee_id TEXT NOT NULL,
  account_id TEXT,
  number TEXT,
  version BIGINT NOT NULL,
  log_partition BIGINT NOT NULL,
  log_offset BIGINT NOT NULL,
  content TEXT NOT NULL,
  event_ids TEXT NOT NULL,
  change TEXT NOT NULL,
  record BYTEA,                            -- SEALED
  eligible BIGINT NOT NULL,
  state TEXT NOT NULL,                     -- baseline, due, flying, synced, skipped, parked, held
  op TEXT,                                 -- create, update
  reason TEXT,
  detail BYTEA,                            -- SEALED
  due_ms BIGINT,
  next_try_ms BIGINT NOT NULL DEFAULT 0,
  attempts BIGINT NOT NULL DEFAULT 0,
  batch_id BIGINT,
  flying_version BIGINT,
  settled_version BIGINT,
  written BYTEA,                           -- SEALED
  written_number TEXT,
  released_number TEXT,
  received_ms BIGINT NOT NULL,
  changed_ms BIGINT NOT NULL,
  PRIMARY KEY (connection_id, employee_id)
);
CREATE INDEX employees_due ON employees (account_id, op, next_try_ms) WHERE state = 'due';
CREATE INDEX employees_number ON employees (connection_id, number);
CREATE INDEX employees_state ON employees (account_id, state);

-- What カオナビ holds, as far as it is known: codes and keyed hashes of mapped fields, never the values.
CREATE TABLE codes (
  account_id TEXT NOT NULL,
  code TEXT NOT NULL,
  near TEXT NOT NULL,
  present BIGINT NOT NULL,
  hashes TEXT NOT NULL,
  read_ms BIGINT NOT NULL,
  owner_connection TEXT,
  owner_employee TEXT,
  PRIMARY KEY (account_id, code)
);
CREATE INDEX codes_near ON codes (account_id, near);

CREATE TABLE batches (
  account_id TEXT NOT NULL,
  batch_id BIGINT NOT NULL,
  kind TEXT NOT NULL,                      -- create, update
  repair BIGINT NOT NULL,
  state TEXT NOT NULL,                     -- planned, accepted, unknown, done
  outcome TEXT,
  members TEXT NOT NULL,
  payload BYTEA NOT NULL,                  -- SEALED
  task_id BIGINT,
  epoch BIGINT NOT NULL,
  planned_ms BIGINT NOT NULL,
  gives_up_ms BIGINT NOT NULL,
  settled_ms BIGINT,
  next_look_ms BIGINT NOT NULL,
  looks BIGINT NOT NULL DEFAULT 0,
  PRIMARY KEY (account_id, batch_id)
);
CREATE INDEX batches_open ON batches (account_id, state);

-- A search for the record that makes a call fail (bisection), with what is set aside.
CREATE TABLE repairs (
  account_id TEXT NOT NULL,
  repair_id BIGINT NOT NULL,
  kind TEXT NOT NULL,
  doc TEXT NOT NULL,
  PRIMARY KEY (account_id, repair_id)
);

-- The account's log of calls; its update calls are the budget.
CREATE TABLE calls (
  call_id GENERATED_ID,
  account_id TEXT NOT NULL,
  kind TEXT NOT NULL,                      -- create, update, repair, token, read, poll
  batch_id BIGINT,
  reserved_ms BIGINT NOT NULL,
  frees_ms BIGINT NOT NULL,
  answered_ms BIGINT,
  status BIGINT
);
CREATE INDEX calls_account ON calls (account_id, reserved_ms);

CREATE TABLE activity (
  activity_id GENERATED_ID,
  at_ms BIGINT NOT NULL,
  connection_id TEXT NOT NULL,
  employee_id TEXT,
  kind TEXT NOT NULL,
  code TEXT,
  detail BYTEA                             -- SEALED
);
CREATE INDEX activity_employee ON activity (connection_id, employee_id);

-- The embedded log. Offsets rise without gaps; a row lock on the head keeps commits in the order of offsets.
CREATE TABLE log_heads (
  topic TEXT PRIMARY KEY,
  next_offset BIGINT NOT NULL
);
CREATE TABLE log_records (
  topic TEXT NOT NULL,
  log_offset BIGINT NOT NULL,
  record_key TEXT NOT NULL,
  headers TEXT NOT NULL,
  value BYTEA NOT NULL,                    -- SEALED
  appended_ms BIGINT NOT NULL,
  PRIMARY KEY (topic, log_offset)
);
CREATE TABLE log_positions (
  reader_group TEXT NOT NULL,
  topic TEXT NOT NULL,
  next_offset BIGINT NOT NULL,
  PRIMARY KEY (reader_group, topic)
);
