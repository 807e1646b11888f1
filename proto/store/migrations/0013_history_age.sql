-- When something else took the place of what a day was before: that is what its age counts from.
ALTER TABLE attendance_history ADD COLUMN replaced_ms BIGINT NOT NULL DEFAULT 0;
UPDATE attendance_history SET replaced_ms = COALESCE((SELECT changed_ms FROM attendance_days AS now
  WHERE now.tenant_id = attendance_history.tenant_id AND now.code = attendance_history.code
    AND now.day = attendance_history.day), at_ms);
CREATE INDEX attendance_history_replaced ON attendance_history (replaced_ms);
