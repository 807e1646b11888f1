-- Whether カオナビ would take one person as they are now: a question that a worker answers with カオナビ's own dry run. The last
-- one of each person is kept for a day.
ALTER TABLE connections ADD COLUMN dry_run_ms BIGINT;    -- when the one that is open was asked for
CREATE TABLE dry_runs (
  connection_id TEXT NOT NULL,
  employee_id TEXT NOT NULL,
  made_ms BIGINT NOT NULL,
  until_ms BIGINT NOT NULL,                -- still open then: there is no answer
  state TEXT NOT NULL,                     -- wanted, ready, sent, task, ended
  op TEXT,                                 -- create, update
  call_id BIGINT,
  task_id BIGINT,
  looks BIGINT NOT NULL DEFAULT 0,
  next_look_ms BIGINT NOT NULL DEFAULT 0,
  result TEXT,                             -- accepted, rejected, not_sent, no_answer
  code TEXT,
  detail BYTEA,                            -- SEALED: カオナビ's own words
  ended_ms BIGINT,
  PRIMARY KEY (connection_id, employee_id)
);
