//! Breaking the delivery on purpose, one fault after the other.

use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use renkei_runtime::broken::{self, Broken};
use renkei_simulation::run;

/// Runs the seeds with each fault until `enough` of them found it; fails if one is not found at all.
pub fn prove(which: &str, seeds: &[u64], threads: usize, enough: usize) -> ExitCode {
    // Steps that fail by a fault are found, and need not be told.
    std::panic::set_hook(Box::new(|_| {}));
    let mut missed = 0;
    for fault in Broken::ALL {
        let name = format!("{fault:?}");
        if which != "all" && which != name {
            continue;
        }
        broken::set(Some(fault));
        let (found, tried) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let first = Mutex::new(None);
        run::seeds_while(
            seeds,
            threads,
            || found.load(Ordering::SeqCst) < enough,
            |outcome| {
                tried.fetch_add(1, Ordering::SeqCst);
                if let Some(violation) = outcome.violations.first() {
                    found.fetch_add(1, Ordering::SeqCst);
                    if let Ok(mut first) = first.lock() {
                        first.get_or_insert_with(|| format!("seed {}: {violation}", outcome.seed));
                    }
                }
            },
        );
        broken::set(None);
        let first = first.into_inner().ok().flatten().unwrap_or_else(|| "NOT FOUND".to_owned());
        let (found, tried) = (found.into_inner(), tried.into_inner());
        println!("{name:<22} found by {found} of {tried} seeds, {first}");
        missed += usize::from(found == 0);
    }
    println!("faults that were not found: {missed}");
    ExitCode::from(u8::from(missed > 0))
}
