//! One line per numbered rule of KING OF TIME's API, in the same form as カオナビ's: a naive client comes to grief, a careful one
//! passes, or the rule is not touched, and why.

mod access;
mod desk;
mod lists;
mod traffic;

pub use desk::Desk;

use crate::rules::{Rule, not_touched, run};

/// How many rules there are.
pub const COUNT: usize = 18;

/// K1 to K18.
pub const RULES: &[Rule] = &[
    run("K1", "the root is /v1.0, the token goes behind Bearer", access::sends_token, access::sends_bearer),
    run(
        "K2",
        "a token needs addresses and the right to each list",
        access::uses_a_fresh_token,
        access::sets_addresses_and_rights,
    ),
    run("K3", "nobody may read from 8:30 to 10:00 and 17:30 to 18:30", traffic::calls_at_nine, traffic::stays_outside),
    run(
        "K4",
        "token, hours, rate and parameters are checked in this order",
        access::goes_by_the_status,
        access::goes_by_the_code,
    ),
    run("K5", "start and end go together and span at most 62 days", lists::asks_for_a_quarter, lists::asks_in_slices),
    run("K6", "a date in the path brings an object, not an array", lists::wants_an_array, lists::reads_both_forms),
    run(
        "K7",
        "who it is stands in no item unless asked for, and is as of today",
        lists::reads_codes_from_items,
        lists::reads_codes_from_employees,
    ),
    run("K8", "what is null is left out", lists::wants_every_member, lists::takes_what_is_there),
    run(
        "K9",
        "codes of punches are texts, times have seconds, totals are minutes",
        lists::reads_numbers,
        lists::reads_texts,
    ),
    run(
        "K10",
        "punches come in no order; the night's end has the next date",
        lists::takes_first_and_last,
        lists::sorts_by_time,
    ),
    run("K11", "who has left is listed only when asked for", lists::forgets_leavers, lists::asks_for_leavers),
    not_touched("K12", "a token can be replaced, which stops it", "Renkei changes no token and puts none into a URL"),
    not_touched("K13", "punches can be registered", "Renkei writes nothing to a source"),
    run("K14", "too many calls are told in another form, the code as a text", traffic::hurries, traffic::keeps_apart),
    run("K15", "answers fail, break off, or are none", traffic::takes_what_comes, traffic::tries_again),
    run("K16", "a corrected code keeps the key", lists::keys_by_code, lists::keys_by_key),
    run(
        "K17",
        "勤革時 is the same service with its own address and tokens",
        access::mixes_them_up,
        access::keeps_them_apart,
    ),
    run("K18", "nothing is pushed and no list has pages", traffic::asks_for_page_two, traffic::takes_the_list_once),
];
