//! A fixed set of seeds, the seeds that once failed, and that a seed is the same each time.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that can not go on ends here")]

use renkei_simulation::{run, webhooks_off};

/// How many seeds every run of the tests tries.
const SEEDS: u64 = 200;

/// What has to have struck in them: an ordered fault that meets no call shows nothing.
const STRIKES: [&str; 38] = [
    "struck: reset after acceptance",
    "struck: reset before acceptance",
    "struck: 500 after acceptance",
    "struck: 500 before acceptance",
    "struck: no task id",
    "struck: task ERROR",
    "struck: task NG",
    "struck: 409",
    "struck: slow answer",
    "struck: read reset",
    "struck: read 500",
    "struck: read HTML",
    "struck: token 500",
    "struck: 401 with a good token",
    "struck: 429",
    "struck: 503",
    "struck: list cut",
    "struck: task hangs",
    "struck: tasks forgotten",
    "struck: worker died",
    "mail: one recipient put off",
    "mail: refused for now",
    "mail: server down",
    "mail: server hangs",
    "halted and mended",
    "clock jump",
    "decision",
    "dry run: accepted",
    "dry run: not_sent",
    "dry run: rejected",
    "first load",
    "freeze",
    "number released",
    "pause",
    "preview",
    "settings",
    "sync of people",
    "unreachable",
];

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
    for kind in STRIKES {
        assert!(outcomes.iter().any(|outcome| outcome.done.get(kind).is_some_and(|count| *count > 0)), "{kind} never");
    }
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
