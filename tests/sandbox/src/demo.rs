//! A company to show Renkei with: the members that カオナビ holds beforehand, the webhooks that ロウムメイト sends, and,
//! worked out by rule and not by any product code, the members that must be there in the end.

pub mod attendance;
mod check;
mod names;
mod people;

use std::collections::BTreeMap;

use jiff::Timestamp;
use rand::rngs::StdRng;
use rand::seq::SliceRandom as _;
use rand::{Rng as _, SeedableRng as _};
use serde_json::Value;

use crate::send;
use people::Person;

pub use check::differences;

/// One webhook request.
#[derive(Clone)]
pub struct Delivery {
    /// The `webhook-id`; a resend has that of the first.
    pub webhook_id: String,
    /// The exact body.
    pub body: Vec<u8>,
    /// How many records it carries.
    pub records: usize,
    /// Whether the same request was sent before.
    pub resend: bool,
    /// The numbers of eligible people in it.
    pub codes: Vec<String>,
}

impl std::fmt::Debug for Delivery {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Delivery")
            .field("webhook_id", &self.webhook_id)
            .field("records", &self.records)
            .finish_non_exhaustive()
    }
}

/// A member as it must be in the end. Empty is unset.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Expected {
    /// 氏名
    pub name: String,
    /// フリガナ
    pub name_kana: String,
    /// 性別
    pub gender: String,
    /// 生年月日
    pub birthday: String,
    /// 入社日
    pub entered_date: String,
    /// メールアドレス: never sent, so as it was.
    pub mail: String,
    /// 所属コード: never sent, so as it was.
    pub department: String,
}

impl std::fmt::Debug for Expected {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Expected(redacted)")
    }
}

/// Why somebody is not sent, in the product's words for it.
pub type SkipReason = &'static str;

/// The demonstration.
#[derive(Debug, Clone)]
pub struct Demo {
    /// Members of カオナビ before the first webhook, as rows of a write.
    pub existing: Vec<Value>,
    /// The requests, in the order of sending. Any order must come to the same end.
    pub deliveries: Vec<Delivery>,
    /// The members in the end, by 社員番号.
    pub expected: BTreeMap<String, Expected>,
    /// Who is not sent, by 従業員ID, and why.
    pub skipped: BTreeMap<String, SkipReason>,
    /// How many members must have been created.
    pub created: usize,
    /// How many members, there before, must have changed.
    pub changed: usize,
}

/// The webhooks of `n` employees and what must come of them. `now` is the time of the first sending: nothing is dated
/// later, and everything within the two hours before.
#[must_use]
pub fn employees(n: usize, seed: u64, now: Timestamp) -> Demo {
    let mut random = StdRng::seed_from_u64(seed);
    let people: Vec<Person> = (0..n).map(|index| people::person(index, &mut random, now)).collect();
    let bystanders: Vec<Person> = (0..n.div_ceil(10)).map(|index| people::bystander(index, &mut random, now)).collect();
    let mut demo = Demo {
        existing: Vec::new(),
        deliveries: Vec::new(),
        expected: BTreeMap::new(),
        skipped: BTreeMap::new(),
        created: 0,
        changed: 0,
    };
    for person in people.iter().chain(&bystanders) {
        demo.existing.extend(person.existing.clone());
        if let Some((code, expected)) = &person.expected {
            demo.expected.insert(code.clone(), expected.clone());
        }
        if let Some(reason) = person.skipped {
            demo.skipped.insert(person.id.clone(), reason);
        }
        demo.created += usize::from(person.is_created());
        demo.changed += usize::from(person.is_changed());
    }
    demo.existing.shuffle(&mut random);
    demo.deliveries = deliveries(people, bystanders, &mut random, now);
    demo
}

/// The requests: each person's in their own order, the people mixed, some in batches, some sent twice.
fn deliveries(people: Vec<Person>, bystanders: Vec<Person>, random: &mut StdRng, now: Timestamp) -> Vec<Delivery> {
    let timestamp = now.to_string();
    let mut mixed: Vec<Delivery> = Vec::new();
    let (batched, alone): (Vec<Person>, Vec<Person>) =
        people.into_iter().chain(bystanders).partition(|person| person.in_batch);
    for (number, part) in batched.chunks(10).enumerate() {
        let records: Vec<Value> =
            part.iter().flat_map(|person| &person.events).map(|(_, record)| record.clone()).collect();
        mixed.push(Delivery {
            webhook_id: format!("msg_batch_{number:04}"),
            body: send::body("employee.updated", &timestamp, &records),
            records: records.len(),
            resend: false,
            codes: part.iter().filter_map(Person::sent_code).collect(),
        });
    }
    let mut turns: Vec<usize> =
        alone.iter().enumerate().flat_map(|(index, person)| vec![index; person.events.len()]).collect();
    turns.shuffle(random);
    let mut done = vec![0_usize; alone.len()];
    for index in turns {
        let person = &alone[index];
        let Some((kind, record)) = person.events.get(done[index]) else { continue };
        done[index] += 1;
        mixed.push(Delivery {
            webhook_id: format!("msg_{}_{:02}", person.id, done[index]),
            body: send::body(kind, &timestamp, std::slice::from_ref(record)),
            records: 1,
            resend: false,
            codes: person.sent_code().into_iter().collect(),
        });
    }
    // Every twelfth request comes again, somewhere behind the first.
    let again: Vec<Delivery> = mixed.iter().step_by(12).cloned().collect();
    for delivery in again {
        let first = mixed.iter().position(|other| other.webhook_id == delivery.webhook_id).unwrap_or(0);
        let place = random.random_range(first + 1..=mixed.len());
        mixed.insert(place, Delivery { resend: true, ..delivery });
    }
    mixed
}
