//! Playing a scenario in the world, and what was seen.

mod act;
mod ask;
mod ending;
mod preview;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use renkei_runtime::clock::Millis;
use renkei_sandbox::kaonavi::transport::seeded_latency;
use renkei_sandbox::kaonavi::{AcceptedRow, Call, Faults, Task, TextField, sample};
use renkei_store::connections::ConnectionState;
use renkei_store::dry_runs::End;
use renkei_store::employees::RowState;
use renkei_store::settings::Settings;
use serde_json::{Value, json};

use crate::scenario::{LINKS, Numbered, Said, Scenario, Sent, code, person_of};
use crate::world::mail::{Letter, Open};
use crate::world::network::Departure;
use crate::world::{Link, World};

/// How long it takes until somebody else mails in the place of a worker that is gone.
pub const TAKEN_OVER: Duration = Duration::from_secs(240);

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

/// A question whether カオナビ would take one person.
#[derive(Debug, Clone)]
pub struct Asked {
    /// When it was asked.
    pub at: Millis,
    /// Who.
    pub person: usize,
    /// What it came to, with the code, and when.
    pub end: Option<(End, Option<String>, Millis)>,
}

/// One person of a preview.
#[derive(Debug, Clone)]
pub struct Shown {
    /// Who.
    pub person: usize,
    /// What would be done.
    pub action: String,
    /// Why not.
    pub code: Option<String>,
    /// What would be sent.
    pub fields: BTreeMap<String, String>,
}

/// Somebody sent people of a preview.
#[derive(Debug, Clone)]
pub struct Confirmed {
    /// When.
    pub at: Millis,
    /// Whom the call named, of those whom the preview shows.
    pub named: BTreeSet<usize>,
    /// How many would go, as the call answered; nothing when it was refused because of other settings.
    pub answer: Option<u64>,
}

/// A preview that somebody asked for.
#[derive(Debug, Clone)]
pub struct Looked {
    /// The connection.
    pub link: usize,
    /// Its id.
    pub id: String,
    /// When it was asked for.
    pub asked: Millis,
    /// Whether it is about those who were there before the connection was switched on.
    pub first_load: bool,
    /// When somebody looked and it was made.
    pub seen: Option<Millis>,
    /// What it shows.
    pub items: Vec<Shown>,
    /// What was sent of it.
    pub syncs: Vec<Confirmed>,
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
    /// When somebody else used up tokens.
    pub outside_tokens: Vec<Millis>,
    /// When a connection halted, with its code.
    pub halts: Vec<(Millis, String, usize)>,
    /// When a person was parked, with the code.
    pub parks: Vec<(Millis, String, usize)>,
    /// Mails as the mail server took them.
    pub letters: Vec<Letter>,
    /// What needed a person, as it was seen.
    pub opened: Vec<Open>,
    /// When an administrator acted on a code of a connection.
    pub acts: Vec<(Millis, String, usize)>,
    /// When the mail server did not take mails.
    pub mail_troubles: Vec<Trouble>,
    /// When workers died or were stopped, until others had taken over.
    pub lame: Vec<Trouble>,
    /// Dry runs that were asked for.
    pub asked: Vec<Asked>,
    /// Previews that were asked for.
    pub looks: Vec<Looked>,
    /// Who was sent because a person said so, and when, as the activity log has it.
    pub confirmed: Vec<(Millis, usize)>,
    /// When a person decided about the number of somebody who was held for it.
    pub released: Vec<(Millis, usize)>,
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
    /// The faults that were ordered last.
    armed: Faults,
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
    spec.members.extend(scenario.numbers.iter().filter_map(Numbered::stranger));
    spec.settings = scenario.simulator.clone();
    let ways = scenario.ways;
    let latency = seeded_latency(scenario.seed, ways.from, ways.to, ways.slow_percent, ways.slow);
    let mut world = World::new(scenario.seed, vec![spec], latency).await;
    world.with_mail(scenario.seed);
    if scenario.further.connect > 0 {
        let random = rand::SeedableRng::seed_from_u64(!scenario.seed);
        *world.connecting.drawn.lock().unwrap() = Some((scenario.further.connect, random));
    }
    world.run_for(Duration::from_millis(u64::try_from(scenario.further.later).unwrap())).await;
    let links = scenario.links.len();
    let history = History {
        paused: vec![Vec::new(); links],
        decisions: vec![Vec::new(); links],
        settings: scenario.links.iter().map(|settings| vec![(world.now(), settings.clone())]).collect(),
        ..History::default()
    };
    let mut play = Play {
        scenario,
        world,
        history,
        faulty_since: None,
        armed: Faults::default(),
        names: 1,
        off: vec![false; links],
    };
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
            self.order(now, faults).await;
        }
    }

    /// Puts faults in force in the place of those before, and counts how often these struck.
    async fn order(&mut self, now: Millis, faults: Faults) {
        let (before, open) = self
            .world
            .company(COMPANY, |company| {
                let before = (company.faults().clone(), company.open_tasks());
                company.set_faults(now, faults.clone());
                before
            })
            .await;
        for ((name, armed), (_, left)) in kinds(&self.armed).into_iter().zip(kinds(&before)) {
            *self.history.done.entry(name.to_owned()).or_default() += u64::from(armed.saturating_sub(left));
        }
        if before.hold_tasks && !faults.hold_tasks && open > 0 {
            self.count("struck: task hangs");
        }
        self.armed = faults;
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

    /// Notes the tasks as they are: カオナビ forgets them.
    async fn note_tasks(&mut self) {
        let tasks: Vec<Task> = self.world.company(COMPANY, |company| company.tasks().cloned().collect()).await;
        self.history.tasks.extend(tasks.into_iter().map(|task| (task.id, task)));
    }

    async fn look(&mut self) {
        self.note_tasks().await;
        let (calls, rows, members) = self
            .world
            .company(COMPANY, |company| {
                let calls = company.log().calls().cloned().collect();
                let rows = company.log().rows().cloned().collect();
                let fields = TextField::ALL.into_iter().filter(|field| *field != TextField::Mail);
                let held = |member: &renkei_sandbox::kaonavi::Member| {
                    fields.clone().map(|field| (field.key(), member.get(field).to_owned())).collect()
                };
                let members = company.members().iter().map(|(code, member)| (code.clone(), held(member))).collect();
                (calls, rows, members)
            })
            .await;
        let history = &mut self.history;
        (history.calls, history.rows, history.members) = (calls, rows, members);
        history.departures.clone_from(&self.world.departures.lock().unwrap());
        for (kind, count) in [
            ("struck: 429", history.calls.iter().filter(|call| call.status == 429).count()),
            ("struck: 503", history.calls.iter().filter(|call| call.status == 503).count()),
            ("struck: worker died", self.world.deaths.len()),
        ] {
            history.done.insert(kind.to_owned(), u64::try_from(count).unwrap());
        }
        history.end = self.world.now();
        for (at, connection, employee, kind, code) in self.world.activity(&["halted", "parked", "confirmed"]).await {
            let person = || person_of(&employee);
            match kind.as_str() {
                "halted" => history.halts.push((at, code, LINKS.iter().position(|link| *link == connection).unwrap())),
                "confirmed" => history.confirmed.push((at, person())),
                _ => history.parks.push((at, code, person())),
            }
        }
        history.opened.clone_from(&self.world.watch.seen);
        history.letters.clone_from(&self.world.mailbox.lock().unwrap().letters);
        for (kind, count) in &self.world.mailbox.lock().unwrap().refused {
            *history.done.entry((*kind).to_owned()).or_default() += count;
        }
        if let Some(last) = history.mail_troubles.last_mut() {
            last.to = last.to.min(history.end);
        }
        for at in self.world.deaths.iter().copied() {
            // Perhaps nobody was left until then.
            let next = self.world.starts.iter().copied().find(|start| *start >= at).unwrap_or(at);
            history.lame.push(Trouble { from: at, to: next + TAKEN_OVER });
        }
    }
}

/// How many more calls each kind of fault strikes.
fn kinds(faults: &Faults) -> [(&'static str, u32); 15] {
    [
        ("struck: reset after acceptance", faults.reset_after_acceptance),
        ("struck: reset before acceptance", faults.reset_before_acceptance),
        ("struck: 500 after acceptance", faults.html_500_after_acceptance),
        ("struck: 500 before acceptance", faults.html_500_before_acceptance),
        ("struck: no task id", faults.without_task_id),
        ("struck: task ERROR", faults.task_errors),
        ("struck: task NG", faults.task_ngs),
        ("struck: 409", faults.conflicts),
        ("struck: slow answer", faults.slow_answers),
        ("struck: read reset", faults.reset_reads),
        ("struck: list cut", faults.members_cut),
        ("struck: read 500", faults.html_500_reads),
        ("struck: read HTML", faults.html_reads),
        ("struck: token 500", faults.html_500_tokens),
        ("struck: 401 with a good token", faults.unauthorized),
    ]
}
