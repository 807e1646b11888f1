//! A working day on which no webhook comes: everything has to be found by the sweep of every quarter hour.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use renkei_runtime::clock::Millis;
use renkei_sandbox::feed::Late;
use renkei_sandbox::kaonavi::transport::seeded_latency;
use renkei_sandbox::kaonavi::{TaskStatus, sample};
use renkei_store::runs;
use serde_json::json;

use crate::people::member;
use crate::source::Source;
use crate::world::{World, link};

/// From 09:00 to 18:00.
const DAY: Duration = Duration::from_secs(9 * 3600);
/// How long a change may take to be OK in カオナビ.
pub const LONGEST: Duration = Duration::from_secs(17 * 60);

/// What came of the day.
#[derive(Debug)]
pub struct Report {
    /// How many changes were made at the source.
    pub changes: usize,
    /// How many of them were hires.
    pub hires: usize,
    /// Changes that カオナビ never got, or later than [`LONGEST`].
    pub late: Vec<String>,
    /// Members that were registered twice, or by nobody at the source.
    pub unasked: Vec<String>,
    /// Values that were written more often than they were made.
    pub doubled: Vec<String>,
    /// The longest time from a change to its OK.
    pub longest: Duration,
    /// What each sweep that found something found.
    pub found: Vec<(Millis, i64)>,
    /// How many sweeps came to their end.
    pub sweeps: i64,
    /// Calls that the source got.
    pub calls: usize,
    /// Update calls that カオナビ got, and how many of them it refused.
    pub update_calls: (usize, u64),
}

impl Report {
    /// Whether everything is as it must be.
    #[must_use]
    pub fn is_good(&self) -> bool {
        self.late.is_empty() && self.unasked.is_empty() && self.doubled.is_empty() && self.update_calls.1 == 0
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, new) in &self.found {
            let time = at.timestamp().to_zoned(jiff::tz::TimeZone::fixed(jiff::tz::offset(9)));
            writeln!(f, "{} found {new}", time.strftime("%H:%M:%S"))?;
        }
        for (what, lines) in [("late", &self.late), ("unasked", &self.unasked), ("doubled", &self.doubled)] {
            for line in lines {
                writeln!(f, "{what}: {line}")?;
            }
        }
        write!(
            f,
            "{} changes ({} hires) without webhooks: {} late, {} doubled, {} unasked; longest {} s; {} sweeps, {} of them found \
             something, {} calls to the source, {} update calls, {} refused",
            self.changes,
            self.hires,
            self.late.len(),
            self.doubled.len(),
            self.unasked.len(),
            self.longest.as_secs(),
            self.sweeps,
            self.found.len(),
            self.calls,
            self.update_calls.0,
            self.update_calls.1
        )
    }
}

/// One change at the source: when, of whom, and the birthday that it gave them, by which it is recognised.
struct Made {
    at: Millis,
    person: usize,
    birthday: String,
}

/// Plays the day from a seed, with so many changes of `people` people, of whom a tenth is hired on this day.
pub async fn play(seed: u64, people: usize, changes: usize) -> Report {
    let hires = people / 10;
    let mut company = sample::company("a");
    company.members = (hires..people).map(|index| member(index, "古い 名前")).collect();
    let mut world = World::new(seed, vec![company], seeded_latency(seed, 20, 300, 2, 4_000)).await;
    world.link(link("c1", "a")).await;
    world.run_for(Duration::from_secs(65)).await;
    let mut source = Source::beside(world);
    source.give_feed("c1", true).await;
    // What the source itself shows only minutes later can come no sooner.
    source.company("c1", |company| company.settings_mut().late = Late::Never).await;
    let mut random = StdRng::seed_from_u64(seed);
    let start = source.world.now();
    let length = u64::try_from(DAY.as_millis()).unwrap();
    let mut times: Vec<Millis> =
        (0..changes).map(|_| start + Duration::from_millis(random.random_range(0..length))).collect();
    times.sort_unstable();
    let mut made: Vec<Made> = Vec::with_capacity(changes);
    for (number, at) in times.into_iter().enumerate() {
        source.run_until(at).await;
        let person = random.random_range(0..people);
        // No two changes give the same value, so that each can be told from the others.
        let birthday = jiff::civil::date(1900, 1, 1).saturating_add(jiff::Span::new().days(number as i64)).to_string();
        source.edit("c1", person, json!({ "birthday": birthday })).await;
        made.push(Made { at, person, birthday });
    }
    source.run_for(LONGEST * 2).await;
    report(&source, people, hires, &made).await
}

async fn report(source: &Source, people: usize, hires: usize, made: &[Made]) -> Report {
    // What was accepted, by code and birthday: when its task was OK, and how often it was written.
    let written: BTreeMap<(String, String), (Millis, usize)> =
        source.world.company("a", |company| accepted(company)).await;
    let mut report = Report {
        changes: made.len(),
        hires: made
            .iter()
            .map(|made| made.person)
            .filter(|person| *person < hires)
            .collect::<std::collections::BTreeSet<_>>()
            .len(),
        late: Vec::new(),
        unasked: Vec::new(),
        doubled: Vec::new(),
        longest: Duration::ZERO,
        found: Vec::new(),
        sweeps: 0,
        calls: 0,
        update_calls: (0, 0),
    };
    let code = |person: usize| format!("E{person:05}");
    for (index, change) in made.iter().enumerate() {
        let own = written.get(&(code(change.person), change.birthday.clone()));
        // Whoever changed again before the sweep came goes over with the newest state only.
        let newer = made[index + 1..].iter().filter(|other| other.person == change.person);
        let newer = newer.filter_map(|other| written.get(&(code(other.person), other.birthday.clone())));
        let reached = own.into_iter().chain(newer).map(|(at, _)| *at).min();
        match reached {
            Some(at) => {
                let took = at.since(change.at);
                report.longest = report.longest.max(took);
                if took > LONGEST {
                    report.late.push(format!("{} after {} s", code(change.person), took.as_secs()));
                }
            }
            None => report.late.push(format!("{} never", code(change.person))),
        }
    }
    for ((code, birthday), (_, times)) in &written {
        if !made.iter().any(|change| change.birthday == *birthday && *code == format!("E{:05}", change.person)) {
            report.unasked.push(format!("{code} {birthday}"));
        }
        if *times > 1 {
            report.doubled.push(format!("{code} {times} times"));
        }
    }
    let members = source.world.company("a", |company| company.members().len()).await;
    if members != people - hires + report.hires {
        report.unasked.push(format!("{members} members"));
    }
    let store = &source.world.store;
    let runs = runs::page(&store.db, "t1", &["c1"], i64::MAX, 1000).await.unwrap();
    report.found = runs.iter().rev().map(|run| (run.started, run.counts["new"])).collect();
    report.sweeps = renkei_store::feeds::find(store, &store.db, "c1").await.unwrap().unwrap().sweeps;
    report.calls = source.company("c1", |company| company.log().calls().len()).await;
    let now = source.world.now();
    let stats =
        source.world.company("a", |company| (company.log().writes().count(), company.stats(now).refused_429)).await;
    report.update_calls = stats;
    report
}

/// The birthdays that tasks which ended well wrote, with the time of their end.
fn accepted(company: &renkei_sandbox::kaonavi::Company) -> BTreeMap<(String, String), (Millis, usize)> {
    let mut written = BTreeMap::new();
    let ended: BTreeMap<i64, Millis> = company
        .tasks()
        .filter(|task| task.status == TaskStatus::Ok)
        .filter_map(|task| Some((task.id, task.ended_at?)))
        .collect();
    for row in company.log().rows() {
        let Some(at) = ended.get(&row.task_id) else { continue };
        let fields: serde_json::Value = serde_json::from_str(&row.row).unwrap();
        if let Some(birthday) = fields["birthday"].as_str() {
            let entry = written.entry((row.code.clone(), birthday.to_owned())).or_insert((*at, 0));
            entry.0 = entry.0.min(*at);
            entry.1 += 1;
        }
    }
    written
}
