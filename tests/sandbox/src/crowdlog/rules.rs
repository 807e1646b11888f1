//! One line per rule of クラウドログ. C1 to C20 have the numbers of the list of rules; the others are what the import and
//! the list of members do besides, as the settings say.

mod days;
mod desk;
mod files;
mod people;

pub use desk::{Desk, Row, file};

use crate::rules::{Rule, not_touched, run};

/// How many rules there are.
pub const COUNT: usize = 29;

const OWN_LINK: &str = "クラウドログ's own link stays off; Renkei's links are checked with Renkei";
const OWN_SYNC: &str = "クラウドログ's own sync stays off; Renkei's runs are checked with Renkei";
const NO_CALLS: &str = "Renkei makes no call to クラウドログ and holds no key of it";

/// C1 to C29.
pub const RULES: &[Rule] = &[
    not_touched("C1", "a link is stored only after its credentials were checked", OWN_LINK),
    run(
        "C2",
        "勤怠の使用 has to be on; 休暇の使用 for leave",
        files::imports_without_asking,
        files::asks_for_the_switches,
    ),
    not_touched("C3", "every link syncs 40 days at 05:00", OWN_SYNC),
    not_touched("C4", "a sync by hand takes 1 to 40 days", OWN_SYNC),
    not_touched("C5", "there is one sync at a time", OWN_SYNC),
    not_touched("C6", "every sync leaves a line in the list", OWN_SYNC),
    run("C7", "only the member with exactly this code is matched", people::guesses_codes, people::uses_their_own_text),
    run("C8", "a day is replaced as a whole, work hours never", days::sends_what_changed, days::sends_the_whole_day),
    run("C9", "the same data twice changes nothing", days::adds_up_rows, days::imports_twice),
    run(
        "C10",
        "closed and applied days stay as they are",
        days::writes_protected_days,
        days::leaves_protected_days_out,
    ),
    run("C11", "more than 24 hours are not stored, other days are", days::writes_25_hours, days::leaves_25_hours_out),
    run("C12", "what is imported later overwrites", files::imports_an_old_file_last, files::imports_the_newest_only),
    not_touched("C13", "a sync may merge the breaks into one", "the file carries each break with its own times"),
    run("C14", "a day without data shows initial values", days::takes_no_row_for_nothing, days::writes_the_day),
    not_touched("C15", "an expired key fails the sync and changes nothing", OWN_SYNC),
    not_touched("C16", "a sync that breaks off keeps what it stored", OWN_SYNC),
    run("C17", "the file has its header and its forms", files::sends_what_it_likes, files::sends_the_template),
    not_touched("C18", "the public API knows projects only", NO_CALLS),
    run("C19", "attendance that differs from work hours is marked", days::drops_a_break, days::keeps_the_breaks),
    not_touched("C20", "no secret is shown or logged", NO_CALLS),
    run("C21", "the encoding is what was chosen; UTF-8 has its mark", files::forgets_the_mark, files::sets_the_mark),
    run("C22", "lines end with CR and LF", files::ends_lines_with_lf, files::ends_lines_with_both),
    run("C23", "a comma between breaks needs quotes", files::parts_breaks_by_commas, files::parts_breaks_by_slashes),
    run("C24", "a file has a largest number of rows", files::sends_all_in_one, files::splits_the_rows),
    run(
        "C25",
        "leave columns are those of the company's template",
        files::invents_leave_columns,
        files::uses_the_template,
    ),
    run(
        "C26",
        "a bad row is refused by its number, the others stored",
        files::forgets_refused_rows,
        files::sends_refused_rows,
    ),
    run(
        "C27",
        "Excel takes the zeros in front of codes away",
        people::saves_in_excel,
        people::takes_the_export_as_it_is,
    ),
    run("C28", "who is not there on a day gets no row", people::writes_for_everybody, people::looks_at_the_period),
    run("C29", "a time past midnight may be refused", days::writes_25_30, days::tries_two_rows_first),
];
