-- When クラウドログ's member list was uploaded of which the link's recipients were told that it is too old.
ALTER TABLE links ADD COLUMN list_told_ms BIGINT;
