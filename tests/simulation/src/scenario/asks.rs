//! What people ask of Renkei beside their settings. It is part of some scenarios only, and has chance of its own.

use std::collections::BTreeSet;

use rand::Rng;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;

use super::{Action, Flavor, Look, Said, Sent, Timed, What};

/// The first of those who are there before the connections are switched on, beside those of all scenarios.
const FIRST: usize = 2001;

const SECOND: i64 = 1000;
const MINUTE: i64 = 60 * SECOND;

/// Whoever has arrived by a time, in the order of their numbers.
fn known(at: i64, baseline: &[Sent], happens: &[Timed]) -> Vec<usize> {
    let sent = happens.iter().filter(|timed| timed.at <= at).filter_map(|timed| match &timed.what {
        Action::Send(sent) => Some(sent),
        _ => None,
    });
    let people: BTreeSet<usize> = baseline.iter().chain(sent.flatten()).map(|sent| sent.person).collect();
    people.into_iter().collect()
}

/// Questions whether カオナビ would take one person: every now and then, and shortly before what may come between a question
/// and its answer.
pub(super) fn dry_runs(
    random: &mut StdRng,
    length: i64,
    bad: &BTreeSet<usize>,
    baseline: &[Sent],
    happens: &[Timed],
) -> Vec<Timed> {
    if !random.random_bool(0.35) {
        return Vec::new();
    }
    let mut times = Vec::new();
    let mut at = random.random_range(0..20 * MINUTE);
    while at < length {
        times.push(at);
        at += match random.random_range(0..4) {
            0 => random.random_range(0..30 * SECOND),
            1 => random.random_range(30 * SECOND..5 * MINUTE),
            _ => random.random_range(5 * MINUTE..40 * MINUTE),
        };
    }
    for timed in happens {
        let chance = match &timed.what {
            Action::Pause(_) | Action::Kill(_) | Action::Freeze => 0.4,
            Action::Faults(_) | Action::Unreachable(true) | Action::Permitted(false) | Action::Secret(false) => 0.3,
            Action::Send(_) | Action::Save(..) | Action::Outside(..) => 0.03,
            _ => continue,
        };
        if random.random_bool(chance) {
            times.push((timed.at - random.random_range(0..3 * SECOND)).max(0));
        }
    }
    let mut actions = Vec::new();
    for at in times {
        let known = known(at, baseline, happens);
        let refused: Vec<usize> = known.iter().copied().filter(|person| bad.contains(person)).collect();
        let among = if random.random_bool(0.15) && !refused.is_empty() { &refused } else { &known };
        if let Some(person) = among.choose(random) {
            actions.push(Timed { at, what: Action::DryRun(*person) });
        }
    }
    actions
}

/// Previews, and what a person sends of them: at once, later, more than once, and after somebody of them has changed.
pub(super) fn previews(
    random: &mut StdRng,
    flavor: Flavor,
    links: usize,
    length: i64,
    baseline: &[Sent],
    happens: &[Timed],
) -> Vec<Timed> {
    let mut actions = Vec::new();
    if !random.random_bool(0.35) {
        return actions;
    }
    let mut at = random.random_range(0..30 * MINUTE);
    let mut events = 3_000_000;
    while at < length {
        let link = random.random_range(0..links);
        // Those who were there before the connection was switched on go out in no other way.
        let sends: &[Timed] = if random.random_bool(0.4) { &[] } else { happens };
        let mut known = known(at, baseline, sends);
        known.retain(|person| person % links == link);
        let some = random.random_range(1..6);
        let people: Vec<usize> = known.choose_multiple(random, some).copied().collect();
        let somebody = people.first().copied();
        let waiting = random.random_bool(0.4) || people.is_empty();
        let look = if waiting { Look::Waiting } else { Look::People(people) };
        actions.push(Timed { at, what: Action::Preview(link, look) });
        // Whoever looks at once sees nothing yet.
        let mut later = at + random.random_range(0..3 * MINUTE);
        // Whom a person confirms counts for no brake, so that nobody could say who is to be held.
        while !flavor.mass && random.random_bool(0.7) {
            if let Some(person) = somebody.filter(|_| random.random_bool(0.3)) {
                events += 1;
                let first = format!("替{}", random.random_range(0..3));
                let said = Said { first, ..Said::usual(person) };
                let sent = Sent { person, event: events, version: later, what: What::State(Box::new(said)) };
                actions.push(Timed { at: later, what: Action::Send(vec![sent]) });
                later += random.random_range(0..20 * SECOND);
            }
            let each = *[1, 1, 2, 3].choose(random).unwrap();
            actions.push(Timed { at: later, what: Action::Sync(link, each) });
            later += random.random_range(SECOND..20 * MINUTE);
        }
        at = later + random.random_range(SECOND..60 * MINUTE);
    }
    actions
}

/// First loads: more people who are there before the connections are switched on, and somebody who wants them all in カオナビ.
pub(super) fn first_loads(random: &mut StdRng, flavor: Flavor, links: usize, length: i64) -> (Vec<Sent>, Vec<Timed>) {
    let (mut baseline, mut actions) = (Vec::new(), Vec::new());
    // What is sent of a preview may be of another one that came between: where many change, nobody confirms.
    if flavor.mass || !random.random_bool(0.35) {
        return (baseline, actions);
    }
    let mut events = 4_000_000;
    let mut said = |person: usize, version: i64, said: Said| {
        events += 1;
        Sent { person, event: events, version, what: What::State(Box::new(said)) }
    };
    let there: Vec<usize> = (FIRST..FIRST + random.random_range(3..14)).collect();
    for person in &there {
        let usual = Said::usual(*person);
        let state = match random.random_range(0..8) {
            0 => Said { status: "応募者".to_owned(), ..usual },
            1 => Said { entry: "データ入力中".to_owned(), ..usual },
            2 => Said { employment: Some("契約社員".to_owned()), ..usual },
            3 => Said { numbered: false, ..usual },
            _ => usual,
        };
        baseline.push(said(*person, -600_000, state));
    }
    for link in 0..links {
        let mut at = random.random_range(0..length / 2);
        for _ in 0..random.random_range(1..4) {
            actions.push(Timed { at, what: Action::Preview(link, Look::FirstLoad) });
            let mut later = at + random.random_range(30 * SECOND..10 * MINUTE);
            // Who changes after the preview goes out with the change, and not as it was shown.
            let of_link: Vec<usize> = there.iter().copied().filter(|person| person % links == link).collect();
            if let Some(person) = of_link.choose(random).filter(|_| random.random_bool(0.6)) {
                let first = format!("替{}", random.random_range(0..3));
                let changed = said(*person, later, Said { first, ..Said::usual(*person) });
                actions.push(Timed { at: later, what: Action::Send(vec![changed]) });
                later += random.random_range(0..30 * SECOND);
            }
            let each = *[1, 1, 2, 3].choose(random).unwrap();
            actions.push(Timed { at: later, what: Action::Sync(link, each) });
            at = later + random.random_range(MINUTE..90 * MINUTE);
        }
    }
    (baseline, actions)
}
