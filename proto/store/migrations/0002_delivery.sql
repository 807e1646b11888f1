-- Delivery complete: decisions of people, mass changes, verification, mails, access to the API.

ALTER TABLE connections ADD COLUMN settings_version BIGINT NOT NULL DEFAULT 1;   -- the ETag of the settings
ALTER TABLE connections ADD COLUMN activated_wall_ms BIGINT;                     -- first activation on the calendar
ALTER TABLE connections ADD COLUMN verify_wanted_ms BIGINT;                      -- since when somebody wants to know whether it would work
ALTER TABLE connections ADD COLUMN preview_wanted_ms BIGINT;                     -- since when somebody waits for a preview
ALTER TABLE connections ADD COLUMN verified_ms BIGINT;
ALTER TABLE connections ADD COLUMN verification TEXT;                            -- JSON: what was tried, with which end

ALTER TABLE employees ADD COLUMN confirmed BIGINT NOT NULL DEFAULT 0;            -- a person saw this change and said yes
ALTER TABLE employees ADD COLUMN declined TEXT;                                  -- keyed hash of the mapped values that a person said no to
ALTER TABLE employees ADD COLUMN declined_ms BIGINT;
ALTER TABLE employees ADD COLUMN surge_op TEXT;                                  -- as what it last became due, for brake and ceiling
ALTER TABLE employees ADD COLUMN surge_ms BIGINT;                                -- and when; NULL when a person confirmed it
CREATE INDEX employees_surge ON employees (connection_id, surge_op, surge_ms);
CREATE INDEX employees_attention ON employees (connection_id, changed_ms) WHERE state IN ('parked', 'held');

CREATE INDEX activity_connection ON activity (connection_id, activity_id);

-- Whether deliveries of a connection pass their signature; ingest writes it now and then, never within a request.
CREATE TABLE webhook_health (
  connection_id TEXT PRIMARY KEY,
  accepted_ms BIGINT,                      -- the last one that passed
  refused_ms BIGINT,                       -- the last one that did not
  refused_since_ms BIGINT,                 -- the first refused one since the last that passed
  refused BIGINT NOT NULL DEFAULT 0        -- how many since then
);

-- One trouble, from its first failure to its end. Account-wide codes have one per tenant and account, others one per connection.
CREATE TABLE episodes (
  episode_id GENERATED_ID,
  tenant_id TEXT NOT NULL,
  scope TEXT NOT NULL,                     -- connection:{id} or account:{id}
  code TEXT NOT NULL,
  opened_ms BIGINT NOT NULL,
  seen_ms BIGINT NOT NULL,                 -- when an open item of it was last seen
  closed_ms BIGINT,
  digests BIGINT NOT NULL DEFAULT 0,
  last_digest_ms BIGINT
);
CREATE UNIQUE INDEX episodes_open ON episodes (tenant_id, scope, code) WHERE closed_ms IS NULL;

-- What an episode is about, and in which of its mails it was told.
CREATE TABLE episode_items (
  episode_id BIGINT NOT NULL,
  connection_id TEXT NOT NULL,
  employee_id TEXT NOT NULL,               -- empty: the connection itself
  added_ms BIGINT NOT NULL,
  digest BIGINT,                           -- NULL: not told yet
  PRIMARY KEY (episode_id, connection_id, employee_id)
);

-- Mails on their way.
CREATE TABLE outbox (
  message_id TEXT PRIMARY KEY,
  episode_id BIGINT NOT NULL,
  digest BIGINT NOT NULL,
  state TEXT NOT NULL,                     -- waiting, sent, given_up
  mail BYTEA,                              -- SEALED: recipients, subject, bodies; NULL once it is gone
  attempts BIGINT NOT NULL DEFAULT 0,
  next_try_ms BIGINT NOT NULL,
  created_ms BIGINT NOT NULL,
  ended_ms BIGINT,
  UNIQUE (episode_id, digest)
);
CREATE INDEX outbox_waiting ON outbox (next_try_ms) WHERE state = 'waiting';

-- Who does what only one may do at a time.
CREATE TABLE leases (
  name TEXT PRIMARY KEY,
  owner TEXT NOT NULL,
  epoch BIGINT NOT NULL,
  until_ms BIGINT NOT NULL
);

-- Bearer tokens of the REST API; the token itself is shown once and never stored.
CREATE TABLE api_tokens (
  token_id TEXT PRIMARY KEY,
  tenant_id TEXT,                          -- NULL: the platform
  name TEXT NOT NULL,
  hash TEXT NOT NULL UNIQUE,
  created_ms BIGINT NOT NULL,
  expires_ms BIGINT,
  revoked_ms BIGINT,
  used_ms BIGINT
);
CREATE INDEX api_tokens_tenant ON api_tokens (tenant_id);

-- Who looked at or changed what.
CREATE TABLE audit (
  audit_id GENERATED_ID,
  at_ms BIGINT NOT NULL,
  tenant_id TEXT,
  actor TEXT NOT NULL,                     -- token:{id} or command
  action TEXT NOT NULL,
  target TEXT NOT NULL,
  detail BYTEA                             -- SEALED
);
CREATE INDEX audit_tenant ON audit (tenant_id, audit_id);

-- What a person was shown before saying yes.
CREATE TABLE previews (
  preview_id TEXT PRIMARY KEY,
  connection_id TEXT NOT NULL,
  made_ms BIGINT NOT NULL,
  who TEXT NOT NULL,                       -- JSON: waiting, first_load, or employee ids
  state TEXT NOT NULL,                     -- wanted, ready, failed
  doc BYTEA                                -- SEALED: per person the content that was judged and what would be done
);
CREATE INDEX previews_connection ON previews (connection_id, made_ms);
