-- The settings that a preview was made with: it is confirmed under the same, or not at all.
ALTER TABLE previews ADD COLUMN settings_version BIGINT;
