//! The people of a company.

use jiff::civil::{Date, date};
use serde_json::{Map, Value, json};

use crate::hrmos::auth::mixed;

/// A person. The key never changes; the code is what others match on, and it may be corrected (rule 16).
#[derive(Clone, PartialEq, Eq)]
pub struct Employee {
    /// Unchanging identifier: 64 hex digits.
    pub key: String,
    /// 従業員コード.
    pub code: Option<String>,
    /// Family name and its reading.
    pub last_name: (String, String),
    /// Given name and its reading.
    pub first_name: (String, String),
    /// The division's code.
    pub division: String,
    /// When the person joined.
    pub hired: Date,
    /// The last day with the company.
    pub resigned: Option<Date>,
}

impl std::fmt::Debug for Employee {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Employee").field("key", &self.key).finish_non_exhaustive()
    }
}

impl Employee {
    /// Somebody who has been there since 2019-04-01.
    #[must_use]
    pub fn new(number: u64, code: Option<&str>, last_name: &str, first_name: &str) -> Self {
        Self {
            key: key(number),
            code: code.map(str::to_owned),
            last_name: (last_name.to_owned(), String::new()),
            first_name: (first_name.to_owned(), String::new()),
            division: "210".to_owned(),
            hired: date(2019, 4, 1),
            resigned: None,
        }
    }

    /// Left on `day`.
    #[must_use]
    pub fn left(mut self, day: Date) -> Self {
        self.resigned = Some(day);
        self
    }

    /// Whether somebody has left by `day` (rule 11).
    pub(super) fn has_left(&self, day: Date) -> bool {
        self.resigned.is_some_and(|last| last < day)
    }

    /// Whether somebody is there on `day`.
    #[must_use]
    pub fn works_on(&self, day: Date) -> bool {
        self.hired <= day && !self.has_left(day)
    }

    /// What every list of people and every `currentDateEmployee` says.
    fn about(&self) -> Map<String, Value> {
        let about = json!({
            "divisionCode": self.division, "divisionName": division_name(&self.division), "gender": "no_selected",
            "typeCode": "1", "typeName": "正社員", "code": self.code,
            "lastName": self.last_name.0, "firstName": self.first_name.0,
            "employeeGroups": [],
        });
        match about {
            Value::Object(about) => about,
            _ => Map::new(),
        }
    }

    /// As the list of employees shows it, with the additional fields that were asked for.
    pub(super) fn shown(&self, additional: &[String]) -> Value {
        let mut shown = self.about();
        shown.insert("key".to_owned(), json!(self.key));
        let reading = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        let extra = [
            ("lastNamePhonetics", json!(reading(&self.last_name.1))),
            ("firstNamePhonetics", json!(reading(&self.first_name.1))),
            ("hiredDate", json!(self.hired.to_string())),
            ("resignationDate", json!(self.resigned.map(|day| day.to_string()))),
            ("emailAddresses", json!([])),
        ];
        for (name, value) in extra.into_iter().filter(|(name, _)| additional.iter().any(|asked| asked == name)) {
            shown.insert(name.to_owned(), value);
        }
        Value::Object(shown)
    }

    /// As `currentDateEmployee`: today's data, whatever the work date (rule 7).
    pub(super) fn current(&self) -> Value {
        let mut current = self.about();
        current.insert("lastNamePhonetics".to_owned(), json!(self.last_name.1));
        current.insert("firstNamePhonetics".to_owned(), json!(self.first_name.1));
        Value::Object(current)
    }
}

/// The name of a division.
pub(super) fn division_name(code: &str) -> &'static str {
    if code == "210" { "東支店" } else { "本社" }
}

/// 64 hex digits: the same for the same number, and no two alike.
fn key(number: u64) -> String {
    (0..4)
        .map(|part| format!("{:016x}", mixed(number.wrapping_mul(4).wrapping_add(part).wrapping_add(0x5eed))))
        .collect()
}
