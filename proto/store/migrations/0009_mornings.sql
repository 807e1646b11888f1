-- When the first of the failures was that `attempts` counts: only what went through since says that it is the record's fault.
ALTER TABLE employees ADD COLUMN failing_since_ms BIGINT;

-- What a run could not bring into the book: who has no number, whom a number does not tell apart, what two links bring.
CREATE TABLE run_notes (
  run_id BIGINT NOT NULL,
  reason TEXT NOT NULL,                    -- a code of docs/errors
  code TEXT NOT NULL,                      -- 社員コード; of somebody without one the source's own id
  detail TEXT NOT NULL DEFAULT '',         -- the other link, where two bring the same
  PRIMARY KEY (run_id, reason, code)
);

-- The mail of a morning, one for each link and day; written down also when there was nothing to say.
CREATE TABLE morning_mails (
  mail_id GENERATED_ID,
  link_id TEXT NOT NULL,
  day TEXT NOT NULL,                       -- YYYY-MM-DD, in Tokyo
  UNIQUE (link_id, day)
);
-- Of whom a mail has said why days are not written; gone once it is not so any more.
CREATE TABLE morning_told (
  link_id TEXT NOT NULL,
  code TEXT NOT NULL,
  reason TEXT NOT NULL,
  PRIMARY KEY (link_id, code, reason)
);
-- How a company's export of members is read, where it is not as usual.
CREATE TABLE crowdlog_formats (
  tenant_id TEXT PRIMARY KEY,
  format TEXT NOT NULL,                    -- JSON
  version BIGINT NOT NULL
);
-- People who were forgotten, by keyed hashes: what was said of them before must not bring them back.
CREATE TABLE forgotten (
  hash TEXT PRIMARY KEY,
  at_ms BIGINT NOT NULL,                   -- older versions of an employee, and days up to this one, are not taken
  day TEXT NOT NULL
);
-- Where a day's rows stand in files is looked up when files are made beside others that are open still.
CREATE INDEX attendance_files_run ON attendance_files (link_id, run_id);
