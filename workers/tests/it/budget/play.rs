//! The play: arrivals, ways there and back, and カオナビ's limit against a policy.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, VecDeque};
use std::num::NonZeroU32;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use governor::clock::FakeRelativeClock;
use governor::{Quota, RateLimiter};
use renkei_runtime::clock::Millis;
use renkei_sandbox::kaonavi::{Kaonavi, SimRequest, SimResponse, sample};
use renkei_store::calls::{CallKind, SLOT_HOLD, Slot, UPDATE_SLOTS};
use renkei_workers::members::budget::{Budget, Want};
use serde_json::{Value, json};

/// Calls of a minute that カオナビ takes, and the minute.
pub const MINUTE: i64 = 60_000;
/// How many people one call carries at most.
pub const BATCH: usize = 200;
/// From the reservation to the moment when a call without an answer has certainly ended, in milliseconds.
pub const GIVES_UP: i64 = 32_000;

// ---- カオナビ ----

/// The simulator behind one token, told the time of each arrival.
pub struct Server {
    kaonavi: Kaonavi,
    token: String,
    next: usize,
    token_until: i64,
}

impl Server {
    pub fn new() -> Self {
        let mut kaonavi = Kaonavi::new();
        kaonavi.add(sample::company("a")).unwrap();
        Self { kaonavi, token: String::new(), next: 0, token_until: i64::MIN }
    }

    fn fetch_token(&mut self, at: i64) {
        let mut request = SimRequest::new("POST", "/api/v2.0/token");
        request.headers = vec![
            ("Authorization".to_owned(), format!("Basic {}", STANDARD.encode("key-a:secret-a"))),
            ("Content-Type".to_owned(), "application/x-www-form-urlencoded".to_owned()),
        ];
        request.body = b"grant_type=client_credentials".to_vec();
        let SimResponse::Answer(answer) = self.kaonavi.handle(Millis(at), request) else { panic!("no token") };
        let answer: Value = serde_json::from_slice(&answer.body).unwrap();
        self.token = answer["access_token"].as_str().unwrap().to_owned();
        self.token_until = at + 3_500_000;
    }

    /// An update call arrives; answers the status.
    pub fn arrive(&mut self, at: i64) -> u16 {
        if at >= self.token_until {
            self.fetch_token(at);
        }
        self.next += 1;
        let mut request = SimRequest::new("POST", "/api/v2.0/members");
        request.headers = vec![
            ("Kaonavi-Token".to_owned(), self.token.clone()),
            ("Content-Type".to_owned(), "application/json".to_owned()),
        ];
        let row = json!({ "member_data": [{ "code": format!("E{}", self.next), "name": "髙橋 花子" }] });
        request.body = row.to_string().into_bytes();
        match self.kaonavi.handle(Millis(at), request) {
            SimResponse::Answer(answer) => answer.status,
            SimResponse::Reset { .. } => 0,
        }
    }
}

// ---- policies ----

/// Says whether a call may be reserved now, otherwise when to ask again.
pub trait Policy {
    fn ask(&mut self, budget: &Budget, want: Want, now: i64) -> Result<(), i64>;
}

/// Ours.
pub struct Real;

impl Policy for Real {
    fn ask(&mut self, budget: &Budget, want: Want, now: i64) -> Result<(), i64> {
        budget.ask(want, Millis(now)).map_err(|at| at.0)
    }
}

/// Five calls in the last minute, counted from the send.
#[derive(Default)]
pub struct FromTheSend(VecDeque<i64>);

impl Policy for FromTheSend {
    fn ask(&mut self, _: &Budget, _: Want, now: i64) -> Result<(), i64> {
        self.0.retain(|sent| now - sent < MINUTE);
        if self.0.len() < UPDATE_SLOTS {
            self.0.push_back(now);
            return Ok(());
        }
        Err(self.0[0] + MINUTE)
    }
}

/// A leaky bucket: one call each twelve seconds, five at once.
pub struct Gcra {
    clock: FakeRelativeClock,
    limiter: RateLimiter<
        governor::state::NotKeyed,
        governor::state::InMemoryState,
        FakeRelativeClock,
        governor::middleware::NoOpMiddleware<governor::nanos::Nanos>,
    >,
    at: i64,
}

impl Gcra {
    pub fn new() -> Self {
        let five = NonZeroU32::new(5).unwrap();
        let clock = FakeRelativeClock::default();
        let quota = Quota::per_minute(five).allow_burst(five);
        Self { limiter: RateLimiter::direct_with_clock(quota, clock.clone()), clock, at: 0 }
    }
}

impl Policy for Gcra {
    fn ask(&mut self, _: &Budget, _: Want, now: i64) -> Result<(), i64> {
        self.clock.advance(Duration::from_millis(u64::try_from(now - self.at).unwrap()));
        self.at = now;
        self.limiter.check().map_err(|_| now + 100)
    }
}

// ---- the play ----

/// What happens to one call on its way, in milliseconds. `back: None`: the answer never comes.
#[derive(Debug, Clone, Copy)]
pub struct Trip {
    pub there: i64,
    pub back: Option<i64>,
}

/// Who comes when, in milliseconds, each list rising.
#[derive(Default)]
pub struct Demand {
    pub hires: Vec<i64>,
    pub updates: Vec<i64>,
    pub repairs: Vec<i64>,
}

/// What came of a play.
#[derive(Default)]
pub struct Played {
    pub calls: BTreeMap<&'static str, usize>,
    pub sent: BTreeMap<&'static str, Vec<i64>>,
    pub waits: BTreeMap<&'static str, Vec<i64>>,
    pub arrivals: Vec<Millis>,
    pub refused: usize,
    pub most_taken: usize,
    pub drained: Option<i64>,
}

impl Played {
    pub fn longest(&self, kind: &str) -> i64 {
        self.waits.get(kind).and_then(|waits| waits.iter().max()).copied().unwrap_or(0)
    }
    pub fn calls(&self, kind: &str) -> usize {
        self.calls.get(kind).copied().unwrap_or(0)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Happening {
    Arrive(usize),
    Answer(usize),
}

pub struct Play<'a> {
    policy: &'a mut dyn Policy,
    trips: &'a mut dyn FnMut() -> Trip,
    server: Server,
    /// One a call, in the order of the calls.
    slots: Vec<Slot>,
    last_post: Option<Millis>,
    last_patch: Option<Millis>,
    queues: BTreeMap<&'static str, VecDeque<i64>>,
    ahead: BinaryHeap<Reverse<(i64, Happening)>>,
    statuses: Vec<u16>,
    blocked_until: i64,
    played: Played,
}

pub fn play(demand: Demand, policy: &mut dyn Policy, trips: &mut dyn FnMut() -> Trip, until: i64) -> Played {
    let mut arrivals: BTreeMap<&'static str, VecDeque<i64>> =
        [("hire", demand.hires.into()), ("update", demand.updates.into()), ("repair", demand.repairs.into())].into();
    let mut play = Play {
        policy,
        trips,
        server: Server::new(),
        slots: Vec::new(),
        last_post: None,
        last_patch: None,
        queues: arrivals.keys().map(|kind| (*kind, VecDeque::new())).collect(),
        ahead: BinaryHeap::new(),
        statuses: Vec::new(),
        blocked_until: i64::MIN,
        played: Played::default(),
    };
    let mut now = 0;
    while now < until {
        for (kind, coming) in &mut arrivals {
            while coming.front().is_some_and(|at| *at <= now) {
                play.queues.get_mut(kind).unwrap().extend(coming.pop_front());
            }
        }
        play.happen(now);
        let again = play.send(now);
        let empty = play.queues.values().all(VecDeque::is_empty) && arrivals.values().all(VecDeque::is_empty);
        if empty {
            play.played.drained.get_or_insert(now);
            if play.ahead.is_empty() {
                break;
            }
        }
        let next = arrivals.values().filter_map(|coming| coming.front().copied()).min();
        let ahead = play.ahead.peek().map(|Reverse((at, _))| *at);
        let next = [next, ahead, again].into_iter().flatten().min().unwrap_or(until);
        assert!(next > now, "time stands still at {now}");
        now = next;
    }
    play.played
}

impl Play<'_> {
    fn happen(&mut self, now: i64) {
        while let Some(Reverse((at, what))) = self.ahead.peek().copied() {
            if at > now {
                break;
            }
            self.ahead.pop();
            match what {
                Happening::Arrive(call) => {
                    self.played.arrivals.push(Millis(at));
                    self.statuses[call] = self.server.arrive(at);
                }
                Happening::Answer(call) => {
                    self.slots[call].answered = true;
                    self.slots[call].frees = Millis(now) + SLOT_HOLD;
                    if self.statuses[call] == 429 {
                        self.played.refused += 1;
                        self.blocked_until = now + MINUTE;
                    }
                }
            }
        }
    }

    /// What the store would answer.
    fn budget(&self, now: i64) -> Budget {
        let taken = self.slots.iter().rev().take(20).filter(|slot| slot.frees > Millis(now));
        Budget { slots: taken.copied().collect(), last_post: self.last_post, last_patch: self.last_patch }
    }

    /// Sends all that may go now; answers when to ask again if nothing happens.
    fn send(&mut self, now: i64) -> Option<i64> {
        if now < self.blocked_until {
            return Some(self.blocked_until);
        }
        'next: loop {
            let mut again: Option<i64> = None;
            let updates_wait = !self.queues["update"].is_empty();
            for (kind, want) in
                [("hire", Want::Post { updates_wait }), ("repair", Want::Repair), ("update", Want::Patch)]
            {
                if self.queues[kind].is_empty() {
                    continue;
                }
                let budget = self.budget(now);
                match self.policy.ask(&budget, want, now) {
                    Ok(()) => {
                        self.call(kind, now);
                        continue 'next;
                    }
                    Err(at) => {
                        assert!(at > now, "asked to come back in the past");
                        again = Some(again.map_or(at, |known| known.min(at)));
                    }
                }
            }
            return again;
        }
    }

    fn call(&mut self, kind: &'static str, now: i64) {
        let call = self.slots.len();
        let trip = (self.trips)();
        let stored = match kind {
            "hire" => CallKind::Create,
            "update" => CallKind::Update,
            _ => CallKind::Repair,
        };
        let frees = Millis(now + GIVES_UP) + SLOT_HOLD;
        self.slots.push(Slot { kind: stored, reserved: Millis(now), frees, answered: false });
        self.statuses.push(0);
        match kind {
            "hire" => self.last_post = Some(Millis(now)),
            "update" => self.last_patch = Some(Millis(now)),
            _ => {}
        }
        let taken = self.budget(now).slots.len();
        self.played.most_taken = self.played.most_taken.max(taken);
        *self.played.calls.entry(kind).or_default() += 1;
        self.played.sent.entry(kind).or_default().push(now);
        self.ahead.push(Reverse((now + trip.there, Happening::Arrive(call))));
        if let Some(back) = trip.back {
            self.ahead.push(Reverse((now + trip.there + back, Happening::Answer(call))));
        }
        let people = if kind == "repair" { 1 } else { BATCH };
        let queue = self.queues.get_mut(kind).unwrap();
        for _ in 0..people.min(queue.len()) {
            self.played.waits.entry(kind).or_default().extend(queue.pop_front().map(|came| now - came));
        }
    }
}
