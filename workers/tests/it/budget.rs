//! The budget of update calls: who gets the slots, and that カオナビ never has to refuse.
//!
//! A small event loop plays arrivals, ways there and back and the limit of カオナビ's simulator against a policy. The policy is
//! the real one, or one of two that look right and are not.

mod play;

use std::time::Duration;

use proptest::prelude::*;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use renkei_runtime::clock::Millis;
use renkei_sandbox::kaonavi::max_in_window;
use renkei_store::calls::{CallKind, Slot, UPDATE_SLOTS};
use renkei_workers::members::budget::{Budget, G, P, Want};

use self::play::{Demand, FromTheSend, Gcra, MINUTE, Played, Policy, Real, Trip, play};

/// 20–300 ms each way; `slow` of all ways take up to 4 s longer.
fn ways(seed: u64, slow: f64) -> impl FnMut() -> Trip {
    let mut random = StdRng::seed_from_u64(seed);
    let mut way = move || {
        let more = if random.random_bool(slow) { random.random_range(0..4000) } else { 0 };
        random.random_range(20..300) + more
    };
    move || Trip { there: way(), back: Some(way()) }
}

fn poisson(per_second: f64, seconds: f64, seed: u64) -> Vec<i64> {
    let mut random = StdRng::seed_from_u64(seed);
    let mut at = 0.0;
    let mut all = Vec::new();
    loop {
        at -= (1.0 - random.random::<f64>()).ln() / per_second;
        if at >= seconds {
            return all;
        }
        all.push((at * 1000.0) as i64);
    }
}

fn every(from: i64, pause: i64, until: i64) -> Vec<i64> {
    (0..).map(|index| from + index * pause).take_while(|at| *at < until).collect()
}

fn waiting(count: usize) -> Vec<i64> {
    vec![0; count]
}

const HOUR: i64 = 3_600_000;

fn real(demand: Demand, seed: u64, slow: f64, until: i64) -> Played {
    let played = play(demand, &mut Real, &mut ways(seed, slow), until);
    assert_eq!(played.refused, 0, "カオナビ had to refuse");
    assert!(played.most_taken <= UPDATE_SLOTS);
    assert!(max_in_window(&played.arrivals, MINUTE) <= UPDATE_SLOTS);
    played
}

// ---- the promises ----

#[test]
fn i4_ten_thousand_waiting_updates_never_hold_up_one_hire_a_minute() {
    let demand = Demand { hires: every(30_000, 60_000, 750_000), updates: waiting(10_000), ..Demand::default() };
    let played = real(demand, 1, 0.02, HOUR);
    assert_eq!(played.longest("hire"), 0);
    assert_eq!(played.calls("update"), 50);
    assert!(played.drained.unwrap() < 960_000, "{:?}", played.drained);
}

#[test]
fn i4_a_hire_and_two_updates_a_second_leave_hires_within_21_s() {
    let demand = Demand { hires: every(500, 1000, HOUR), updates: every(250, 500, HOUR), ..Demand::default() };
    let played = real(demand, 1, 0.02, HOUR);
    assert!(played.longest("hire") <= 21_000, "{}", played.longest("hire"));
    assert!(played.calls("update") * 10 >= 19 * 60, "{} PATCH calls in an hour", played.calls("update"));
    let first_ten_minutes = played.sent["update"].iter().filter(|at| **at < 600_000).count();
    assert!(first_ten_minutes >= 17, "{first_ten_minutes}");
}

#[test]
fn i4_a_hire_that_comes_g_after_the_last_post_leaves_at_once_whatever_waits() {
    // Hires further apart than G, in the midst of updates and repairs that would take every slot.
    let hires = every(7_000, 20_500, HOUR / 4);
    let demand = Demand { hires, updates: waiting(20_000), repairs: every(0, 3_000, HOUR / 4) };
    let played = real(demand, 4, 0.0, HOUR / 4);
    assert_eq!(played.longest("hire"), 0);
    assert!(played.calls("repair") > 10);
}

#[test]
fn i4_six_hires_in_a_quiet_company_leave_three_at_once() {
    let demand = Demand { hires: every(100_000, 1000, 106_000), ..Demand::default() };
    let played = real(demand, 1, 0.02, HOUR);
    assert_eq!(played.sent["hire"][..3], [100_000, 101_000, 102_000]);
    assert_eq!(played.calls("hire"), 4, "the other three share a call");
    assert!(played.longest("hire") <= 20_500, "{}", played.longest("hire"));
}

#[test]
fn i4_sixteen_repairs_go_out_in_the_midst_of_hires_and_updates() {
    let demand =
        Demand { hires: poisson(0.1, 3600.0, 9), updates: poisson(2.0, 3600.0, 10), repairs: vec![600_000; 16] };
    let played = real(demand, 1, 0.02, HOUR);
    assert!(played.longest("hire") <= 21_000, "{}", played.longest("hire"));
    assert_eq!(played.calls("repair"), 16);
    assert!(played.longest("repair") <= 500_000, "{}", played.longest("repair"));
    assert!(played.calls("update") >= 100, "{}", played.calls("update"));
}

#[test]
fn i4_a_hire_and_an_update_a_minute_hardly_wait() {
    let demand =
        Demand { hires: poisson(1.0 / 60.0, 3600.0, 9), updates: poisson(1.0 / 60.0, 3600.0, 10), ..Demand::default() };
    let played = real(demand, 1, 0.02, HOUR);
    assert!(played.longest("hire") <= 21_000, "{}", played.longest("hire"));
    assert!(played.longest("update") <= 45_000, "{}", played.longest("update"));
}

#[test]
fn ten_thousand_updates_alone_are_out_after_13_minutes() {
    let played = real(Demand { updates: waiting(10_000), ..Demand::default() }, 1, 0.02, HOUR);
    assert_eq!(played.calls("update"), 50);
    assert!(played.drained.unwrap() <= 780_000, "{:?}", played.drained);
}

fn stress(seeds: std::ops::Range<u64>) {
    for seed in seeds {
        let half = HOUR / 2;
        let cases = [
            Demand { hires: poisson(0.1, 1800.0, seed), updates: waiting(10_000), ..Demand::default() },
            Demand { hires: poisson(1.0 / 6.0, 1800.0, seed + 300), ..Demand::default() },
            Demand { hires: every(500, 1000, half), updates: every(250, 500, half), ..Demand::default() },
            Demand {
                hires: poisson(0.1, 1800.0, seed + 100),
                updates: poisson(2.0, 1800.0, seed + 200),
                repairs: vec![600_000; 16],
            },
        ];
        for (case, demand) in cases.into_iter().enumerate() {
            let played = real(demand, seed, 0.1, half);
            let longest = played.longest("hire");
            assert!(longest <= 21_000, "seed {seed}, case {case}: a hire waited {longest} ms");
        }
    }
}

#[test]
fn i3_i4_stress_with_a_tenth_of_all_ways_slow() {
    stress(0..5);
}

#[test]
#[ignore = "prove: longer"]
fn prove_i3_i4_stress_with_a_tenth_of_all_ways_slow() {
    stress(0..200);
}

// ---- what does not do ----

#[test]
fn i3_a_leaky_bucket_lets_nine_calls_through_in_a_minute() {
    let demand = Demand { updates: waiting(10_000), ..Demand::default() };
    let played = play(demand, &mut Gcra::new(), &mut || Trip { there: 20, back: Some(20) }, 59_000);
    assert_eq!(played.arrivals.len(), 6, "five at once, and one more before カオナビ refuses");
    assert_eq!(played.refused, 1);
    let mut gcra = Gcra::new();
    let passed = (0..60_000).step_by(100).filter(|now| gcra.ask(&Budget::default(), Want::Patch, *now).is_ok()).count();
    assert_eq!(passed, 9);
}

#[test]
fn i3_a_window_counted_from_the_send_breaks_the_limit() {
    // One slow way there, then quick ones: five arrive late, the next five a minute after they were sent.
    let mut ways = [4000_i64; 5].into_iter().chain(std::iter::repeat(20)).map(|there| Trip { there, back: Some(20) });
    let demand = Demand { updates: waiting(2_000), ..Demand::default() };
    let played = play(demand, &mut FromTheSend::default(), &mut || ways.next().unwrap(), 2 * MINUTE);
    assert!(played.refused > 0);
    assert!(max_in_window(&played.arrivals, MINUTE) > UPDATE_SLOTS);
}

#[test]
fn i3_a_window_counted_from_the_send_breaks_the_limit_on_ordinary_days_too() {
    let demand = || Demand { updates: waiting(1_000_000), ..Demand::default() };
    let wrong = play(demand(), &mut FromTheSend::default(), &mut ways(1, 0.1), 4 * HOUR);
    assert!(wrong.refused > 50, "{} of {}", wrong.refused, wrong.arrivals.len());
    let right = real(demand(), 1, 0.1, 4 * HOUR);
    assert!(right.arrivals.len() > 800);
}

// ---- for any answer times ----

fn trip() -> impl Strategy<Value = Trip> {
    prop_oneof![
        6 => (1..400_i64, 1..400_i64).prop_map(|(there, back)| Trip { there, back: Some(back) }),
        2 => (1..15_000_i64, 1..14_999_i64).prop_map(|(there, back)| Trip { there, back: Some(back) }),
        1 => (1..30_000_i64).prop_map(|there| Trip { there, back: None }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn i3_never_six_slots_and_never_six_arrivals_whatever_the_ways(
        trips in proptest::collection::vec(trip(), 1..40),
        hires in proptest::collection::vec(0..900_000_i64, 0..60),
        updates in proptest::collection::vec(0..900_000_i64, 0..60),
        repairs in proptest::collection::vec(0..900_000_i64, 0..12),
        backlog in 0..3000_usize,
    ) {
        let sorted = |mut times: Vec<i64>| { times.sort_unstable(); times };
        let mut waiting_updates = waiting(backlog);
        waiting_updates.extend(updates);
        let demand = Demand { hires: sorted(hires), updates: sorted(waiting_updates), repairs: sorted(repairs) };
        let mut ways = trips.iter().copied().cycle();
        let played = play(demand, &mut Real, &mut || ways.next().unwrap(), 900_000);
        prop_assert!(played.most_taken <= UPDATE_SLOTS);
        prop_assert!(max_in_window(&played.arrivals, MINUTE) <= UPDATE_SLOTS);
        prop_assert_eq!(played.refused, 0);
    }

    /// Whoever is told to come back has not missed an earlier chance: all borders are half seconds, so are the looks.
    #[test]
    fn the_time_to_ask_again_is_never_late(
        slots in proptest::collection::vec((0..180_u32, 0..240_u32, any::<bool>()), 0..5),
        last_post in proptest::option::of(0..180_u32),
        last_patch in proptest::option::of(0..180_u32),
        want in prop_oneof![
            Just(Want::Post { updates_wait: true }), Just(Want::Post { updates_wait: false }), Just(Want::Patch), Just(Want::Repair)
        ],
    ) {
        let half = |count: u32| Millis(i64::from(count) * 500);
        let now = half(180);
        let slots = slots.into_iter().map(|(reserved, frees, answered)| Slot {
            kind: CallKind::Update, reserved: half(reserved), frees: half(180 + frees), answered,
        });
        let budget = Budget { slots: slots.collect(), last_post: last_post.map(half), last_patch: last_patch.map(half) };
        if let Err(at) = budget.ask(want, now) {
            prop_assert!(at > now);
            let mut look = now;
            while look < at {
                prop_assert!(budget.ask(want, look).is_err(), "could have gone at {look:?}, was told {at:?}");
                look = look + Duration::from_millis(500);
            }
        } else {
            prop_assert!(budget.slots.iter().filter(|slot| slot.frees > now).count() < UPDATE_SLOTS);
        }
    }
}

#[test]
fn a_patch_waits_15_s_after_a_patch_and_a_hire_20_5_s_after_a_hire() {
    let at = |seconds: f64| Millis((seconds * 1000.0) as i64);
    let budget = Budget { slots: Vec::new(), last_post: Some(at(0.0)), last_patch: Some(at(0.0)) };
    let rows = [
        (Want::Patch, at(1.0), Err(at(0.0) + P)),
        (Want::Patch, at(15.0), Ok(())),
        (Want::Repair, at(1.0), Ok(())),
        (Want::Post { updates_wait: true }, at(1.0), Err(at(0.0) + G)),
        (Want::Post { updates_wait: true }, at(20.5), Ok(())),
        (Want::Post { updates_wait: false }, at(1.0), Ok(())),
    ];
    for (want, now, expected) in rows {
        let asked = budget.ask(want, now);
        if let (Err(asked), Err(expected)) = (asked, expected) {
            assert!(asked <= expected, "{want:?} at {now:?}: told {asked:?}");
        } else {
            assert_eq!(asked.is_ok(), expected.is_ok(), "{want:?} at {now:?}");
        }
    }
}
