-- Since when a link reads the company that it reads now; NULL: since it was made.
ALTER TABLE links ADD COLUMN company_since_ms BIGINT;
