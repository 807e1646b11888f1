//! The delivery to カオナビ, on an injected clock, with the real steps, a real store and the simulator in process.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that can not go on ends here")]

mod bad_input;
mod bad_records;
mod batches;
mod budget;
mod by_number;
mod chaos;
mod company;
mod consuming;
mod crash;
mod deciding;
mod delivery;
mod dry_runs;
mod faults;
mod filtering;
mod forgetting;
mod forgetting_postgres;
mod further_mapping;
mod genders;
mod held_people;
mod judged_again;
mod judging;
mod known;
mod layout_changes;
mod link_changes;
mod mails;
mod mapping;
mod mass;
mod neighbours;
mod numbers;
mod on_postgres;
mod previewing;
mod promises;
mod refusals;
mod rules;
mod rules_of_sources;
mod rules_of_the_feed;
mod rules_of_the_import;
mod slots;
mod sweeping;
mod sweeping_meanwhile;
mod uncertain;
mod under_way;
mod verification;
mod windows;
mod windows_kingoftime;
mod windows_numbers;
mod windows_on_postgres;
mod windows_since;

use renkei_simulation::{people, world};
