-- How the codes of a run's link compared with クラウドログ's member list when the run ended.
CREATE TABLE run_matchings (
  run_id BIGINT PRIMARY KEY,
  list_ms BIGINT NOT NULL,                 -- when the member list was uploaded
  matched BIGINT NOT NULL,
  only_source BIGINT NOT NULL,             -- how many there were: of many the first ones are kept
  only_destination BIGINT NOT NULL,
  near BIGINT NOT NULL,
  doubles_at_source BIGINT NOT NULL,
  doubles_at_destination BIGINT NOT NULL
);
CREATE TABLE run_codes (
  run_id BIGINT NOT NULL,
  kind TEXT NOT NULL,                      -- only_source, only_destination, near_source, near_destination, double_source, double_destination
  place BIGINT NOT NULL,                   -- codes that look alike have the same
  code TEXT NOT NULL,                      -- 社員コード
  PRIMARY KEY (run_id, kind, place, code)
);
CREATE INDEX run_codes_code ON run_codes (code);
