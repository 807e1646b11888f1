//! Breaking the delivery on purpose, one fault after the other.

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use renkei_runtime::broken::{self, Broken};
use renkei_simulation::oracle::Violation;
use renkei_simulation::run;

/// The invariants that a fault breaks: only they count as finding it. Whatever else goes wrong beside them may come of
/// anything.
fn breaks(fault: Broken) -> &'static [&'static str] {
    match fault {
        Broken::SixSlots
        | Broken::SlotFromTheSend
        | Broken::SlotsForgotten
        | Broken::SharedKeyNotCounted
        | Broken::TokenForEveryCall
        | Broken::PollEverySecond
        | Broken::FailedTokensNotCounted => &["I3"],
        Broken::HiresWait => &["I4"],
        // What is put off for ever, or given up, is missed in the end as well.
        Broken::LostWakeUp => &["I4", "quiet", "I2"],
        Broken::NoVersionGuard | Broken::EqualVersionReversed | Broken::DuplicateAsNew => &["I2", "I5", "I7"],
        Broken::LandingIgnoresNewer
        | Broken::UnknownIsOk
        | Broken::UncertainForgotten
        | Broken::ErrorIsOk
        | Broken::PostAgain => &["I2", "I7"],
        Broken::BaselineSent
        | Broken::PatchOfEverything
        | Broken::PatchOfNothing
        | Broken::FilterIgnored
        | Broken::ApplicantSent
        | Broken::KeptCleared
        | Broken::BrakeIgnored
        | Broken::HeldGoesOut => &["I7"],
        Broken::PauseLeaks | Broken::PauseDoesNotWait => &["I6"],
        // Two that send at once write an old state over a new one, or use slots that are not there.
        Broken::StaleLeaseWrites => &["I2", "I3", "I7"],
        Broken::NgParksAll | Broken::NamedNotRetried | Broken::HaltOn500 | Broken::ParkOnFirst5xx => &["I5"],
        Broken::DoubleMail | Broken::MailLost | Broken::DigestWithoutNews => &["I11"],
    }
}

/// What the seeds found of one fault.
#[derive(Default)]
struct Found {
    /// How many seeds were run.
    tried: AtomicUsize,
    /// How many of them broke an invariant that the fault breaks.
    found: AtomicUsize,
    /// How many broke off.
    panicked: AtomicUsize,
    /// The first of those that found it.
    first: Mutex<BTreeMap<u64, String>>,
}

impl Found {
    fn add(&self, seed: u64, violations: &[Violation], expected: &[&str]) {
        self.tried.fetch_add(1, Ordering::SeqCst);
        if violations.iter().any(|violation| violation.invariant == "panic") {
            self.panicked.fetch_add(1, Ordering::SeqCst);
        }
        let Some(violation) = violations.iter().find(|violation| expected.contains(&violation.invariant)) else {
            return;
        };
        self.found.fetch_add(1, Ordering::SeqCst);
        if let Ok(mut first) = self.first.lock() {
            first.insert(seed, violation.to_string());
        }
    }
}

/// Runs the seeds as they are, which must find nothing, and then with each fault, until `enough` of them found it. Fails
/// if one is not found at all.
pub fn prove(which: &str, seeds: &[u64], threads: usize, enough: usize) -> ExitCode {
    // Steps that fail by a fault are found, and need not be told.
    std::panic::set_hook(Box::new(|_| {}));
    let sound = run::seeds(seeds, threads, |outcome| {
        for violation in &outcome.violations {
            println!("without any fault, seed {}: {violation}", outcome.seed);
        }
    });
    let wrong = sound.iter().filter(|outcome| !outcome.violations.is_empty()).count();
    println!("{:<24} {wrong} of {} seeds with violations", "without any fault", sound.len());
    if wrong > 0 {
        return ExitCode::FAILURE;
    }
    let chosen: Vec<Broken> = Broken::ALL
        .into_iter()
        .filter(|fault| which == "all" || which.split(',').any(|one| one == format!("{fault:?}")))
        .collect();
    let mut missed = 0;
    for fault in &chosen {
        broken::set(Some(*fault));
        let (found, expected) = (Found::default(), breaks(*fault));
        run::seeds_while(
            seeds,
            threads,
            || found.found.load(Ordering::SeqCst) < enough,
            |outcome| found.add(outcome.seed, &outcome.violations, expected),
        );
        broken::set(None);
        let (tried, by, panicked) = (found.tried.into_inner(), found.found.into_inner(), found.panicked.into_inner());
        let first = found.first.into_inner().unwrap_or_default().into_iter().next();
        let first = first.map_or_else(|| "NOT FOUND".to_owned(), |(seed, what)| format!("seed {seed}: {what}"));
        let name = format!("{fault:?}");
        println!("{name:<24} found by {by} of {tried} seeds (broke off: {panicked}), {first}");
        missed += usize::from(by == 0);
    }
    println!("faults put in: {}, not found: {missed}", chosen.len());
    ExitCode::from(u8::from(missed > 0 || chosen.is_empty()))
}
