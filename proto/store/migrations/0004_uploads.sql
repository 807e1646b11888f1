-- Employees by CSV: which files were uploaded, and whom those were about that wait for a person's yes.

CREATE TABLE uploads (
  upload_id TEXT PRIMARY KEY,              -- stands in the ids of its events: csv/{upload}/{line}
  connection_id TEXT NOT NULL REFERENCES connections (connection_id),
  actor TEXT NOT NULL,                     -- token:{id} or command
  mode TEXT NOT NULL,                      -- baseline, send_differences, send
  preview_id TEXT,                         -- made once all rows are taken
  started_ms BIGINT NOT NULL,
  ended_ms BIGINT,                         -- NULL: under way, or never came to its end
  counts TEXT NOT NULL DEFAULT '{}'        -- JSON: name → number
);
CREATE INDEX uploads_connection ON uploads (connection_id, started_ms);

CREATE TABLE upload_people (
  upload_id TEXT NOT NULL REFERENCES uploads (upload_id),
  line BIGINT NOT NULL,
  employee_id TEXT NOT NULL,
  taken BIGINT NOT NULL,                   -- whether the store has what the row says
  PRIMARY KEY (upload_id, line)
);
CREATE INDEX upload_people_employee ON upload_people (employee_id);
CREATE INDEX upload_people_waiting ON upload_people (upload_id) WHERE taken = 0;
