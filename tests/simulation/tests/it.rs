//! A fixed set of seeds, the seeds that once failed, and that a seed is the same each time.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that can not go on ends here")]

use renkei_simulation::{run, webhooks_off};

/// How many seeds every run of the tests tries.
const SEEDS: u64 = 60;

fn once_failed() -> Vec<u64> {
    let text = include_str!("../regressions.txt");
    let lines = text.lines().map(|line| line.split('#').next().unwrap_or_default().trim());
    lines.filter(|line| !line.is_empty()).map(|line| line.parse().unwrap()).collect()
}

#[test]
fn fixed_seeds_and_those_that_once_failed_break_no_invariant() {
    let mut seeds: Vec<u64> = (0..SEEDS).chain(once_failed()).collect();
    seeds.sort_unstable();
    seeds.dedup();
    let outcomes = run::seeds(&seeds, 2, |_| {});
    println!("{}", run::summary(&outcomes));
    let mut broken = Vec::new();
    for outcome in &outcomes {
        broken.extend(outcome.violations.iter().map(|violation| format!("seed {}: {violation}", outcome.seed)));
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
    assert!(outcomes.iter().all(|outcome| outcome.update_calls > 0), "a seed in which nothing was sent shows nothing");
}

#[test]
fn the_same_seed_has_the_same_trace_and_another_one_another() {
    // Calm, deaths, faults with deaths, and everything.
    for seed in [0, 2, 7, 15] {
        let (one, other) = (run::seed(seed), run::seed(seed));
        assert_eq!(one.trace, other.trace, "seed {seed}");
        assert_ne!(one.trace, run::seed(seed + 16).trace, "seed {seed}");
    }
}

#[tokio::test]
async fn without_webhooks_every_change_is_in_kaonavi_within_17_minutes() {
    let report = webhooks_off::play(3, 60, 150).await;
    println!("{report}");
    assert!(report.is_good(), "{report}");
    assert!(report.found.len() >= 30, "{report}");
}
