//! I3: no account ever gets more than five update calls in any minute; in real time, with real processes.

use std::time::Duration;

use renkei_sandbox::kaonavi::{CompanySpec, Faults, sample};
use serde_json::Value;

use crate::support::people::{changed, member, person};
use crate::support::world::{Link, Setup, World};
use crate::support::{Watch, pause, setting};

/// Members that are there before.
const MEMBERS: usize = 400;

/// What is done to the workers, or to the way to them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Variant {
    Plain,
    /// A worker is killed in the middle of everything and replaced.
    Killed,
    /// Two connections with one Consumer Key, worked by two processes.
    SharedKey,
    /// Every tenth call reaches カオナビ up to four seconds late.
    Slow,
}

fn company(variant: Variant) -> CompanySpec {
    let mut company = sample::company("acme");
    company.members = (0..MEMBERS).map(|index| member(&format!("U{index:05}"), "旧")).collect();
    if variant == Variant::Slow {
        company.faults = Faults { slow_arrival_percent: 10, slow_arrival_ms: 4_000, ..Faults::default() };
    }
    company
}

/// One variant, for `minutes`.
fn play(variant: Variant, minutes: u64) -> String {
    let company = company(variant);
    let second = Link::new("second", &company);
    let mut world = World::new(Setup { companies: vec![company], ..Setup::default() });
    let mut links = vec!["acme"];
    if variant == Variant::SharedKey {
        world.add_link(second);
        links.push("second");
    }
    world.start_ingest();
    world.start_workers();
    if variant == Variant::SharedKey {
        world.start_workers();
    }
    world.activate();
    let seconds = minutes * 60;
    let watch = Watch::start();
    let mut hires = 0;
    for second in 0..seconds {
        std::thread::sleep(Duration::from_secs(second).saturating_sub(watch.elapsed()));
        let link = links[usize::try_from(second).unwrap() % links.len()];
        let sender = world.sender(link);
        // Each connection has people of its own.
        let of_link = |index: usize| index * links.len() + usize::try_from(second).unwrap() % links.len();
        let records: Vec<Value> = (0..2)
            .map(|index| {
                let at = of_link(usize::try_from(second).unwrap() * 2 + index) % MEMBERS;
                changed(&format!("{link}-u{at}"), &format!("U{at:05}"), &format!("新{second}"))
            })
            .collect();
        if variant != Variant::SharedKey || records.len() == 2 {
            sender.send(&format!("msg_{link}_u{second}"), &records);
        }
        if second % 7 == 0 {
            hires += 1;
            sender.send(
                &format!("msg_{link}_h{second}"),
                &[person(&format!("{link}-h{second}"), &format!("H{second:05}"))],
            );
        }
        if variant == Variant::Killed && second == seconds / 2 {
            world.workers[0].program.kill9();
            pause(500);
            world.start_workers();
        }
    }
    for link in &links {
        world.wait_people(link, &["due", "in_flight"], 0, Duration::from_secs(300));
    }
    world.sim.assert_within_limits("acme");
    let rows = world.sim.first_rows("acme");
    let created = rows.keys().filter(|code| code.starts_with('H')).count();
    assert_eq!(created, hires, "{variant:?}: every hire became a member");
    let stats = world.sim.stats("acme");
    assert_eq!(stats.refused_429, 0);
    format!(
        "{variant:?}, {minutes} min: {} update calls, at most {} in any minute, {} refused for quota; {} calls, {} tokens; {hires} hires",
        stats.update_calls, stats.peak_update_calls, stats.refused_429, stats.calls, stats.tokens
    )
}

#[test]
#[ignore = "takes as long as it says; make prove"]
fn prove_i3_the_budget_holds_in_real_time() {
    let minutes = setting("PROVE_MINUTES", 20);
    let variants = [Variant::Plain, Variant::Killed, Variant::SharedKey, Variant::Slow];
    let handles = variants.map(|variant| std::thread::spawn(move || play(variant, minutes)));
    let ended = handles.map(std::thread::JoinHandle::join);
    for result in ended {
        println!("{}", result.unwrap());
    }
}
