//! One line per sentence of the feed's contract. E15 and E16 are what follows from an opaque cursor: only its absence is
//! the end, and it need not live for ever. E17 and E18 are what any source behind any network does.

mod desk;
mod faults;
mod paging;
mod question;

pub use desk::{Desk, Sweep};

use crate::rules::{Rule, run};

/// How many rules there are.
pub const COUNT: usize = 18;

/// E1 to E18.
pub const RULES: &[Rule] = &[
    run(
        "E1",
        "a page is an object with employees and next_cursor",
        question::takes_a_list,
        question::takes_the_envelope,
    ),
    run("E2", "without updated_since everybody comes", question::sends_it_empty, question::leaves_it_out),
    run("E3", "updated_since is inclusive", question::asks_a_millisecond_later, question::asks_from_the_watermark),
    run("E4", "a plus in updated_since is percent-encoded", question::writes_a_plus, question::encodes_the_plus),
    run(
        "E5",
        "order is updated_at, then employee_id",
        paging::takes_the_first_for_newest,
        paging::takes_the_last_for_newest,
    ),
    run(
        "E6",
        "a cursor goes with its own updated_since",
        paging::moves_the_watermark_midway,
        paging::keeps_the_question,
    ),
    run(
        "E7",
        "who matched at first comes; who changed may come again",
        paging::counts_by_position,
        paging::follows_the_cursor,
    ),
    run("E8", "a limit over 200 is 200", paging::asks_for_a_thousand, paging::asks_for_two_hundred),
    run("E9", "a bad parameter is answered 400", question::sends_bad_parameters, question::sends_good_parameters),
    run("E10", "the bearer token is needed, else 401", question::comes_without_token, question::comes_with_token),
    run("E11", "429 and 503 say with Retry-After when to come back", faults::hammers, faults::waits_as_told),
    run("E12", "a state may be seen some minutes after its updated_at", paging::goes_on_exactly, paging::overlaps),
    run("E13", "people who were removed are not listed", paging::waits_for_a_sign, paging::leaves_them_alone),
    run(
        "E14",
        "the Date header is the source's own time",
        faults::trusts_the_newest_record,
        faults::keeps_below_the_date,
    ),
    run("E15", "the end is a null cursor, not a short page", paging::stops_at_a_short_page, paging::stops_at_null),
    run(
        "E16",
        "a cursor may expire, which is answered 400",
        paging::insists_on_the_cursor,
        paging::starts_the_run_again,
    ),
    run(
        "E17",
        "an answer may break off, be no page, or be late",
        faults::takes_any_200,
        faults::takes_whole_pages_only,
    ),
    run("E18", "a record of a page may be none", faults::gives_up_the_page, faults::leaves_the_record_aside),
];
