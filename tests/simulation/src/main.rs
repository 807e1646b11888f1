//! Runs the simulation: many seeds, or one with everything that happened.

#![allow(clippy::print_stdout, reason = "a report is what it is for")]

#[cfg(feature = "broken")]
mod prove;

use std::process::ExitCode;

use clap::Parser;
use renkei_simulation::{oracle, play, run, scenario, webhooks_off};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Simulated companies, checked by an oracle that knows nothing of the delivery's code.
#[derive(Debug, Parser)]
#[command(name = "renkei-sim")]
struct Arguments {
    /// How many seeds.
    #[arg(long, default_value_t = 200)]
    seeds: u64,
    /// The first of them.
    #[arg(long, default_value_t = 0)]
    from: u64,
    /// This seed alone.
    #[arg(long)]
    seed: Option<u64>,
    /// With --seed: the scenario and every call.
    #[arg(long, requires = "seed")]
    trace: bool,
    /// So many seeds that nobody has run before.
    #[arg(long, conflicts_with_all = ["seed", "from", "seeds"])]
    fresh: Option<u64>,
    /// Breaks the delivery on purpose, by the names of faults with commas or `all`: each must be found by at least one seed.
    #[cfg(feature = "broken")]
    #[arg(long)]
    broken: Option<String>,
    /// With --broken: a fault that so many seeds found is found.
    #[cfg(feature = "broken")]
    #[arg(long, default_value_t = usize::MAX)]
    enough: usize,
    /// A day of its own: webhooks_off.
    #[arg(long, conflicts_with = "seed")]
    scenario: Option<String>,
    /// How many at once.
    #[arg(long, default_value_t = 2)]
    threads: usize,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match arguments.scenario.as_deref() {
        None => {}
        Some("webhooks_off") => return a_day_without_webhooks(arguments.from),
        Some(unknown) => {
            eprintln!("renkei-sim: {unknown} is no scenario; known: webhooks_off");
            return ExitCode::from(2);
        }
    }
    if let Some(seed) = arguments.seed.filter(|_| arguments.trace) {
        let scenario = scenario::Scenario::draw(seed);
        println!("{scenario:#?}");
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let Ok(runtime) = runtime else { return ExitCode::FAILURE };
        let history = runtime.block_on(play::play(&scenario));
        for line in run::trace(&history) {
            println!("{line}");
        }
        let (violations, _) = oracle::judge(&scenario, &history);
        for violation in &violations {
            println!("seed {seed}: {violation}");
        }
        return ExitCode::from(u8::from(!violations.is_empty()));
    }
    let seeds: Vec<u64> = match (arguments.seed, arguments.fresh) {
        (Some(seed), _) => vec![seed],
        (None, Some(count)) => {
            // Far from the fixed ones, and short enough to be typed.
            let first = rand::random_range(1_000_000..1_000_000_000);
            println!("fresh seeds from {first} on");
            (first..first + count).collect()
        }
        (None, None) => (arguments.from..arguments.from + arguments.seeds).collect(),
    };
    #[cfg(feature = "broken")]
    if let Some(which) = &arguments.broken {
        return prove::prove(which, &seeds, arguments.threads, arguments.enough);
    }
    let outcomes = run::seeds(&seeds, arguments.threads, |outcome| {
        for violation in &outcome.violations {
            println!("seed {}: {violation}", outcome.seed);
        }
        if let Some(violation) = outcome.violations.first() {
            let seed = outcome.seed;
            println!("again: make sim SEED={seed} TRACE=1; for tests/simulation/regressions.txt: {seed} # {violation}");
        }
    });
    if let [outcome] = outcomes.as_slice() {
        println!("trace {:016x}", outcome.trace);
    }
    println!("{}", run::summary(&outcomes));
    ExitCode::from(u8::from(outcomes.iter().any(|outcome| !outcome.violations.is_empty())))
}

/// 2,000 changes of 500 people, of whom 50 are hired on this day.
fn a_day_without_webhooks(seed: u64) -> ExitCode {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let Ok(runtime) = runtime else { return ExitCode::FAILURE };
    let report = runtime.block_on(webhooks_off::play(seed, 500, 2_000));
    println!("{report}");
    ExitCode::from(u8::from(!report.is_good()))
}
