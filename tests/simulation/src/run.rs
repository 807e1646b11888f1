//! Running seeds: one after the other on each thread, and what came of them together.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::panic::AssertUnwindSafe;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::oracle::{Violation, Waits, judge};
use crate::play::{History, play};
use crate::scenario::Scenario;

/// What came of one seed.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// The seed.
    pub seed: u64,
    /// What must not have happened.
    pub violations: Vec<Violation>,
    /// The same seed has the same.
    pub trace: u64,
    /// Simulated milliseconds.
    pub simulated: i64,
    /// How often each kind of action was done.
    pub done: BTreeMap<String, u64>,
    /// Update calls that arrived.
    pub update_calls: usize,
    /// How long hires waited.
    pub waits: Waits,
    /// People who had to be touched in the end, because faults had them parked.
    pub touched: usize,
}

/// Runs one seed.
#[must_use]
pub fn seed(seed: u64) -> Outcome {
    let scenario = Scenario::draw(seed);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let played = std::panic::catch_unwind(AssertUnwindSafe(|| runtime.block_on(play(&scenario))));
    match played {
        Ok(history) => outcome(&scenario, history),
        Err(cause) => {
            let text = cause.downcast_ref::<String>().cloned();
            let text = text.or_else(|| cause.downcast_ref::<&str>().map(|text| (*text).to_owned()));
            let what = format!("the play broke off: {}", text.unwrap_or_default());
            let violation = Violation { invariant: "panic", at: 0, person: None, what };
            Outcome {
                seed,
                violations: vec![violation],
                trace: 0,
                simulated: 0,
                done: BTreeMap::new(),
                update_calls: 0,
                waits: Waits::default(),
                touched: 0,
            }
        }
    }
}

fn outcome(scenario: &Scenario, history: History) -> Outcome {
    let (violations, waits) = judge(scenario, &history);
    Outcome {
        seed: scenario.seed,
        violations,
        trace: trace_hash(&history),
        simulated: history.end.0 - history.start.0,
        update_calls: history.calls.iter().filter(|call| call.update).count(),
        waits,
        touched: history.touched.len(),
        done: history.done,
    }
}

/// A line for each call that left or arrived, as far as it says nothing personal.
#[must_use]
pub fn trace(history: &History) -> Vec<String> {
    let at = |at: renkei_runtime::clock::Millis| at.0 - history.start.0;
    let mut lines: Vec<(i64, String)> = Vec::new();
    for one in &history.departures {
        let path = one.url.trim_start_matches(crate::world::BASE_URL);
        let dry = if one.dry_run { " as a dry run" } else { "" };
        lines.push((at(one.at), format!("{} > {} {path} {} bytes{dry}", one.worker, one.method, one.body.len())));
    }
    for call in &history.calls {
        let codes = call.codes.join(",");
        lines
            .push((at(call.at), format!("< {} {} {} {:?} {codes}", call.method, call.path, call.status, call.task_id)));
    }
    for received in &history.received {
        let sent = &received.sent;
        let what = match &sent.what {
            crate::scenario::What::State(said) => format!("{} {}", said.status, said.entry),
            other => format!("{other:?}"),
        };
        lines.push((
            at(received.at),
            format!("event {} of {}, version {}: {what}", sent.event, sent.person, sent.version),
        ));
    }
    for letter in &history.letters {
        // Without what names the installation: that is random.
        let number = letter.message_id.split('-').skip(2).collect::<Vec<_>>().join("-");
        let (worker, id, to) = (&letter.worker, number.trim_end_matches("@mail.example.test"), letter.to.len());
        lines.push((at(letter.at), format!("{worker} mails {id} to {to}: {}", letter.subject)));
    }
    for asked in &history.asked {
        let end = asked.end.as_ref().map(|(end, code, ended)| (end.as_str(), code.as_deref(), at(*ended)));
        lines.push((at(asked.at), format!("a dry run of {} is asked for: {end:?}", asked.person)));
    }
    for looked in &history.looks {
        let (link, shown) = (crate::scenario::LINKS[looked.link], looked.items.len());
        lines.push((at(looked.asked), format!("a preview of {link} is asked for: {shown} people")));
        for sync in &looked.syncs {
            lines.push((at(sync.at), format!("of {:?} shown of {link} {:?} are sent", sync.named, sync.answer)));
        }
    }
    for one in &history.opened {
        let (code, who) = (&one.code, if one.employee.is_empty() { &one.connection } else { &one.employee });
        lines.push((at(one.first), format!("{who} is {code} until {}", at(one.gone.min(history.end)) / 1000)));
    }
    lines.sort();
    lines.into_iter().map(|(at, line)| format!("{:>12.3} {line}", at as f64 / 1000.0)).collect()
}

fn trace_hash(history: &History) -> u64 {
    let mut hasher = DefaultHasher::new();
    trace(history).hash(&mut hasher);
    for departure in &history.departures {
        departure.body.hash(&mut hasher);
    }
    for (person, row) in &history.people {
        (person, row.state.as_str(), &row.reason).hash(&mut hasher);
    }
    hasher.finish()
}

/// Runs many seeds on `threads` threads; `each` sees every outcome as it comes.
pub fn seeds(seeds: &[u64], threads: usize, each: impl Fn(&Outcome) + Sync) -> Vec<Outcome> {
    seeds_while(seeds, threads, || true, each)
}

/// The same as long as `go_on` says so.
pub fn seeds_while(
    seeds: &[u64],
    threads: usize,
    go_on: impl Fn() -> bool + Sync,
    each: impl Fn(&Outcome) + Sync,
) -> Vec<Outcome> {
    let next = AtomicUsize::new(0);
    let outcomes = Mutex::new(Vec::with_capacity(seeds.len()));
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while let Some(one) = seeds.get(next.fetch_add(1, Ordering::SeqCst)).filter(|_| go_on()) {
                    let outcome = seed(*one);
                    each(&outcome);
                    outcomes.lock().unwrap().push(outcome);
                }
            });
        }
    });
    let mut outcomes = outcomes.into_inner().unwrap();
    outcomes.sort_by_key(|outcome| outcome.seed);
    outcomes
}

/// The figures of many seeds, for people.
#[must_use]
pub fn summary(outcomes: &[Outcome]) -> String {
    let mut done: BTreeMap<&str, u64> = BTreeMap::new();
    for (kind, count) in outcomes.iter().flat_map(|outcome| &outcome.done) {
        *done.entry(kind).or_default() += count;
    }
    let sum = |what: fn(&Outcome) -> usize| outcomes.iter().map(what).sum::<usize>();
    let days = outcomes.iter().map(|outcome| outcome.simulated).sum::<i64>() as f64 / 86_400_000.0;
    let longest = outcomes.iter().map(|outcome| outcome.waits.longest).max().unwrap_or(0);
    let kinds: Vec<String> = done.iter().map(|(kind, count)| format!("  {kind:<32} {count:>8}")).collect();
    format!(
        "seeds {}, company-days {days:.1}, update calls {}\n{}\nhires whose wait was judged {}, the longest {:.1} s\npeople whom a person had to touch {}\nviolations {}",
        outcomes.len(),
        sum(|outcome| outcome.update_calls),
        kinds.join("\n"),
        sum(|outcome| outcome.waits.hires),
        longest as f64 / 1000.0,
        sum(|outcome| outcome.touched),
        sum(|outcome| outcome.violations.len()),
    )
}
