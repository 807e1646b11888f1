-- Delivery: failures of one person alone, who made a connection, and records of the log that nobody can read.

ALTER TABLE employees ADD COLUMN lone_attempts BIGINT NOT NULL DEFAULT 0;  -- of the attempts, those in a call of its own
ALTER TABLE connections ADD COLUMN created_by TEXT;                        -- a mail address, if the maker gave one

CREATE TABLE undecodable_records (
  place TEXT PRIMARY KEY,                  -- topic/partition/offset
  connection_id TEXT,                      -- as the record's key names it, if there is such a connection
  at_ms BIGINT NOT NULL
);
CREATE INDEX undecodable_records_at ON undecodable_records (at_ms);
