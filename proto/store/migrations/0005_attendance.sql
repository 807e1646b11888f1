-- Attendance: links to sources, the book of days, what クラウドログ knows, files for it, and what is left to do by hand.

-- 連携 of attendance: one environment of a source → クラウドログ.
CREATE TABLE links (
  link_id TEXT PRIMARY KEY,
  tenant_id TEXT NOT NULL REFERENCES tenants (tenant_id),
  name TEXT NOT NULL,
  source TEXT NOT NULL,                    -- hrmos, kingoftime, kinkakuji
  company TEXT NOT NULL,                   -- as it stands in the source's login URL; empty where the source has none
  api_key BYTEA NOT NULL,                  -- SEALED
  queue TEXT NOT NULL,                     -- keyed hash of the key: one worker at a time
  key_issued TEXT NOT NULL,                -- YYYY-MM-DD
  auto BIGINT NOT NULL,                    -- 自動同期
  settings TEXT NOT NULL,
  settings_version BIGINT NOT NULL DEFAULT 1,
  segments TEXT NOT NULL DEFAULT '{}',     -- JSON: the source's work types, as last read
  stated TEXT NOT NULL DEFAULT '[]',       -- JSON: what a person ticked, with who and when
  created_ms BIGINT NOT NULL,
  complete_day TEXT,                       -- the due day of the last window that came to its end
  failed BIGINT NOT NULL DEFAULT 0,        -- whether the last window failed
  trouble_code TEXT,
  trouble_since_ms BIGINT
);
CREATE INDEX links_tenant ON links (tenant_id);

-- A key that somebody entered, until the source was asked whether it takes it. Nothing of it stays when it does not.
CREATE TABLE link_checks (
  check_id TEXT PRIMARY KEY,
  tenant_id TEXT NOT NULL,
  link_id TEXT NOT NULL,
  wish BYTEA,                              -- SEALED; NULL once it is answered
  state TEXT NOT NULL,                     -- wanted, accepted, refused
  code TEXT,
  made_ms BIGINT NOT NULL,
  ended_ms BIGINT
);

-- Rows of the date that a run is reading.
CREATE TABLE attendance_staging (
  run_id BIGINT NOT NULL,
  person TEXT NOT NULL,                    -- the source's own id
  code TEXT NOT NULL,                      -- 社員コード as the source has it, trimmed; may be empty
  updated_at TEXT NOT NULL,
  value BYTEA NOT NULL,                    -- SEALED: what of the source's row matters
  content TEXT NOT NULL,                   -- keyed hash of it
  PRIMARY KEY (run_id, person)
);

-- The book: one person's day as the source last told it, and how far it has come on its way into クラウドログ.
CREATE TABLE attendance_days (
  tenant_id TEXT NOT NULL,
  code TEXT NOT NULL,
  day TEXT NOT NULL,                       -- YYYY-MM-DD
  link_id TEXT NOT NULL,
  person TEXT NOT NULL,
  value BYTEA NOT NULL,                    -- SEALED: what of the source's row matters, so that it can be read again with other settings
  content TEXT NOT NULL,                   -- keyed hash of it: times, flags, breaks, leave
  run_id BIGINT NOT NULL,                  -- the run that last changed it
  run_began_ms BIGINT NOT NULL,            -- of two runs the one that began later wins
  changed_ms BIGINT NOT NULL,
  held TEXT,                               -- keyed hash of the row that クラウドログ is known to hold
  forced BIGINT NOT NULL DEFAULT 0,        -- a person wants it written again
  state TEXT NOT NULL,                     -- new, pending, done, handwork, skipped, protected, unmatched
  why TEXT,                                -- the reason of the state
  PRIMARY KEY (tenant_id, code, day)
);
CREATE INDEX attendance_link ON attendance_days (link_id, day);
CREATE INDEX attendance_pending ON attendance_days (link_id, day) WHERE state = 'pending';
CREATE INDEX attendance_person ON attendance_days (link_id, person);
CREATE INDEX attendance_run ON attendance_days (run_id);

CREATE TABLE attendance_history (
  history_id GENERATED_ID,
  tenant_id TEXT NOT NULL,
  code TEXT NOT NULL,
  day TEXT NOT NULL,
  at_ms BIGINT NOT NULL,
  link_id TEXT NOT NULL,
  run_id BIGINT NOT NULL,
  value BYTEA NOT NULL                     -- SEALED
);
CREATE INDEX attendance_history_day ON attendance_history (tenant_id, code, day);

-- クラウドログ's members, as its own export lists them.
CREATE TABLE crowdlog_members (
  tenant_id TEXT NOT NULL,
  code TEXT NOT NULL,
  name BYTEA,                              -- SEALED
  first_day TEXT,
  last_day TEXT,
  active BIGINT NOT NULL,
  times BIGINT NOT NULL DEFAULT 1,         -- how often the code is in the list
  PRIMARY KEY (tenant_id, code)
);
CREATE TABLE crowdlog_lists (
  tenant_id TEXT PRIMARY KEY,
  made_ms BIGINT NOT NULL,
  actor TEXT NOT NULL,
  members BIGINT NOT NULL
);

-- Days that must not be written, beside the closing date.
CREATE TABLE attendance_protections (
  protection_id GENERATED_ID,
  link_id TEXT NOT NULL,
  code TEXT NOT NULL,
  first_day TEXT NOT NULL,
  last_day TEXT NOT NULL,
  actor TEXT NOT NULL,
  made_ms BIGINT NOT NULL
);
CREATE INDEX attendance_protections_link ON attendance_protections (link_id);

-- Files for クラウドログ's import.
CREATE TABLE attendance_files (
  file_id GENERATED_ID,
  tenant_id TEXT NOT NULL,
  link_id TEXT NOT NULL,
  run_id BIGINT NOT NULL,
  part BIGINT NOT NULL,
  parts BIGINT NOT NULL,
  name TEXT NOT NULL,
  rows BIGINT NOT NULL,
  state TEXT NOT NULL,                     -- making, open, imported, superseded
  protection TEXT NOT NULL,                -- what was protected when it was made
  content BYTEA,                           -- SEALED; NULL after 14 days
  made_ms BIGINT NOT NULL,
  marked_ms BIGINT,
  marked_by TEXT
);
CREATE INDEX attendance_files_link ON attendance_files (link_id, file_id);
CREATE TABLE attendance_file_rows (
  file_id BIGINT NOT NULL,
  row_number BIGINT NOT NULL,              -- the header is 1
  code TEXT NOT NULL,
  day TEXT NOT NULL,
  content TEXT NOT NULL,                   -- keyed hash of the row
  PRIMARY KEY (file_id, row_number)
);

-- 手入力が必要な日.
CREATE TABLE handwork (
  handwork_id GENERATED_ID,
  tenant_id TEXT NOT NULL,
  link_id TEXT NOT NULL,
  code TEXT NOT NULL,
  day TEXT NOT NULL,
  reason TEXT NOT NULL,
  value BYTEA NOT NULL,                    -- SEALED
  run_id BIGINT NOT NULL,
  made_ms BIGINT NOT NULL,
  told BIGINT NOT NULL DEFAULT 0,
  done_ms BIGINT,
  done_by TEXT,
  UNIQUE (link_id, code, day, reason)
);
