//! People with numbers that a person has to decide about. They are apart from all others: nobody else has their numbers.

use rand::Rng;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use serde_json::{Value, json};

use super::{Action, Flavor, Further, Said, Sent, Timed, What, code};

const SECOND: i64 = 1000;
const MINUTE: i64 = 60 * SECOND;
const HOUR: i64 = 60 * MINUTE;
/// The first of them.
const FIRST: usize = 2501;

/// Why a number is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Doubt {
    /// カオナビ has a member whose number a person could take for it.
    Near,
    /// A member of カオナビ has it, of whom nobody told, with another name and another 入社日.
    Reused,
    /// The person was sent with another number before.
    Changed,
}

impl Doubt {
    /// The code under which the person waits.
    #[must_use]
    pub fn reason(self) -> &'static str {
        match self {
            Self::Near => "member.near_miss",
            Self::Reused => "member.number_reused",
            Self::Changed => "member.number_changed",
        }
    }
}

/// Somebody whose number is held until a person decides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Numbered {
    /// Who.
    pub person: usize,
    /// Why.
    pub doubt: Doubt,
    /// The number that is held.
    pub number: String,
    /// The number before it, of somebody whose number changes.
    pub before: Option<String>,
    /// When it comes, in milliseconds from the start of the play.
    pub from: i64,
}

/// 氏名 of members of whom nobody told.
pub const STRANGER: &str = "田中 一郎";

impl Numbered {
    /// The member that has the number in カオナビ from the start, if one has.
    #[must_use]
    pub fn stranger(&self) -> Option<Value> {
        (self.doubt == Doubt::Reused).then(|| {
            json!({ "code": self.number, "name": STRANGER, "name_kana": "タナカ イチロウ", "gender": "男性",
                "birthday": "1980-01-01", "entered_date": "2019-10-01" })
        })
    }
}

/// Who they are, and what happens to them. Not where a person may be set aside by a fault, or where it is judged how long hires
/// wait.
pub(super) fn draw(random: &mut StdRng, flavor: Flavor, further: Further, length: i64) -> (Vec<Numbered>, Vec<Timed>) {
    let (mut people, mut actions) = (Vec::new(), Vec::new());
    if flavor.is_calm() || flavor.faults || flavor.mass || further.holds || random.random_bool(0.5) {
        return (people, actions);
    }
    let mut events = 5_000_000;
    for index in 0..random.random_range(2..6) {
        let person = FIRST + index;
        let at = random.random_range(0..length - 3 * HOUR);
        let doubt = *[Doubt::Near, Doubt::Reused, Doubt::Changed].choose(random).unwrap();
        let (number, before) = match doubt {
            // Each near another member: of two near ones the second would be held for the first.
            Doubt::Near if random.random_bool(0.5) => (code(1 + index).to_lowercase(), None),
            Doubt::Near => (code(1 + index).replace('E', "Ｅ"), None),
            Doubt::Reused => (format!("R{person:05}"), None),
            Doubt::Changed => (format!("M{person:05}"), Some(format!("N{person:05}"))),
        };
        let mut send = |at: i64, number: &str, first: Option<String>| {
            events += 1;
            let usual = Said { number: Some(number.to_owned()), ..Said::usual(person) };
            let said = Said { first: first.unwrap_or(usual.first.clone()), ..usual };
            let sent = Sent { person, event: events, version: at, what: What::State(Box::new(said)) };
            actions.push(Timed { at, what: Action::Send(vec![sent]) });
        };
        let mut from = at;
        if let Some(before) = &before {
            send(at, before, None);
            from += random.random_range(90 * MINUTE..150 * MINUTE);
        }
        send(from, &number, None);
        if random.random_bool(0.4) {
            let first = format!("改{}", random.random_range(0..3));
            send(from + random.random_range(SECOND..2 * HOUR), &number, Some(first));
        }
        if random.random_bool(0.6) {
            let at = from + random.random_range(30 * SECOND..2 * HOUR);
            actions.push(Timed { at, what: Action::Release(person) });
        }
        people.push(Numbered { person, doubt, number, before, from });
    }
    (people, actions)
}
