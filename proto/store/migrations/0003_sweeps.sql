-- Work on the calendar: what is due when, who works on it, what came of it.

-- One row per piece of work that sources are asked for: a sweep every quarter hour, a window every day, a run that a person
-- started. A worker that takes it holds it by owner, epoch and time; whoever lost it writes nothing any more.
CREATE TABLE jobs (
  name TEXT PRIMARY KEY,                   -- {kind}:{subject}, or with a number of its own for what happens once
  kind TEXT NOT NULL,
  subject TEXT NOT NULL,                   -- the connection or link
  queue TEXT NOT NULL,                     -- what one worker at a time works on: a credential of a source
  slot_ms BIGINT NOT NULL,                 -- the time on the calendar that it is about
  due_ms BIGINT NOT NULL,                  -- when to go on with it
  owner TEXT,
  epoch BIGINT NOT NULL DEFAULT 0,
  until_ms BIGINT NOT NULL DEFAULT 0,
  doc TEXT NOT NULL DEFAULT '{}'           -- how far it is; nothing personal
);
CREATE INDEX jobs_due ON jobs (due_ms);
CREATE INDEX jobs_held ON jobs (queue, until_ms) WHERE owner IS NOT NULL;

-- The employee feed of a connection's source.
CREATE TABLE feeds (
  connection_id TEXT PRIMARY KEY REFERENCES connections (connection_id),
  url TEXT NOT NULL,
  token BYTEA,                             -- SEALED; NULL once the connection is disconnected
  overlap_ms BIGINT NOT NULL,
  watermark TEXT,                          -- RFC 3339: what was changed up to then is known
  checked_ms BIGINT,                       -- 最終確認: when a sweep last came to its end
  sweeps BIGINT NOT NULL DEFAULT 0,        -- how many did
  trouble_code TEXT,
  trouble_since_ms BIGINT,
  missed_sweeps BIGINT NOT NULL DEFAULT 0, -- how many sweeps in a row found what no webhook had brought
  missed BIGINT NOT NULL DEFAULT 0,        -- how many changes that were
  missed_since_ms BIGINT
);

-- One sweep, window or manual run, with what came of it.
CREATE TABLE runs (
  run_id GENERATED_ID,
  tenant_id TEXT NOT NULL,
  kind TEXT NOT NULL,                      -- sweep, first_load, window, manual
  subject TEXT NOT NULL,                   -- the connection or link
  executor TEXT NOT NULL,                  -- system, or who
  state TEXT NOT NULL,                     -- waiting, running, awaiting_import, ok, warned, failed, cancelled
  code TEXT,
  slot_ms BIGINT NOT NULL,
  started_ms BIGINT NOT NULL,
  ended_ms BIGINT,
  first_day TEXT,
  last_day TEXT,
  counts TEXT NOT NULL DEFAULT '{}'        -- JSON: name → number
);
CREATE INDEX runs_subject ON runs (subject, run_id);
CREATE INDEX runs_tenant ON runs (tenant_id, run_id);
