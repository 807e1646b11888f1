-- What happened for one reason: few entries have one, so that a page of them is not looked for among all.
CREATE INDEX activity_code ON activity (connection_id, code, activity_id) WHERE code IS NOT NULL;
