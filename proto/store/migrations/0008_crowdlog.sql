-- クラウドログ's own text of a code, blanks around it with it: what an import finds the member by.
ALTER TABLE crowdlog_members ADD COLUMN own_text TEXT NOT NULL DEFAULT '';
-- Several members may have one code; then it is nobody's, and each line is told.
ALTER TABLE crowdlog_members ADD COLUMN lines TEXT NOT NULL DEFAULT '[]';
-- Which day a row of a file was made from, so that a file is made anew only when it would differ.
CREATE INDEX attendance_file_days ON attendance_file_rows (file_id, code, day);
CREATE INDEX handwork_open ON handwork (link_id) WHERE done_ms IS NULL;
