-- What the delivery rules have to remember of connections and people.

ALTER TABLE connections ADD COLUMN gender_seen BYTEA;                            -- SEALED: the 性別 labels that arrived
ALTER TABLE connections ADD COLUMN settings_ms BIGINT NOT NULL DEFAULT 0;        -- when the settings were last changed

ALTER TABLE employees ADD COLUMN left_before BIGINT NOT NULL DEFAULT 0;          -- 退職 since before anything of them was sent
ALTER TABLE employees ADD COLUMN warning TEXT;                                   -- what somebody should look at, though all goes on
ALTER TABLE employees ADD COLUMN warned_ms BIGINT;                               -- since when; stays when it was dismissed
CREATE INDEX employees_warning ON employees (connection_id, employee_id) WHERE warning IS NOT NULL;
