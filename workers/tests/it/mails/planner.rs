//! The planner, against any course of open items.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use proptest::prelude::*;
use renkei_events::codes::Code;
use renkei_runtime::clock::Millis;
use renkei_store::episodes::{BEFORE, Episode, Item, Past, Trouble};
use renkei_workers::notify::plan::{Action, BETWEEN, GATHERING, OVER, OpenItems, plan};

const STEP: u64 = 5;
const PEOPLE: usize = 4;

fn trouble() -> Trouble {
    Trouble { tenant: "t".to_owned(), scope: "connection:c".to_owned(), code: Code::KaonaviRejected }
}

fn item(index: usize) -> Item {
    Item { connection: "c".to_owned(), employee: index.to_string() }
}

/// What the store would hold, kept by hand.
#[derive(Default)]
struct Memory {
    open: Option<Episode>,
    past: Option<Past>,
    next: i64,
    /// When which mail of which episode was made, and about whom.
    mails: Vec<(Millis, i64, i64, Vec<Item>)>,
    /// When episodes were open.
    closed_at: Vec<Millis>,
}

impl Memory {
    fn step(&mut self, open: &OpenItems, now: Millis) {
        let known: Vec<Episode> = self.open.iter().cloned().collect();
        let past: BTreeMap<Trouble, Past> = self.past.iter().map(|past| (trouble(), past.clone())).collect();
        for action in plan(open, &known, &past, now) {
            match action {
                Action::Open { trouble, items, before } => {
                    assert!(self.open.is_none(), "one episode at a time");
                    assert!(!items.is_empty(), "an episode begins with something new");
                    self.next += 1;
                    let items = items.into_iter().map(|item| (item, None));
                    let before = before.into_iter().map(|item| (item, Some(BEFORE)));
                    self.open = Some(Episode {
                        id: self.next,
                        trouble,
                        opened: now,
                        seen: now,
                        digests: 0,
                        last_digest: None,
                        items: items.chain(before).collect(),
                    });
                }
                Action::Add { items, .. } => {
                    let episode = self.open.as_mut().unwrap();
                    for item in items {
                        assert!(episode.items.insert(item, None).is_none(), "only what is new is added");
                    }
                }
                Action::Seen { .. } => self.open.as_mut().unwrap().seen = now,
                Action::Tell { digest, items, .. } => {
                    let episode = self.open.as_mut().unwrap();
                    assert_eq!(digest, episode.digests + 1);
                    assert!(!items.is_empty(), "no mail without something new");
                    for item in &items {
                        let told = episode.items.insert(item.clone(), Some(digest));
                        assert_eq!(told, Some(None), "{item:?} is told once in an episode");
                    }
                    episode.digests = digest;
                    episode.last_digest = Some(now);
                    self.mails.push((now, episode.id, digest, items));
                }
                Action::Close { .. } => self.close(now),
            }
        }
    }

    fn close(&mut self, now: Millis) {
        let Some(episode) = self.open.take() else { return };
        let told = episode.items.into_iter().filter(|(_, digest)| digest.is_some()).map(|(item, _)| item);
        self.past = Some(Past { closed: now, told: told.collect() });
        self.closed_at.push(now);
    }
}

/// For each person: since when, and for how many steps, it is open; and when an administrator acts.
#[derive(Debug, Clone)]
struct Course {
    spans: Vec<(usize, u64, u64)>,
    acts: BTreeSet<u64>,
    steps: u64,
}

fn courses() -> impl Strategy<Value = Course> {
    let steps = 3 * 3600 / STEP;
    // Short and long troubles, beginning anywhere.
    let length = prop_oneof![1_u64..20, 1_u64..200, 700_u64..1500];
    let span = (0..PEOPLE, 0..steps, length);
    let acts = proptest::collection::btree_set(0..steps, 0..3);
    (proptest::collection::vec(span, 1..10), acts).prop_map(move |(spans, acts)| Course { spans, acts, steps })
}

impl Course {
    fn open(&self, step: u64) -> BTreeMap<Item, Millis> {
        let mut open = BTreeMap::new();
        for (who, from, length) in self.spans.iter().filter(|(_, from, length)| (*from..from + length).contains(&step))
        {
            let _ = length;
            let since = open.entry(item(*who)).or_insert(Millis(0));
            *since = (*since).max(at(*from));
        }
        open
    }
}

fn at(step: u64) -> Millis {
    Millis(1_000_000) + Duration::from_secs(step * STEP)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn i11_mails_are_an_hour_apart_new_and_complete(course in courses()) {
        let mut memory = Memory::default();
        // How long each person has been open without a break and without having been told in this spell.
        let mut waits: BTreeMap<Item, Millis> = BTreeMap::new();
        let mut told: BTreeSet<(Item, i64)> = BTreeSet::new();
        let mut last_mail: Option<(i64, Millis)> = None;
        for step in 0..course.steps {
            let now = at(step);
            let open = course.open(step);
            let mut all = OpenItems::new();
            if !open.is_empty() {
                all.insert(trouble(), open.clone());
            }
            let before = memory.mails.len();
            memory.step(&all, now);
            for (made, episode, digest, items) in &memory.mails[before..] {
                if let Some((last_episode, last)) = last_mail {
                    prop_assert!(last_episode != *episode || made.since(last) >= BETWEEN, "two mails within an hour");
                }
                last_mail = Some((*episode, *made));
                if *digest == 1 {
                    let opened = memory.open.as_ref().map(|open| open.opened).unwrap();
                    prop_assert!(made.since(opened) >= GATHERING, "the first mail gathers");
                }
                for item in items {
                    prop_assert!(open.contains_key(item), "only what is still open is told");
                    prop_assert!(told.insert((item.clone(), *episode)), "{item:?} was told in this episode");
                }
            }
            // Nobody waits longer than an hour and the gathering, whatever else happens.
            waits.retain(|item, _| open.contains_key(item));
            for item in open.keys() {
                let known = memory.open.as_ref().and_then(|episode| episode.items.get(item).copied().flatten());
                let past = memory.past.as_ref().is_some_and(|past| past.told.contains(item));
                if known.is_some() || (memory.open.is_none() && past) {
                    waits.remove(item);
                } else {
                    waits.entry(item.clone()).or_insert(now);
                }
            }
            for (item, since) in &waits {
                let most = BETWEEN + GATHERING + Duration::from_secs(2 * STEP);
                prop_assert!(now.since(*since) <= most, "{item:?} is open since {since:?} and was not told at {now:?}");
            }
            if course.acts.contains(&step) {
                memory.close(now);
            }
        }
    }
}

/// Runs a course and answers the mails as (seconds, digest, people).
fn run(spans: &[(usize, u64, u64)], acts: &[u64], seconds: u64) -> (Vec<(u64, i64, Vec<String>)>, Memory) {
    let spans = spans.iter().map(|(who, from, length)| (*who, from / STEP, length / STEP)).collect();
    let acts = acts.iter().map(|act| act / STEP).collect();
    let course = Course { spans, acts, steps: seconds / STEP };
    let mut memory = Memory::default();
    for step in 0..course.steps {
        let open = course.open(step);
        let all = if open.is_empty() { OpenItems::new() } else { [(trouble(), open)].into() };
        memory.step(&all, at(step));
        if course.acts.contains(&step) {
            memory.close(at(step));
        }
    }
    let mails = memory.mails.iter().map(|(made, _, digest, items)| {
        let people = items.iter().map(|item| item.employee.clone()).collect();
        (made.since(at(0)).as_secs(), *digest, people)
    });
    (mails.collect(), memory)
}

fn told(at: u64, digest: i64, people: &[&str]) -> (u64, i64, Vec<String>) {
    (at, digest, people.iter().map(|id| (*id).to_owned()).collect())
}

#[test]
fn i11_the_first_mail_gathers_a_minute_and_later_ones_wait_an_hour_and_have_something_new() {
    let (mails, _) = run(&[(0, 0, 9000), (1, 40, 9000), (2, 70, 9000), (3, 3000, 9000)], &[], 8000);
    assert_eq!(mails, [told(60, 1, &["0", "1"]), told(3660, 2, &["2", "3"])]);
}

#[test]
fn what_is_over_before_the_first_mail_makes_none_and_what_comes_back_is_told() {
    let (mails, _) = run(&[(0, 0, 50)], &[], 8000);
    assert_eq!(mails, []);
    let (mails, _) = run(&[(0, 0, 50), (0, 600, 100)], &[], 8000);
    assert_eq!(mails, [told(600, 1, &["0"])]);
}

#[test]
fn an_episode_ends_after_an_hour_without_an_open_item_and_not_before() {
    let (mails, memory) = run(&[(0, 0, 100), (0, 3000, 100), (0, 8000, 100)], &[], 9000);
    let over = 3095 + OVER.as_secs();
    assert_eq!(memory.closed_at, [at(over / STEP)]);
    assert_eq!(mails, [told(60, 1, &["0"]), told(8060, 1, &["0"])], "told once in each episode");
}

#[test]
fn after_an_administrator_acted_a_new_failure_is_told_at_once_and_the_others_are_not_told_again() {
    let (mails, _) = run(&[(0, 0, 9000), (1, 0, 9000), (2, 700, 9000)], &[600], 8000);
    assert_eq!(mails, [told(60, 1, &["0", "1"]), told(760, 1, &["2"])]);
    // Somebody who was sent again and failed again is told again.
    let (mails, _) = run(&[(0, 0, 600), (1, 0, 9000), (0, 900, 9000)], &[600], 8000);
    assert_eq!(mails, [told(60, 1, &["0", "1"]), told(960, 1, &["0"])]);
    // Whoever had not been told when somebody acted is told.
    let (mails, _) = run(&[(0, 0, 9000)], &[30], 8000);
    assert_eq!(mails, [told(95, 1, &["0"])]);
}
