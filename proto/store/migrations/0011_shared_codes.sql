-- Where several people of a link had one 社員コード: who, on which date. Neither is anybody to クラウドログ, also on dates on which
-- one of them alone has a row. With an empty date and person: the code was shared, is not any more, and the dates on which
-- it was have to be read again.
CREATE TABLE attendance_shared_codes (
  link_id TEXT NOT NULL,
  code TEXT NOT NULL,
  day TEXT NOT NULL,                       -- YYYY-MM-DD
  person TEXT NOT NULL,                    -- the source's own id
  firm BIGINT NOT NULL,                    -- whether another number on another date does not end it
  PRIMARY KEY (link_id, code, day, person)
);
