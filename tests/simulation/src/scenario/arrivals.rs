//! What the source sends: hires, edits, resends, what comes late.

use std::collections::BTreeMap;

use rand::Rng;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;

use super::{Action, Said, Sent, Timed, What};

const MINUTE: i64 = 60_000;

/// The source, as it changes.
pub(super) struct Source<'a> {
    pub(super) random: &'a mut StdRng,
    /// What was sent last of each person, by version.
    known: BTreeMap<usize, (Said, i64)>,
    sent: Vec<Sent>,
    events: u64,
    next_hire: usize,
    members: usize,
    pub(super) actions: Vec<Timed>,
}

impl<'a> Source<'a> {
    pub(super) fn new(random: &'a mut StdRng, members: usize) -> Self {
        let known = (1..=members).map(|person| (person, (Said::usual(person), -5 * MINUTE))).collect();
        Self { random, known, sent: Vec::new(), events: 0, next_hire: 1001, members, actions: Vec::new() }
    }

    fn event(&mut self, person: usize, version: i64, what: What) -> Sent {
        self.events += 1;
        Sent { person, event: self.events, version, what }
    }

    fn send(&mut self, at: i64, sent: Vec<Sent>) {
        self.sent.extend(sent.iter().cloned());
        self.actions.push(Timed { at, what: Action::Send(sent) });
    }

    fn state(&mut self, at: i64, person: usize, said: Said) -> Sent {
        self.known.insert(person, (said.clone(), at));
        self.event(person, at, What::State(Box::new(said)))
    }

    fn somebody(&mut self) -> usize {
        let known: Vec<usize> = self.known.keys().copied().collect();
        *known.choose(self.random).unwrap()
    }

    /// The same person with one thing changed. Few values, so that people often go back to what カオナビ holds.
    fn edited(&mut self, person: usize) -> Said {
        let (mut said, _) = self.known[&person].clone();
        let hire = person > self.members;
        match self.random.random_range(0..14) {
            0..4 => said.first = format!("花子{}", self.random.random_range(0..4)),
            4 => {
                said.kana = Some(("タカハシ".to_owned(), ["ハナコ", "ハナヨ"].choose(self.random).unwrap().to_string()))
            }
            5 => said.kana = None,
            6 => said.gender = [None, Some("男性"), Some("女性")].choose(self.random).unwrap().map(str::to_owned),
            7 => {
                said.birthday =
                    [None, Some("1990-02-28"), Some("1991-01-01")].choose(self.random).unwrap().map(str::to_owned)
            }
            // Another name and another 入社日 is another person to whom the number was given.
            8 if hire => said.hired = Some(format!("2026-04-{:02}", self.random.random_range(1..4))),
            9 => {
                let names = [None, Some(("高橋ハナ", None)), Some(("高橋ハナ", Some("タカハシハナ")))];
                let name: Option<(&str, Option<&str>)> = *names.choose(self.random).unwrap();
                said.business = name.map(|(name, kana)| (name.to_owned(), kana.map(str::to_owned)));
            }
            10 | 11 => {
                said.employment =
                    [None, Some("正社員"), Some("契約社員")].choose(self.random).unwrap().map(str::to_owned)
            }
            12 => said.entry = ["データ入力完了", "データ入力中"].choose(self.random).unwrap().to_string(),
            _ if said.status == "在籍" => said.status = "休職".to_owned(),
            _ => said.status = "在籍".to_owned(),
        }
        said
    }

    pub(super) fn baseline(&mut self, people: usize) -> Vec<Sent> {
        let mut sent = Vec::new();
        for person in 1..=people.min(self.members) {
            let mut said = Said::usual(person);
            said.first = format!("基{person}");
            sent.push(self.state(-600_000, person, said));
        }
        // Nobody of them is a member: they would be registered if a baseline went out.
        for _ in 0..2 {
            let person = self.next_hire;
            self.next_hire += 1;
            self.events += 1;
            sent.push(Sent {
                person,
                event: self.events,
                version: -600_000,
                what: What::State(Box::new(Said::usual(person))),
            });
        }
        sent
    }

    /// So many people are hired at once.
    pub(super) fn hire(&mut self, at: i64, people: usize) {
        let mut sent = Vec::new();
        for _ in 0..people {
            let person = self.next_hire;
            self.next_hire += 1;
            sent.push(self.state(at, person, Said::usual(person)));
        }
        self.send(at, sent);
    }

    /// So many members change at once.
    pub(super) fn mass(&mut self, at: i64) {
        let sent = (1..=self.members).map(|person| {
            let mut said = self.known[&person].0.clone();
            said.first = format!("集{}", at / 1000 % 1000);
            self.state(at, person, said)
        });
        let sent = sent.collect::<Vec<_>>();
        self.send(at, sent);
    }

    /// A quarter of an hour in which hires and changes come all the time, so that every slot is wanted.
    pub(super) fn rush(&mut self, at: i64) {
        let mut now = at;
        while now < at + 15 * MINUTE {
            let people = self.random.random_range(1..3);
            self.hire(now, people);
            for _ in 0..self.random.random_range(0..4) {
                let person = self.somebody();
                let said = self.edited(person);
                let sent = self.state(now, person, said);
                self.send(now, vec![sent]);
            }
            now += self.random.random_range(500..9_000);
        }
    }

    /// Something happens at the source.
    pub(super) fn happen(&mut self, at: i64) {
        match self.random.random_range(0..100) {
            0..18 => {
                let people = *[1, 1, 1, 2, 3, 8].choose(self.random).unwrap();
                self.hire(at, people);
            }
            18..46 => {
                let people = self.random.random_range(1..4);
                let mut sent = Vec::new();
                for _ in 0..people {
                    let person = self.somebody();
                    let said = self.edited(person);
                    if !sent.iter().any(|one: &Sent| one.person == person) {
                        sent.push(self.state(at, person, said));
                    }
                }
                self.send(at, sent);
            }
            46..56 => self.quick(at),
            56..63 => self.there_and_back(at),
            63..70 => {
                if let Some(again) = self.sent.choose(self.random).cloned() {
                    self.actions.push(Timed { at, what: Action::Send(vec![again]) });
                }
            }
            70..76 => self.late(at),
            76..83 => self.equal(at),
            83..88 => self.applicant(at),
            88..93 => {
                let person = self.somebody();
                let mut said = self.known[&person].0.clone();
                said.status = "退職".to_owned();
                said.retired = Some("2026-05-31".to_owned());
                let sent = self.state(at, person, said);
                self.send(at, vec![sent]);
            }
            93..96 => {
                let person = self.somebody();
                let what = if self.random.random_bool(0.5) { What::Deleted } else { What::Invalid };
                self.known.get_mut(&person).unwrap().1 = at;
                let sent = self.event(person, at, what);
                self.send(at, vec![sent]);
            }
            _ => {
                // Everybody who is a member changes, a few seconds apart.
                for step in 0..self.random.random_range(5..15) {
                    let person = self.somebody();
                    let said = self.edited(person);
                    let sent = self.state(at + step * 3_000, person, said);
                    self.send(at + step * 3_000, vec![sent]);
                }
            }
        }
    }

    /// One person several times within seconds.
    fn quick(&mut self, at: i64) {
        let person = self.somebody();
        let mut at = at;
        for _ in 0..self.random.random_range(2..6) {
            let said = self.edited(person);
            let sent = self.state(at, person, said);
            self.send(at, vec![sent]);
            at += self.random.random_range(1..9_000);
        }
    }

    fn there_and_back(&mut self, at: i64) {
        let person = self.somebody();
        let before = self.known[&person].0.clone();
        let changed = self.edited(person);
        let there = self.state(at, person, changed);
        self.send(at, vec![there]);
        let later = at + self.random.random_range(1..30_000);
        let back = self.state(later, person, before);
        self.send(later, vec![back]);
    }

    /// An older version comes after a newer one.
    fn late(&mut self, at: i64) {
        let person = self.somebody();
        let older = self.edited(person);
        let version = self.known[&person].1 - self.random.random_range(1..MINUTE);
        let late = self.event(person, version, What::State(Box::new(older)));
        let newer = self.edited(person);
        let newer = self.state(at, person, newer);
        self.send(at, vec![newer]);
        let later = at + self.random.random_range(0..20_000);
        self.send(later, vec![late]);
    }

    /// Two contents with one version, and perhaps the first of them once more.
    fn equal(&mut self, at: i64) {
        let person = self.somebody();
        let one = self.edited(person);
        let one = self.state(at, person, one);
        let other = self.edited(person);
        let other = self.state(at, person, other);
        self.send(at, vec![one.clone()]);
        let later = at + self.random.random_range(0..20_000);
        self.send(later, vec![other]);
        if self.random.random_bool(0.6) {
            let later = later + self.random.random_range(0..60_000);
            self.actions.push(Timed { at: later, what: Action::Send(vec![one]) });
        }
    }

    /// Somebody applies and is hired later.
    fn applicant(&mut self, at: i64) {
        let person = self.next_hire;
        self.next_hire += 1;
        let mut said = Said { status: "応募者".to_owned(), ..Said::usual(person) };
        said.numbered = self.random.random_bool(0.7);
        let sent = self.event(person, at, What::State(Box::new(said)));
        self.send(at, vec![sent]);
        if self.random.random_bool(0.7) {
            let later = at + self.random.random_range(MINUTE..30 * MINUTE);
            let sent = self.state(later, person, Said::usual(person));
            self.send(later, vec![sent]);
        }
    }
}
