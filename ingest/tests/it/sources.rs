//! Everything that brings people at once, drawn from a seed: webhooks that come late, twice, in another order or not at all,
//! sweeps of a feed that fails, files, and processes that end. In the end カオナビ holds what the source holds.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use renkei_events::csv::{Columns, Constants};
use renkei_events::event::EmployeeEvent;
use renkei_ingest::upload::{File, Options, UploadError, Uploader};
use renkei_log::embedded::EmbeddedWriter;
use renkei_log::{LogError, LogWriter, NewRecord};
use renkei_runtime::clock::Millis;
use renkei_sandbox::feed::Faults;
use renkei_sandbox::kaonavi::transport::seeded_latency;
use renkei_sandbox::kaonavi::{TextField, sample};
use renkei_simulation::people::{member, record};
use renkei_simulation::source::Source;
use renkei_simulation::world::{World, link};
use renkei_store::employees::RowState;
use renkei_store::uploads::Mode;
use renkei_workers::commands;
use serde_json::json;

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);

/// People of the company; the first of them are hired while it plays, the others are members of カオナビ before.
const PEOPLE: usize = 40;
const HIRES: usize = 10;
/// What happens in one play.
const ACTS: usize = 70;

/// A log that does not take everything: before it is written, or without saying that it was.
struct Unsure {
    log: EmbeddedWriter,
    random: Mutex<StdRng>,
    /// Of a hundred appends so many go wrong.
    percent: AtomicU32,
    struck: AtomicU32,
}

#[async_trait::async_trait]
impl LogWriter for Unsure {
    async fn append(&self, records: Vec<NewRecord>, deadline: Duration) -> Result<(), LogError> {
        let (wrong, written) = {
            let mut random = self.random.lock().unwrap();
            (random.random_range(0..100) < self.percent.load(Ordering::SeqCst), random.random_bool(0.5))
        };
        if !wrong {
            return self.log.append(records, deadline).await;
        }
        self.struck.fetch_add(1, Ordering::SeqCst);
        if written {
            self.log.append(records, deadline).await?;
        }
        Err(LogError::Deadline)
    }

    async fn reachable(&self) -> bool {
        true
    }

    async fn flush(&self, _: Duration) -> usize {
        0
    }
}

/// What struck and was done, over all plays: a fault that meets nothing shows nothing.
type Done = BTreeMap<&'static str, u32>;

struct Play {
    source: Source,
    log: Arc<Unsure>,
    random: StdRng,
    /// Webhooks on their way.
    webhooks: Vec<(Millis, EmployeeEvent)>,
    /// 生年月日 by person, as the source has it; whoever is not in it was not changed.
    truth: BTreeMap<usize, String>,
    edits: usize,
    /// When a pause had answered, until it was taken back.
    off: Vec<(Millis, Millis)>,
    names: usize,
    done: Done,
}

impl Play {
    async fn begin(seed: u64) -> Self {
        let mut company = sample::company("a");
        company.members = (HIRES..PEOPLE).map(|index| member(index, "古い 名前")).collect();
        let mut world = World::new(seed, vec![company], seeded_latency(seed, 20, 300, 2, 4_000)).await;
        world.link(link("c1", "a")).await;
        world.run_for(SECOND * 65).await;
        let mut source = Source::beside(world);
        source.give_feed("c1", true).await;
        let log = Arc::new(Unsure {
            log: source.world.log.clone(),
            random: Mutex::new(StdRng::seed_from_u64(!seed)),
            percent: AtomicU32::new(0),
            struck: AtomicU32::new(0),
        });
        source.processes.clear();
        source.start("s1", log.clone());
        // The first file of a connection is a baseline: somebody who is never written for it.
        let connection = source.world.connection("c1").await;
        let received_at = source.world.now().timestamp();
        let text = "社員番号,従業員ステータス,状況,姓,名\nE09999,在籍,データ入力完了,髙橋,花子\n";
        let file = File::read(text.as_bytes(), &Columns::default(), received_at).unwrap();
        let uploader = Uploader { store: &source.world.store, log: &source.world.log, random: &|| 7, actor: "command" };
        let options = Options { mode: Some(Mode::Baseline), constants: Constants::default(), dry_run: false };
        uploader.take(&connection, file, &options, received_at).await.unwrap();
        source.world.look_at_the_log();
        Self {
            source,
            log,
            random: StdRng::seed_from_u64(seed),
            webhooks: Vec::new(),
            truth: BTreeMap::new(),
            edits: 0,
            off: Vec::new(),
            names: 1,
            done: Done::new(),
        }
    }

    fn count(&mut self, what: &'static str) {
        *self.done.entry(what).or_default() += 1;
    }

    fn now(&self) -> Millis {
        self.source.world.now()
    }

    /// Lets a while pass, in which webhooks arrive.
    async fn pass(&mut self, length: Duration) {
        let until = self.now() + length;
        loop {
            self.webhooks.sort_by_key(|(due, _)| *due);
            if self.webhooks.first().is_none_or(|(due, _)| *due > until) {
                break;
            }
            let (due, event) = self.webhooks.remove(0);
            self.source.run_until(due.max(self.now())).await;
            self.source.world.append(vec![event]).await;
        }
        self.source.run_until(until).await;
    }

    /// Somebody is hired or changed at the source; its webhook has its own fate.
    async fn edit(&mut self) {
        let index = self.random.random_range(0..PEOPLE);
        // No two changes give the same value.
        let days = i64::try_from(self.edits).unwrap();
        let birthday = jiff::civil::date(1950, 1, 1).saturating_add(jiff::Span::new().days(days)).to_string();
        self.edits += 1;
        let at = self.now();
        self.source.edit("c1", index, json!({ "birthday": birthday })).await;
        let event = self.source.world.event("c1", record(json!({ "birthday": birthday }), index, at));
        self.truth.insert(index, birthday);
        let late = Duration::from_secs(self.random.random_range(1..2400));
        match self.random.random_range(0..10) {
            0..4 => self.count("webhook lost"),
            4..7 => self.webhooks.push((at, event)),
            7..9 => {
                self.count("webhook late");
                self.webhooks.push((at + late, event));
            }
            _ => {
                self.count("webhook twice");
                self.webhooks.extend([(at, event.clone()), (at + late, event)]);
            }
        }
    }

    /// Somebody takes a list out of the source and uploads it: of those who were changed, with or without their ids.
    async fn upload(&mut self) {
        if self.truth.is_empty() {
            return;
        }
        let with_ids = self.random.random_bool(0.5);
        self.count(if with_ids { "file with ids" } else { "file without ids" });
        // As long as nobody has told of a person, a row without an id is somebody with the number for an id.
        let mut text = String::from(if with_ids { "従業員ID," } else { "" });
        text.push_str("社員番号,従業員ステータス,状況,姓,名,姓(ヨミガナ),名(ヨミガナ),性別,生年月日,入社日\n");
        for (index, birthday) in &self.truth {
            if with_ids {
                text.push_str(&format!("rm_{index:05},"));
            }
            text.push_str(&format!(
                "E{index:05},在籍,データ入力完了,髙橋,花子{index},タカハシ,ハナコ,女性,{birthday},2026-04-01\n"
            ));
        }
        let connection = self.source.world.connection("c1").await;
        let received_at = self.now().timestamp();
        let file = File::read(text.as_bytes(), &Columns::default(), received_at).unwrap();
        let uploader =
            Uploader { store: &self.source.world.store, log: self.log.as_ref(), random: &|| 7, actor: "command" };
        let options = Options { mode: Some(Mode::Send), constants: Constants::default(), dry_run: false };
        match uploader.take(&connection, file, &options, received_at).await {
            Ok(report) => {
                assert_eq!(report.errors, 0);
                self.count("file taken");
            }
            Err(error) if !matches!(error, UploadError::Log(_)) => panic!("{error}"),
            Err(_) => self.count("file cut off"),
        }
        self.source.world.look_at_the_log();
    }

    async fn break_the_feed(&mut self) {
        let now = self.now();
        let minutes = self.random.random_range(1..40);
        let faults = match self.random.random_range(0..6) {
            0 => Faults { unavailable_until: Some(now + MINUTE * minutes), ..Faults::default() },
            1 => Faults { errors_500: 3, ..Faults::default() },
            2 => Faults { resets: 3, ..Faults::default() },
            3 => Faults { html_pages: 2, empty_bodies: 1, ..Faults::default() },
            4 => Faults { cut_bodies: 2, ..Faults::default() },
            _ => Faults { expired_cursors: 1, short_pages: 5, ..Faults::default() },
        };
        self.source.company("c1", |company| *company.faults_mut() = faults).await;
        self.count("feed");
    }

    async fn act(&mut self) {
        match self.random.random_range(0..100) {
            0..56 => self.edit().await,
            56..63 => self.upload().await,
            63..71 => self.break_the_feed().await,
            71..77 => {
                let percent = self.random.random_range(0..60);
                self.log.percent.store(percent, Ordering::SeqCst);
            }
            77..85 => {
                // One sweeper is never heard of again, or a second one comes.
                self.names += 1;
                if self.random.random_bool(0.7) {
                    let dead = self.source.processes.remove(0);
                    // Perhaps between the page that it has read and the next one.
                    let _ = dead.sweeper.step(&dead.context).await;
                    self.source.world.look_at_the_log();
                    self.count("sweeper died");
                }
                self.source.start(&format!("s{}", self.names), self.log.clone());
            }
            85..92 => {
                let last = self.source.world.workers.len() - 1;
                self.source.world.kill_after(last, self.random.random_range(1..80));
                self.pass(SECOND * 40).await;
                self.source.world.kill(last);
                self.names += 1;
                self.source.world.start_worker(&format!("w{}", self.names));
                self.count("worker died");
            }
            _ => self.turn().await,
        }
    }

    /// Off, or on again.
    async fn turn(&mut self) {
        let (store, clock) = (self.source.world.store.clone(), self.source.world.clock.clone());
        if let Some(last) = self.off.last_mut().filter(|(_, to)| *to == Millis::NEVER) {
            last.1 = self.source.world.now();
            commands::resume(&store, "c1", "test").await.unwrap();
            self.source.world.wake_all();
            return;
        }
        let pausing = async { commands::pause(&store, clock.as_ref(), "c1", "test").await.unwrap() };
        self.source.world.run_with(pausing).await;
        self.off.push((self.now(), Millis::NEVER));
        self.count("pause");
    }

    /// Everything works again, and three sweeps later it is quiet.
    async fn end(&mut self) {
        self.log.percent.store(0, Ordering::SeqCst);
        self.source.company("c1", |company| *company.faults_mut() = Faults::default()).await;
        if self.off.last().is_some_and(|(_, to)| *to == Millis::NEVER) {
            self.turn().await;
        }
        self.pass(MINUTE * 50).await;
        self.source.world.drain("c1", MINUTE * 60).await;
    }
}

/// Plays a seed, and says what is not as it must be.
async fn judge(seed: u64, done: &mut Done) -> Vec<String> {
    let mut play = Play::begin(seed).await;
    for _ in 0..ACTS {
        let wait = Duration::from_millis(play.random.random_range(1_000..400_000));
        play.pass(wait).await;
        play.act().await;
    }
    play.end().await;
    play.done.insert("log", play.log.struck.load(Ordering::SeqCst));
    for (what, count) in &play.done {
        *done.entry(what).or_default() += count;
    }
    let mut wrong = Vec::new();
    let world = &play.source.world;
    let (members, accepted) = world
        .company("a", |company| {
            let held = |member: &renkei_sandbox::kaonavi::Member| member.get(TextField::Birthday).to_owned();
            let members: BTreeMap<String, String> =
                company.members().iter().map(|(code, member)| (code.clone(), held(member))).collect();
            let accepted: Vec<_> = company.log().rows().map(|row| (row.at, row.create, row.code.clone())).collect();
            (members, accepted)
        })
        .await;
    let code = |index: usize| format!("E{index:05}");
    for (index, birthday) in &play.truth {
        match members.get(&code(*index)) {
            Some(held) if held == birthday => {}
            held => wrong.push(format!("lost: {} is {held:?} and not {birthday}", code(*index))),
        }
    }
    let asked: BTreeSet<String> = play.truth.keys().map(|index| code(*index)).collect();
    wrong.extend(accepted.iter().filter(|row| !asked.contains(&row.2)).map(|row| format!("unasked: {}", row.2)));
    let mut created: BTreeMap<&str, usize> = BTreeMap::new();
    for (_, _, code) in accepted.iter().filter(|row| row.1) {
        *created.entry(code).or_default() += 1;
    }
    wrong.extend(
        created.iter().filter(|(_, times)| **times > 1).map(|(code, times)| format!("doubled: {code} {times}")),
    );
    for (at, _, code) in &accepted {
        if play.off.iter().any(|(from, to)| at > from && at < to) {
            wrong.push(format!("i6: {code} was written while it was off"));
        }
    }
    for state in [RowState::Due, RowState::Flying, RowState::Parked, RowState::Held] {
        let count = world.count("c1", state).await;
        if count > 0 {
            wrong.push(format!("unfinished: {count} are {}", state.as_str()));
        }
    }
    wrong.into_iter().map(|what| format!("seed {seed}: {what}")).collect()
}

async fn judge_all(seeds: std::ops::Range<u64>) {
    let (mut done, mut wrong) = (Done::new(), Vec::new());
    for seed in seeds {
        wrong.extend(judge(seed, &mut done).await);
    }
    println!("{done:?}");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    for what in [
        "webhook lost",
        "webhook late",
        "webhook twice",
        "file with ids",
        "file without ids",
        "file taken",
        "file cut off",
        "feed",
        "log",
        "sweeper died",
        "worker died",
        "pause",
    ] {
        assert!(done.get(what).is_some_and(|count| *count > 0), "{what} never");
    }
}

#[tokio::test]
async fn i1_i6_webhooks_sweeps_and_files_together_lose_and_double_nothing() {
    judge_all(0..12).await;
}

#[tokio::test]
#[ignore = "prove: longer"]
async fn prove_i1_i6_webhooks_sweeps_and_files_together_lose_and_double_nothing() {
    judge_all(100..300).await;
}
