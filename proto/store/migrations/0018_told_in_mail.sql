-- In which mail of a morning something was told, so that one that is taken back can be written anew; NULL: in one of before.
ALTER TABLE morning_told ADD COLUMN mail_id BIGINT;
ALTER TABLE links ADD COLUMN list_told_mail BIGINT;
