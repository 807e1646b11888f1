//! A workers process killed with -9 in every state that a batch can be in: no duplicate, no loss, no stuck row.

use std::collections::BTreeMap;
use std::time::Duration;

use renkei_sandbox::kaonavi::{Faults, sample};
use serde_json::Value;

use crate::support::people::{changed, member, person};
use crate::support::world::{Setup, StoreKind, World};
use crate::support::{Watch, pause, setting, until};

/// Windows, polls and the half hour after which an unknown call is given up pass this many times faster.
const SCALE: u32 = 10;
/// People of each kind in one company.
const PEOPLE: usize = 12;
/// Real time.
const SOON: Duration = Duration::from_secs(60);

/// Where the process is killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Moment {
    /// The call is written down; whether it arrives is open.
    OnItsWay,
    /// カオナビ has it, and the answer is not read.
    AnswerUnderWay,
    /// The connection broke after カオナビ took the call.
    LostAnswer,
    /// The same, answered by an HTML 500.
    BrokenAnswer,
    /// The connection broke before カオナビ took the call.
    LostCall,
    /// The task waits or runs.
    TaskOpen,
    /// The task ended as ERROR.
    TaskBroken,
    /// A search for a bad record is under way.
    Search,
    /// The members are being read.
    Reading,
}

const MOMENTS: [Moment; 9] = [
    Moment::OnItsWay,
    Moment::AnswerUnderWay,
    Moment::LostAnswer,
    Moment::BrokenAnswer,
    Moment::LostCall,
    Moment::TaskOpen,
    Moment::TaskBroken,
    Moment::Search,
    Moment::Reading,
];

impl Moment {
    fn faults(self, bad: &str) -> Faults {
        let none = Faults::default();
        match self {
            Moment::OnItsWay => Faults { slow_arrival_percent: 100, slow_arrival_ms: 30_000, ..none },
            Moment::AnswerUnderWay => Faults { slow_answers: 50, slow_answer_ms: 30_000, ..none },
            Moment::LostAnswer => Faults { reset_after_acceptance: 1, ..none },
            Moment::BrokenAnswer => Faults { html_500_after_acceptance: 1, ..none },
            Moment::LostCall => Faults { reset_before_acceptance: 1, ..none },
            Moment::TaskOpen => Faults { hold_tasks: true, ..none },
            Moment::TaskBroken => Faults { task_errors: 1, ..none },
            Moment::Search => Faults { ng_codes: [bad.to_owned()].into(), ..none },
            // The lost answer makes the members be read, and their body comes slowly.
            Moment::Reading => Faults { reset_after_acceptance: 1, members_body_ms: 60_000, ..none },
        }
    }
}

/// One company in which one moment is met, for hires or for changes.
struct Scene {
    id: String,
    moment: Moment,
    creates: bool,
}

impl Scene {
    fn all() -> Vec<Self> {
        let both = MOMENTS.iter().flat_map(|moment| [(*moment, true), (*moment, false)]);
        both.map(|(moment, creates)| Self {
            id: format!("{}-{}", format!("{moment:?}").to_lowercase(), if creates { "post" } else { "patch" }),
            moment,
            creates,
        })
        .collect()
    }

    fn code(&self, at: usize) -> String {
        format!("{}{at:03}", if self.creates { "H" } else { "U" })
    }

    /// The one that カオナビ refuses, where there is one.
    fn bad(&self) -> Option<String> {
        (self.moment == Moment::Search).then(|| self.code(5))
    }

    fn events(&self) -> Vec<Value> {
        (0..PEOPLE)
            .map(|at| {
                let (id, code) = (format!("rm_{at}"), self.code(at));
                if self.creates { person(&id, &code) } else { changed(&id, &code, "新") }
            })
            .collect()
    }

    /// Waits until the moment has come.
    fn met(&self, world: &World) {
        let account = format!("(select account_id from connections where connection_id = '{}')", self.id);
        let states = || {
            world.sql(&format!(
                "select coalesce(string_agg(distinct state, ','), '') from batches where account_id = {account}"
            ))
        };
        let called = || world.sim.writes(&self.id) > 0;
        let searches = || world.sql(&format!("select count(*) from repairs where account_id = {account}")) != "0";
        until(SOON, &format!("{} is met; batches are {}", self.id, states()), || match self.moment {
            Moment::OnItsWay => states().contains("planned"),
            Moment::AnswerUnderWay => called() && states().contains("planned"),
            Moment::LostAnswer | Moment::BrokenAnswer | Moment::LostCall | Moment::Reading if self.creates => {
                states().contains("unknown")
            }
            // A change without an answer is simply made again.
            Moment::LostAnswer | Moment::BrokenAnswer | Moment::LostCall | Moment::Reading => called(),
            Moment::TaskOpen => states().contains("accepted"),
            Moment::TaskBroken => states().contains("done"),
            Moment::Search => searches(),
        });
        if self.moment == Moment::Reading && self.creates {
            let reads = |world: &World| {
                world
                    .sim
                    .calls(&self.id)
                    .iter()
                    .filter(|call| call.method == "GET" && call.path.ends_with("/members"))
                    .count()
            };
            until(SOON, "the members are read once more", || reads(world) >= 2);
        }
    }

    /// What is wrong in the end.
    fn problems(&self, world: &World) -> Vec<String> {
        let mut problems = Vec::new();
        let people = world.connection(&self.id)["people"].clone();
        let bad = self.bad();
        let parked = i64::from(bad.is_some());
        let wanted = i64::try_from(PEOPLE).unwrap() + 1 - parked;
        for (state, count) in [("due", 0), ("in_flight", 0), ("held", 0), ("parked", parked), ("synced", wanted)] {
            if people[state] != count {
                problems.push(format!("{}: {} people are {state}, not {count}", self.id, people[state]));
            }
        }
        let rows: BTreeMap<String, u32> = world.sim.with(&self.id, |company, _| company.log().rows_per_code().clone());
        for at in 0..PEOPLE {
            let code = self.code(at);
            let is_bad = bad.as_ref() == Some(&code);
            let arrived = world.sim.with(&self.id, |company, _| {
                company.member(&code).is_some_and(|member| {
                    member.get(renkei_sandbox::kaonavi::TextField::Name).ends_with(if self.creates {
                        "一郎"
                    } else {
                        "新"
                    })
                })
            });
            if arrived == is_bad {
                problems.push(format!("{}: {code} {}", self.id, if arrived { "arrived" } else { "did not arrive" }));
            }
            // A POST is never made twice while the first may still come to something; a task that ended without effect
            // (ERROR, NG) is no reason against another.
            let may_repeat = !self.creates || matches!(self.moment, Moment::TaskBroken | Moment::Search);
            let times = rows.get(&code).copied().unwrap_or(0);
            if !may_repeat && times != 1 {
                problems.push(format!("{}: {code} was taken {times} times", self.id));
            }
        }
        let stats = world.sim.stats(&self.id);
        if stats.refused_429 > 0 || stats.peak_update_calls > 5 || stats.peak_tokens_per_hour > 5 {
            problems.push(format!("{}: limits: {stats:?}", self.id));
        }
        problems
    }
}

#[test]
#[ignore = "takes minutes; make prove"]
fn prove_crash_in_every_state_of_a_batch_loses_and_doubles_nothing() {
    let scenes = Scene::all();
    let companies = scenes.iter().map(|scene| {
        let mut company = sample::company(&scene.id);
        if !scene.creates {
            company.members = (0..PEOPLE).map(|at| member(&scene.code(at), "旧")).collect();
        }
        company
    });
    let companies = companies.collect();
    let mut world = World::up(Setup { store: StoreKind::Postgres, scale: SCALE, companies, ..Setup::default() });
    for scene in &scenes {
        let watch = Watch::start();
        world.sim.faults(&scene.id, scene.moment.faults(&scene.code(5)));
        world.sender(&scene.id).send("msg_1", &scene.events());
        scene.met(&world);
        world.workers.remove(0).program.kill9();
        // The bad record stays bad; everything else heals.
        let bad = scene.bad().into_iter().collect();
        world.sim.faults(&scene.id, Faults { ng_codes: bad, ..Faults::default() });
        world.start_workers();
        // A later hire, whose task tells that the ones before are over.
        world.sender(&scene.id).send("msg_2", &[person("rm_later", "LATER")]);
        println!("{}: met and killed within {:?}", scene.id, watch.elapsed());
    }
    let watch = Watch::start();
    let mut problems = Vec::new();
    // Whoever can not be told otherwise waits half an hour of the faster clock.
    while watch.elapsed() < Duration::from_secs(300) {
        problems = scenes.iter().flat_map(|scene| scene.problems(&world)).collect();
        if problems.is_empty() {
            break;
        }
        pause(1_000);
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
    assert_eq!(world.sql("select count(*) from batches where state <> 'done'"), "0", "no batch is left open");
    assert_eq!(world.sql("select count(*) from repairs"), "0", "no search is left open");
    println!(
        "{} states met, each killed with -9: no duplicate, no loss, no stuck row; all settled {:?} after the last",
        scenes.len(),
        watch.elapsed()
    );
}

/// Kills at moments that nobody chose, while hires and changes come in and answers get lost.
#[test]
#[ignore = "takes minutes; make prove"]
fn prove_crash_at_random_moments_loses_and_doubles_nothing() {
    let kills = setting("PROVE_KILLS", 30);
    let count = usize::try_from(kills * 10).unwrap();
    let mut company = sample::company("acme");
    company.members = (0..count).map(|at| member(&format!("U{at:04}"), "旧")).collect();
    let mut world =
        World::up(Setup { store: StoreKind::Postgres, scale: SCALE, companies: vec![company], ..Setup::default() });
    let sender = world.sender("acme");
    for kill in 0..kills {
        let from = usize::try_from(kill * 10).unwrap();
        for at in from..from + 10 {
            let people = [
                person(&format!("h{at}"), &format!("H{at:04}")),
                changed(&format!("u{at}"), &format!("U{at:04}"), "新"),
            ];
            sender.send(&format!("msg_{at}"), &people);
        }
        let faults = match kill % 4 {
            0 => Faults { reset_after_acceptance: 1, ..Faults::default() },
            1 => Faults { slow_answers: 1, slow_answer_ms: 20_000, ..Faults::default() },
            2 => Faults { html_500_before_acceptance: 1, ..Faults::default() },
            _ => Faults::default(),
        };
        world.sim.faults("acme", faults);
        // Spread over the rhythm of calls and polls; no two rounds alike.
        pause(300 + (kill * 1_379) % 4_300);
        world.workers.remove(0).program.kill9();
        world.start_workers();
    }
    world.sim.faults("acme", Faults::default());
    world.wait_people("acme", &["synced"], i64::try_from(2 * count).unwrap(), Duration::from_secs(400));
    let stats = world.sim.stats("acme");
    world.sim.assert_within_limits("acme");
    let twice: Vec<(String, u32)> = world.sim.with("acme", |company, _| {
        let rows = company.log().rows_per_code().iter();
        rows.filter(|(code, times)| code.starts_with('H') && **times != 1)
            .map(|(code, times)| (code.clone(), *times))
            .collect()
    });
    assert!(twice.is_empty(), "hires taken more or less than once: {twice:?}");
    for at in 0..count {
        assert!(world.sim.has_member("acme", &format!("H{at:04}")), "H{at:04} is lost");
    }
    until(SOON, "no batch is left open", || world.sql("select count(*) from batches where state <> 'done'") == "0");
    println!(
        "{kills} kills with -9 at random moments: {} hires and {} changes, every hire taken once; {} update calls, at most {} in a minute, {} refused for quota, {} tokens",
        count, count, stats.update_calls, stats.peak_update_calls, stats.refused_429, stats.tokens
    );
}
