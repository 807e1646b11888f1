//! Drawing a scenario from a seed.

use std::collections::BTreeSet;

use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use renkei_sandbox::kaonavi::{DuplicateCreate, Faults, NameMembers, Settings as Simulator};
use renkei_store::settings::{Filter, Settings, Timing};

use super::arrivals::Source;
use super::{Action, Flavor, Further, Scenario, Timed, Ways, asks, further, mails, numbers};

const SECOND: i64 = 1000;
const MINUTE: i64 = 60 * SECOND;
const HOUR: i64 = 60 * MINUTE;

/// Which kinds of things happen: every fourth seed is calm, every eighth has everything but mass changes.
fn flavor(seed: u64, random: &mut StdRng) -> Flavor {
    let all = Flavor { faults: true, crashes: true, people: true, outside: true, access: true, mass: false };
    let none = Flavor::default();
    match seed % 16 {
        0 | 4 | 8 | 12 => none,
        1 | 9 => Flavor { faults: true, ..none },
        2 | 10 => Flavor { crashes: true, ..none },
        3 => Flavor { people: true, ..none },
        11 => Flavor { people: true, crashes: true, ..none },
        5 => Flavor { outside: true, people: random.random_bool(0.5), ..none },
        6 => Flavor { mass: true, ..none },
        14 => Flavor { mass: true, crashes: true, ..none },
        13 => Flavor { access: true, people: random.random_bool(0.5), ..none },
        15 => Flavor { faults: true, crashes: true, ..none },
        _ => all,
    }
}

/// Chance of its own for one part of a scenario: a part that is added later leaves all others as they were, and with them
/// what the seeds that once failed have shown.
fn own(seed: u64, part: &[u8; 8]) -> StdRng {
    StdRng::seed_from_u64(seed ^ u64::from_be_bytes(*part))
}

pub(super) fn scenario(seed: u64) -> Scenario {
    let mut random = StdRng::seed_from_u64(seed);
    let flavor = flavor(seed, &mut random);
    let members = if flavor.mass { random.random_range(60..80) } else { random.random_range(5..40) };
    let calm = flavor.is_calm();
    // Of the seeds with a rush and crashes, too, tasks are short, so that only the budget limits the calls.
    let short = calm || seed % 16 == 10;
    let task_ms = if short { random.random_range(1..5) } else { random.random_range(1..60) } * SECOND;
    let rush = matches!(seed % 16, 8 | 10) || random.random_bool(0.1);
    let slow_percent = if rush { 40 } else { *[0, 10].choose(&mut random).unwrap() };
    let ways = Ways { from: 20, to: 300, slow_percent, slow: 6000 };
    let simulator = Simulator {
        task_running_ms: task_ms,
        task_waiting_ms: random.random_range(0..2000),
        task_kept_ms: 40 * 24 * HOUR,
        shuffle_members: true,
        messages_name: *[NameMembers::Code, NameMembers::Index, NameMembers::Nobody].choose(&mut random).unwrap(),
        errors_name: *[NameMembers::Code, NameMembers::Index, NameMembers::Nobody].choose(&mut random).unwrap(),
        duplicate_create: *[DuplicateCreate::BadRequest, DuplicateCreate::TaskNg].choose(&mut random).unwrap(),
        ..Simulator::default()
    };
    let mut links: Vec<Settings> = (0..if matches!(seed % 32, 8 | 10) || random.random_bool(0.3) { 2 } else { 1 })
        .map(|_| settings(&mut random, flavor))
        .collect();
    let length = random.random_range(4..if flavor.mass { 5 } else { 12 }) * HOUR;
    let mut bad = BTreeSet::new();
    if random.random_bool(0.4) {
        for _ in 0..random.random_range(1..4) {
            bad.insert(if random.random_bool(0.5) {
                random.random_range(1..=members)
            } else {
                random.random_range(1001..1020)
            });
        }
    }
    let bad_at_the_door = random.random_bool(0.5);
    let stale = (1..=members).filter(|_| random.random_bool(0.5)).collect();
    let mut source = Source::new(&mut random, members);
    let mut baseline = source.baseline(3);
    // Bursts and pauses: a company is quiet most of the day.
    let mut at = 5 * SECOND;
    while at < length {
        source.happen(at);
        let pause = match source.random.random_range(0..10) {
            0..4 => source.random.random_range(0..20 * SECOND),
            4..7 => source.random.random_range(20 * SECOND..5 * MINUTE),
            _ => source.random.random_range(5 * MINUTE..60 * MINUTE),
        };
        at += pause;
    }
    if rush {
        source.rush(HOUR);
    }
    if flavor.mass {
        for _ in 0..2 {
            let at = source.random.random_range(HOUR..length - HOUR);
            source.mass(at);
            let release = source.random.random_bool(0.5);
            for link in 0..links.len() {
                let later = at + source.random.random_range(MINUTE..30 * MINUTE);
                source.actions.push(Timed { at: later, what: Action::Decide(link, release) });
            }
        }
    }
    let mut actions = std::mem::take(&mut source.actions);
    let door = |codes: &BTreeSet<usize>| codes.iter().map(|person| super::code(*person)).collect();
    let lasting = if bad_at_the_door {
        Faults { bad_codes: door(&bad), ..Faults::default() }
    } else {
        Faults { ng_codes: door(&bad), ..Faults::default() }
    };
    if rush && flavor.crashes {
        // Whoever takes over must know the calls of the one before.
        for minute in [2, 4, 6, 8, 10, 12] {
            let at = HOUR + minute * MINUTE + random.random_range(0..MINUTE);
            actions.push(Timed { at, what: Action::Freeze });
            actions.push(Timed { at: at + random.random_range(12..50) * SECOND, what: Action::Thaw });
        }
    }
    disturb(&mut random, flavor, length, &links, &lasting, &mut actions);
    let mut mails = own(seed, b"mails   ");
    for (link, settings) in links.iter_mut().enumerate() {
        settings.recipients = mails::recipients(&mut mails, link);
    }
    for action in &mut actions {
        if let Action::Save(link, settings) = &mut action.what {
            settings.recipients.clone_from(&links[*link].recipients);
        }
    }
    let mut more = own(seed, b"further ");
    let further = Further::draw(&mut more, flavor);
    let added = further::disturb(&mut more, flavor, further, links.len(), length, &actions);
    actions.extend(added);
    actions.extend(mails::disturb(&mut mails, flavor, length));
    let mut asking = own(seed, b"dry runs");
    let dry_runs = asks::dry_runs(&mut asking, length, &bad, &baseline, &actions);
    let dry_run_task_id = dry_runs.is_empty() || asking.random_bool(0.7);
    let simulator = Simulator { dry_run_task_id, ..simulator };
    actions.extend(dry_runs);
    let mut looking = own(seed, b"previews");
    let added = asks::previews(&mut looking, flavor, links.len(), length, &baseline, &actions);
    actions.extend(added);
    let (there, loads) = asks::first_loads(&mut own(seed, b"1st load"), flavor, links.len(), length);
    baseline.extend(there);
    actions.extend(loads);
    let (numbers, added) = numbers::draw(&mut own(seed, b"numbers "), flavor, further, length);
    actions.extend(added);
    actions.sort_by_key(|action| action.at);
    Scenario {
        seed,
        flavor,
        members,
        stale,
        bad,
        bad_at_the_door,
        further,
        ways,
        simulator,
        links,
        numbers,
        baseline,
        actions,
        length,
    }
}

fn settings(random: &mut StdRng, flavor: Flavor) -> Settings {
    let mut settings = crate::world::settings();
    settings.brake = flavor.mass;
    settings.timing = if random.random_bool(0.2) { Timing::QuarterHour } else { Timing::OnArrival };
    settings.batch_size = *[3, 10, 50, 200].choose(random).unwrap();
    settings.retired_date = random.random_bool(0.3);
    settings.filter = filter(random, 0.3);
    if random.random_bool(0.4) {
        settings.clear_when_empty = ["birthday", "name_kana", "gender"].map(str::to_owned).into();
    }
    settings
}

fn filter(random: &mut StdRng, chance: f64) -> Filter {
    if !random.random_bool(chance) {
        return Filter::default();
    }
    let types: &[&str] = if random.random_bool(0.5) { &["正社員"] } else { &["正社員", "契約社員"] };
    Filter { employment_types: types.iter().map(|text| (*text).to_owned()).collect(), ..Filter::default() }
}

/// Everything that does not come from the source.
fn disturb(
    random: &mut StdRng,
    flavor: Flavor,
    length: i64,
    links: &[Settings],
    lasting: &Faults,
    actions: &mut Vec<Timed>,
) {
    let mut add = |at: i64, what: Action| actions.push(Timed { at, what });
    let mut now: Vec<Settings> = links.to_vec();
    let mut at = 0;
    loop {
        at += random.random_range(2 * MINUTE..30 * MINUTE);
        if at >= length {
            return;
        }
        let later = at + random.random_range(SECOND..10 * MINUTE);
        match random.random_range(0..5) {
            0 if flavor.faults => {
                add(at, Action::Faults(Box::new(faults(random, lasting))));
                add(later, Action::Faults(Box::new(lasting.clone())));
                if random.random_bool(0.1) {
                    add(at, Action::Unreachable(true));
                    add(later, Action::Unreachable(false));
                }
                add(later + random.random_range(0..10 * MINUTE), Action::Mend);
                at = later;
            }
            1 if flavor.crashes => match random.random_range(0..4) {
                0 => {
                    add(at, Action::Freeze);
                    add(at + random.random_range(SECOND..40 * SECOND), Action::Thaw);
                }
                1 => add(at, Action::Jump(random.random_range(-2 * HOUR..2 * HOUR))),
                _ => {
                    add(at, Action::Kill(random.random_range(0..12)));
                    add(later, Action::Start);
                }
            },
            2 if flavor.people => {
                let link = random.random_range(0..links.len());
                if random.random_bool(0.5) {
                    add(at, Action::Pause(link));
                    add(later, Action::Resume(link));
                    at = later;
                } else {
                    now[link].filter = filter(random, 0.6);
                    now[link].timing = if random.random_bool(0.2) { Timing::QuarterHour } else { Timing::OnArrival };
                    now[link].batch_size = *[3, 10, 50, 200].choose(random).unwrap();
                    add(at, Action::Save(link, Box::new(now[link].clone())));
                }
            }
            3 if flavor.outside => {
                for call in 0..random.random_range(1..20) {
                    add(at + call * random.random_range(SECOND..20 * SECOND), Action::Outside(1, 0));
                }
                if random.random_bool(0.2) {
                    add(at, Action::Outside(0, random.random_range(1..4)));
                }
            }
            4 if flavor.access => {
                match random.random_range(0..3) {
                    0 => add(at, Action::RevokeTokens),
                    1 => {
                        add(at, Action::Permitted(false));
                        add(later, Action::Permitted(true));
                    }
                    _ => {
                        add(at, Action::Secret(false));
                        add(at, Action::RevokeTokens);
                        add(later, Action::Secret(true));
                    }
                }
                add(later + random.random_range(0..5 * MINUTE), Action::Mend);
                at = later;
            }
            _ => {}
        }
    }
}

fn faults(random: &mut StdRng, lasting: &Faults) -> Faults {
    let mut faults = lasting.clone();
    let count = random.random_range(1..4);
    match random.random_range(0..14) {
        0 | 1 => faults.reset_after_acceptance = count,
        2 | 3 => faults.reset_before_acceptance = count,
        4 => faults.html_500_after_acceptance = count,
        5 => faults.html_500_before_acceptance = count,
        6 => faults.without_task_id = count,
        7 => faults.task_errors = count,
        8 => faults.task_ngs = 1,
        9 => faults.conflicts = 1,
        10 => (faults.slow_answers, faults.slow_answer_ms) = (count, random.random_range(1..40_000)),
        11 => faults.reset_reads = count,
        12 => faults.hold_tasks = true,
        _ => faults.members_cut = count,
    }
    faults
}
