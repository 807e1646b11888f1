//! One line per numbered rule of HRMOS勤怠's API, in the same form as カオナビ's: a naive client comes to grief, a careful
//! one passes, or the rule is not touched, and why.

mod access;
mod desk;
mod lists;
mod rows;
mod traffic;

pub use desk::Desk;

use crate::rules::{Rule, not_touched, run};

/// How many rules there are.
pub const COUNT: usize = 21;

/// The lines, one per rule, in order.
pub const RULES: &[Rule] = &[
    run("H1", "a company has its own root", access::guesses_the_root, access::takes_the_login_url),
    run("H2", "the key goes behind Basic as it is", access::encodes_again, access::sends_the_key_as_it_is),
    run(
        "H3",
        "a key ends after three months or with the next one",
        access::keeps_the_old_key,
        access::enters_the_new_key,
    ),
    run("H4", "a token lives 24 hours", access::keeps_the_token, access::reads_the_end),
    run("H5", "the token goes behind Token", access::sends_bearer, access::sends_token),
    run("H6", "only a live token is postponed", access::postpones_too_late, access::postpones_in_time),
    run("H7", "a destroyed token is void", access::uses_a_destroyed_token, access::destroys_last),
    run("H8", "lists come in pages of 25 to 100", lists::reads_one_page, lists::reads_all_pages),
    run("H9", "from and to are update times", lists::takes_them_for_work_dates, lists::keeps_a_high_water_mark),
    run("H10", "a date is read for everybody", lists::asks_for_one_person, lists::picks_by_id),
    not_touched("H11", "a month is everybody's closing month", "Renkei reads by date only"),
    run("H12", "dates are YYYY-MM-DD and exist", lists::writes_dates_freely, lists::writes_dates_exactly),
    run("H13", "a clock time needs its flag", rows::ignores_flags, rows::reads_flags),
    run("H14", "a row is no attendance", rows::counts_rows, rows::wants_start_and_end),
    run("H15", "a number may be missing or shared", rows::keys_by_number, rows::names_doubles),
    run("H16", "60 calls in any 60 s, refused ones too", traffic::calls_every_second, traffic::keeps_apart),
    run("H17", "an IP restriction may shut out calls", traffic::reads_json_of_a_refusal, traffic::goes_by_the_status),
    run("H18", "answers fail, lists move, rows are late", traffic::takes_what_comes, traffic::tries_again_and_merges),
    not_touched("H19", "PUT /work changes a row", "Renkei writes nothing to a source"),
    run(
        "H20",
        "every call is on record, without secrets",
        traffic::puts_the_token_into_the_url,
        traffic::uses_one_token,
    ),
    run("H21", "nothing is pushed", traffic::waits_to_be_told, traffic::polls),
];
