//! Playing a scenario in the world, and what was seen.

mod act;
mod ending;

use std::collections::BTreeMap;
use std::time::Duration;

use renkei_runtime::clock::Millis;
use renkei_sandbox::kaonavi::transport::seeded_latency;
use renkei_sandbox::kaonavi::{AcceptedRow, Call, Faults, Task, TextField, sample};
use renkei_store::connections::ConnectionState;
use renkei_store::employees::RowState;
use renkei_store::settings::Settings;
use serde_json::{Value, json};

use crate::scenario::{LINKS, Said, Scenario, Sent, code};
use crate::world::network::Departure;
use crate::world::{Link, World};

/// The company of カオナビ.
pub const COMPANY: &str = "a";

/// An event that arrived.
#[derive(Debug, Clone)]
pub struct Received {
    /// When.
    pub at: Millis,
    /// What.
    pub sent: Sent,
    /// Whether its connection had not been switched on.
    pub baseline: bool,
}

/// What became of one person in the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// How far.
    pub state: RowState,
    /// Why.
    pub reason: Option<String>,
}

/// A stretch of time in which something was wrong.
#[derive(Debug, Clone, Copy)]
pub struct Trouble {
    /// From.
    pub from: Millis,
    /// To.
    pub to: Millis,
}

/// Everything that was done and seen.
#[derive(Debug, Default)]
pub struct History {
    /// When the play began.
    pub start: Millis,
    /// When it was over.
    pub end: Millis,
    /// In the order of the log.
    pub received: Vec<Received>,
    /// Per connection, the settings from a time on.
    pub settings: Vec<Vec<(Millis, Settings)>>,
    /// Per connection, from when a pause had answered to when it was resumed.
    pub paused: Vec<Vec<Trouble>>,
    /// Faults, deaths, stops: when somebody may know less than usual.
    pub troubles: Vec<Trouble>,
    /// Tasks were refused for no reason at all.
    pub forced_ngs: bool,
    /// When somebody else used the budget.
    pub outside: Vec<Millis>,
    /// Per connection, when a person decided about mass changes, and whether to release.
    pub decisions: Vec<Vec<(Millis, bool)>>,
    /// People whom a person had to touch in the end.
    pub touched: Vec<usize>,
    /// Calls as they left.
    pub departures: Vec<Departure>,
    /// Calls as they arrived.
    pub calls: Vec<Call>,
    /// Rows that カオナビ accepted.
    pub rows: Vec<AcceptedRow>,
    /// Its tasks.
    pub tasks: BTreeMap<i64, Task>,
    /// Its members in the end.
    pub members: BTreeMap<String, BTreeMap<&'static str, String>>,
    /// The store's rows in the end, by person.
    pub people: BTreeMap<usize, Row>,
    /// What was still open in the end.
    pub unfinished: Vec<String>,
    /// How often each kind of action was done.
    pub done: BTreeMap<String, u64>,
}

/// What カオナビ holds of a member at the beginning.
#[must_use]
pub fn held_at_first(scenario: &Scenario, person: usize) -> BTreeMap<&'static str, String> {
    let usual = Said::usual(person);
    let kana = if scenario.stale.contains(&person) { "フルイ" } else { "タカハシ ハナコ" };
    let text = |value: Option<String>| value.unwrap_or_default();
    [
        ("name", format!("{} {}", crate::scenario::LAST, usual.first)),
        ("name_kana", kana.to_owned()),
        ("gender", text(usual.gender)),
        ("birthday", text(usual.birthday)),
        ("entered_date", text(usual.hired)),
        ("retired_date", String::new()),
    ]
    .into()
}

struct Play<'a> {
    scenario: &'a Scenario,
    world: World,
    history: History,
    /// When faults, if any, began.
    faulty_since: Option<Millis>,
    names: usize,
    /// Whether somebody paused it, per connection.
    off: Vec<bool>,
}

/// Plays a scenario until everything is healed and quiet.
pub async fn play(scenario: &Scenario) -> History {
    let mut spec = sample::company(COMPANY);
    spec.members = (1..=scenario.members)
        .map(|person| {
            let mut held = json!({ "code": code(person) });
            for (field, value) in held_at_first(scenario, person) {
                held[field] = Value::String(value);
            }
            held
        })
        .collect();
    spec.settings = scenario.simulator.clone();
    let ways = scenario.ways;
    let latency = seeded_latency(scenario.seed, ways.from, ways.to, ways.slow_percent, ways.slow);
    let world = World::new(scenario.seed, vec![spec], latency).await;
    let links = scenario.links.len();
    let history = History {
        paused: vec![Vec::new(); links],
        decisions: vec![Vec::new(); links],
        settings: scenario.links.iter().map(|settings| vec![(world.now(), settings.clone())]).collect(),
        ..History::default()
    };
    let mut play = Play { scenario, world, history, faulty_since: None, names: 1, off: vec![false; links] };
    play.begin().await;
    for action in &scenario.actions {
        let at = play.history.start + Duration::from_millis(u64::try_from(action.at).unwrap());
        // Some actions take time themselves.
        if at > play.world.now() {
            play.world.run_until(at).await;
        }
        play.act(&action.what).await;
    }
    play.end().await;
    play.history
}

impl Play<'_> {
    async fn begin(&mut self) {
        for (index, settings) in self.scenario.links.iter().enumerate() {
            let link = Link { connection: LINKS[index], company: COMPANY, settings: settings.clone(), wanted: false };
            self.world.link(link).await;
        }
        // Versions count from the beginning of the play, which comes when everything is on.
        self.history.start = self.world.now() + Duration::from_secs(120);
        self.receive(&self.scenario.baseline.clone(), true).await;
        self.world.run_for(Duration::from_secs(10)).await;
        for link in &LINKS[..self.scenario.links.len()] {
            self.world.want(link).await;
        }
        self.world.run_until(self.history.start).await;
        for link in &LINKS[..self.scenario.links.len()] {
            let connection = self.world.connection(link).await;
            assert_eq!(connection.state, ConnectionState::Active, "{:?}", connection.problems);
        }
        if !self.scenario.bad.is_empty() {
            let now = self.world.now();
            let faults = self.lasting();
            self.world.company(COMPANY, |company| company.set_faults(now, faults)).await;
        }
    }

    /// The faults that never end: records that カオナビ does not take.
    fn lasting(&self) -> Faults {
        let codes = self.scenario.bad.iter().map(|person| code(*person)).collect();
        match self.scenario.bad_at_the_door {
            true => Faults { bad_codes: codes, ..Faults::default() },
            false => Faults { ng_codes: codes, ..Faults::default() },
        }
    }

    fn count(&mut self, what: &str) {
        *self.history.done.entry(what.to_owned()).or_default() += 1;
    }

    async fn look(&mut self) {
        let (calls, rows, tasks, members) = self
            .world
            .company(COMPANY, |company| {
                let calls = company.log().calls().cloned().collect();
                let rows = company.log().rows().cloned().collect();
                let tasks = company.tasks().map(|task| (task.id, task.clone())).collect();
                let fields = TextField::ALL.into_iter().filter(|field| *field != TextField::Mail);
                let held = |member: &renkei_sandbox::kaonavi::Member| {
                    fields.clone().map(|field| (field.key(), member.get(field).to_owned())).collect()
                };
                let members = company.members().iter().map(|(code, member)| (code.clone(), held(member))).collect();
                (calls, rows, tasks, members)
            })
            .await;
        let history = &mut self.history;
        (history.calls, history.rows, history.tasks, history.members) = (calls, rows, tasks, members);
        history.departures.clone_from(&self.world.departures.lock().unwrap());
        history.end = self.world.now();
    }
}
