//! One person of the demonstration: what カオナビ holds, what ロウムメイト sends, and what must come of it.

use jiff::{SignedDuration, Timestamp};
use rand::Rng as _;
use rand::rngs::StdRng;
use serde_json::{Map, Value, json};

use super::names::{self, Part};
use super::{Expected, SkipReason};

/// One person.
pub(super) struct Person {
    pub(super) id: String,
    /// The member that カオナビ holds beforehand, as a row.
    pub(super) existing: Option<Value>,
    /// Type and record of each event, in the order of sending.
    pub(super) events: Vec<(&'static str, Value)>,
    pub(super) expected: Option<(String, Expected)>,
    pub(super) skipped: Option<SkipReason>,
    pub(super) in_batch: bool,
}

impl Person {
    pub(super) fn is_created(&self) -> bool {
        self.existing.is_none() && self.expected.is_some()
    }

    pub(super) fn is_changed(&self) -> bool {
        match (&self.existing, &self.expected) {
            (Some(existing), Some((_, expected))) => held(existing) != *expected,
            _ => false,
        }
    }

    /// The number under which this person is sent.
    pub(super) fn sent_code(&self) -> Option<String> {
        let sent = self.skipped.is_none() && !self.events.is_empty();
        self.expected.as_ref().filter(|_| sent).map(|(code, _)| code.clone())
    }
}

/// What a row of カオナビ holds.
fn held(row: &Value) -> Expected {
    let text = |pointer: &str| row.pointer(pointer).and_then(Value::as_str).unwrap_or("").to_owned();
    Expected {
        name: text("/name"),
        name_kana: text("/name_kana"),
        gender: text("/gender"),
        birthday: text("/birthday"),
        entered_date: text("/entered_date"),
        mail: text("/mail"),
        department: text("/department/code"),
    }
}

fn row(code: &str, expected: &Expected) -> Value {
    json!({
        "code": code,
        "name": expected.name,
        "name_kana": expected.name_kana,
        "gender": expected.gender,
        "birthday": expected.birthday,
        "entered_date": expected.entered_date,
        "mail": expected.mail,
        "department": { "code": expected.department },
    })
}

/// The facts of a person before any event is made of them.
struct Draft {
    index: usize,
    id: String,
    code: String,
    last: Part,
    first: Part,
    gender: &'static str,
    birthday: String,
    hire_date: String,
    business: Option<(Part, Part)>,
}

impl Draft {
    fn draw(index: usize, prefix: &str, random: &mut StdRng) -> Self {
        let gender = if random.random_bool(0.5) { "女性" } else { "男性" };
        let code = match index % 23 {
            5 => format!("00{prefix}{index:04}"),
            11 => format!("{prefix}-{index:04}-A"),
            _ => format!("{prefix}{index:04}"),
        };
        Self {
            index,
            id: format!("rm_{prefix}{index:05}"),
            code,
            last: names::last(random),
            first: names::first(random, gender),
            gender,
            birthday: date(random, 1965, 2004),
            hire_date: date(random, 2010, 2026),
            business: (index % 9 == 4).then(|| (names::last(random), names::first(random, gender))),
        }
    }

    fn legal_name(&self) -> String {
        format!("{} {}", self.last.0, self.first.0)
    }

    fn legal_kana(&self) -> String {
        format!("{} {}", self.last.1, self.first.1)
    }

    /// The member that a newcomer becomes.
    fn expected(&self) -> Expected {
        let mut expected = Expected {
            name: self.legal_name(),
            name_kana: self.legal_kana(),
            gender: self.gender.to_owned(),
            birthday: self.birthday.clone(),
            entered_date: self.hire_date.clone(),
            ..Expected::default()
        };
        if let Some((last, first)) = self.business {
            expected.name = format!("{} {}", last.0, first.0);
            // A business name without its reading hides the legal reading too.
            expected.name_kana =
                if self.has_business_kana() { format!("{} {}", last.1, first.1) } else { String::new() };
        } else if self.lacks_kana() {
            expected.name_kana.clear();
        }
        if self.lacks_gender() {
            expected.gender.clear();
        }
        expected
    }

    fn has_business_kana(&self) -> bool {
        !(self.index / 9).is_multiple_of(3)
    }

    fn lacks_kana(&self) -> bool {
        self.index % 19 == 3
    }

    fn lacks_gender(&self) -> bool {
        self.index % 17 == 2
    }

    /// The record as ロウムメイト sends it.
    fn record(&self, updated_at: Timestamp) -> Map<String, Value> {
        // Some sources send half-width katakana, some labels, some codes.
        let kana = |part: Part| if self.index % 7 == 1 { part.2 } else { part.1 };
        let mut record = Map::new();
        let mut set = |key: &str, value: &str| record.insert(key.to_owned(), json!(value));
        set("employee_id", &self.id);
        set("employee_number", &self.code);
        set("employee_status", ["active", "在籍", "休職", "内定", "出向中"][self.index % 5]);
        set("data_entry_state", ["completed", "データ入力完了"][self.index % 2]);
        set(
            "last_name",
            &if self.index % 13 == 6 { format!("{}\u{3000}", self.last.0) } else { self.last.0.to_owned() },
        );
        set("first_name", self.first.0);
        set("last_name_kana", kana(self.last));
        if !self.lacks_kana() {
            set("first_name_kana", kana(self.first));
        }
        if let Some((last, first)) = self.business {
            set("business_name", &format!("{} {}", last.0, first.0));
            if self.has_business_kana() {
                set("business_name_kana", &format!("{} {}", kana(last), kana(first)));
            }
        } else if self.index % 29 == 7 {
            set("business_name", "\u{3000} ");
        } else if self.index % 29 == 8 {
            set("business_name_kana", "ナナシ");
        }
        if !self.lacks_gender() {
            set("gender", self.gender);
        }
        set("birthday", &self.birthday);
        set("hire_date", &self.hire_date);
        set("employment_type", ["正社員", "契約社員", "パート・アルバイト"][self.index % 3]);
        set("email", &format!("{}@example.com", self.id));
        set("updated_at", &updated_at.to_string());
        record.insert("department".to_owned(), json!({ "code": "R900", "name": "人事部" }));
        record
    }

    /// The same record before the last change: another family name, no final date.
    fn earlier(&self, updated_at: Timestamp, random: &mut StdRng) -> Value {
        let mut record = self.record(updated_at);
        let other = names::another_last(random, self.last);
        record.insert("last_name".to_owned(), json!(other.0));
        record.insert("last_name_kana".to_owned(), json!(other.1));
        record.insert("birthday".to_owned(), json!("1999-12-31"));
        Value::Object(record)
    }
}

fn date(random: &mut StdRng, from: i32, to: i32) -> String {
    format!("{}-{:02}-{:02}", random.random_range(from..=to), random.random_range(1..=12), random.random_range(1..=28))
}

const CREATED: &str = "employee.created";
const UPDATED: &str = "employee.updated";
const STATUS: &str = "employee.status_changed";

/// The person with this index. Of twenty: two can not be sent, five are in カオナビ with other values, one with the same,
/// twelve are new.
pub(super) fn person(index: usize, random: &mut StdRng, now: Timestamp) -> Person {
    let draft = Draft::draw(index, "E", random);
    let newest = now - SignedDuration::from_secs(60 + i64::try_from(index % 3_600).unwrap_or(0));
    match index % 20 {
        9 | 19 => ineligible(draft, newest),
        2 | 6 | 10 | 14 | 18 => existing(draft, random, newest),
        12 => unchanged(draft, newest),
        _ => newcomer(draft, random, newest),
    }
}

fn newcomer(draft: Draft, random: &mut StdRng, newest: Timestamp) -> Person {
    let before = |minutes| newest - SignedDuration::from_mins(minutes);
    let last = Value::Object(draft.record(newest));
    let events = match draft.index % 10 {
        // Corrected after the first sending.
        1 => vec![(CREATED, draft.earlier(before(30), random)), (UPDATED, last)],
        // The correction overtakes the first sending.
        3 => vec![(UPDATED, last), (CREATED, draft.earlier(before(30), random))],
        // Ready only with the second sending.
        5 => {
            let mut early = draft.record(before(20));
            early.insert("data_entry_state".to_owned(), json!("データ入力中"));
            vec![(CREATED, Value::Object(early)), (STATUS, last)]
        }
        // Three versions, shuffled, and the newest twice under two ids.
        8 => vec![
            (UPDATED, draft.earlier(before(10), random)),
            (UPDATED, last.clone()),
            (CREATED, draft.earlier(before(40), random)),
            (UPDATED, last),
        ],
        _ => vec![(CREATED, last)],
    };
    let expected = draft.expected();
    let in_batch = draft.index % 10 == 7;
    Person { id: draft.id, existing: None, events, expected: Some((draft.code, expected)), skipped: None, in_batch }
}

/// A member with other values, who becomes what the newest event says. Name and 入社日 never differ both: that would be
/// another person under a used number.
fn existing(draft: Draft, random: &mut StdRng, newest: Timestamp) -> Person {
    let mut wanted = draft.expected();
    wanted.mail = format!("{}@kaonavi.example", draft.code);
    wanted.department = "D100".to_owned();
    let mut before = wanted.clone();
    match draft.index % 4 {
        0 => {
            let maiden = names::another_last(random, draft.last);
            before.name = format!("{} {}", maiden.0, draft.first.0);
            before.name_kana = format!("{} {}", maiden.1, draft.first.1);
        }
        _ => {
            before.birthday = "1970-01-01".to_owned();
            before.entered_date = String::new();
        }
    }
    // What the source leaves out stays as カオナビ has it.
    if wanted.name_kana.is_empty() {
        before.name_kana = "ベツノ ヨミ".to_owned();
        wanted.name_kana.clone_from(&before.name_kana);
    }
    if wanted.gender.is_empty() {
        before.gender = "女性".to_owned();
        wanted.gender.clone_from(&before.gender);
    }
    let last = Value::Object(draft.record(newest));
    let first = newest - SignedDuration::from_mins(15);
    let events = match draft.index % 3 {
        0 => vec![(UPDATED, last)],
        1 => vec![(UPDATED, draft.earlier(first, random)), (UPDATED, last)],
        _ => vec![(UPDATED, last), (UPDATED, draft.earlier(first, random))],
    };
    let existing = Some(row(&draft.code, &before));
    let in_batch = events.len() == 1 && draft.index.is_multiple_of(6);
    Person { id: draft.id, existing, events, expected: Some((draft.code, wanted)), skipped: None, in_batch }
}

/// A member who already is what the event says.
fn unchanged(draft: Draft, newest: Timestamp) -> Person {
    let mut wanted = draft.expected();
    wanted.department = "D310".to_owned();
    let existing = Some(row(&draft.code, &wanted));
    let events = vec![(UPDATED, Value::Object(draft.record(newest)))];
    Person { id: draft.id, existing, events, expected: Some((draft.code, wanted)), skipped: None, in_batch: false }
}

/// Somebody who is not sent. Those who retired are members and stay as they are.
fn ineligible(draft: Draft, newest: Timestamp) -> Person {
    let mut record = draft.record(newest);
    let mut set = |key: &str, value: &str| record.insert(key.to_owned(), json!(value));
    let mut existing = None;
    let mut expected = None;
    let (kind, reason) = match draft.index / 10 % 5 {
        0 => {
            set("employee_status", "応募者");
            (CREATED, "status_excluded")
        }
        1 => {
            set("employee_status", "退職");
            set("retired_date", "2026-03-31");
            let mut member = draft.expected();
            member.name = "退職 予定".to_owned();
            existing = Some(row(&draft.code, &member));
            expected = Some((draft.code.clone(), member));
            (STATUS, "status_excluded")
        }
        2 => {
            set("data_entry_state", "in_progress");
            (CREATED, "data_entry_incomplete")
        }
        3 => {
            set("data_entry_state", "不明な値");
            (CREATED, "data_entry_incomplete")
        }
        _ => {
            record.remove("employee_number");
            (CREATED, "missing_employee_number")
        }
    };
    let events = vec![(kind, Value::Object(record))];
    Person { id: draft.id, existing, events, expected, skipped: Some(reason), in_batch: false }
}

/// A member of whom no event speaks, or only of the deletion at the source: stays as it is.
pub(super) fn bystander(index: usize, random: &mut StdRng, now: Timestamp) -> Person {
    let draft = Draft::draw(index, "K", random);
    let mut member = draft.expected();
    member.mail = format!("{}@kaonavi.example", draft.code);
    let events = if index % 8 == 3 {
        let deleted = json!({ "employee_id": draft.id, "employee_number": draft.code, "updated_at": now.to_string() });
        vec![("employee.deleted", deleted)]
    } else {
        Vec::new()
    };
    Person {
        id: draft.id,
        existing: Some(row(&draft.code, &member)),
        skipped: (!events.is_empty()).then_some("deleted"),
        events,
        expected: Some((draft.code, member)),
        in_batch: false,
    }
}
