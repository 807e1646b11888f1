//! Which call a request is.

use super::access::Item;
use crate::wire::SimRequest;

/// A call, as far as it is played. What stands in a path is not yet checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Route<'a> {
    Company,
    Divisions,
    WorkingTypes,
    Employees,
    Employee(&'a str),
    Daily(Option<&'a str>),
    TimeRecords(Option<&'a str>),
    Punch(&'a str),
    Available(&'a str),
    Replace(&'a str),
    Stop(&'a str),
    Unknown,
}

/// The path below the root; `None` outside of it (rule 1).
pub(super) fn below(path: &str) -> Option<&str> {
    path.strip_prefix("/v1.0").filter(|rest| rest.starts_with('/'))
}

/// Whether a call wants to change anything, tokens included: a link makes no such call.
pub(super) fn writes(request: &SimRequest) -> bool {
    request.method != "GET"
}

impl<'a> Route<'a> {
    pub(super) fn of(method: &str, path: &'a str) -> Self {
        let mut parts = path.trim_start_matches('/').split('/');
        let parts = [parts.next(), parts.next(), parts.next(), parts.next()];
        match (method, parts) {
            ("GET", [Some("company"), None, ..]) => Self::Company,
            ("GET", [Some("divisions"), None, ..]) => Self::Divisions,
            ("GET", [Some("working-types"), None, ..]) => Self::WorkingTypes,
            ("GET", [Some("employees"), None, ..]) => Self::Employees,
            ("GET", [Some("employees"), Some(code), None, _]) => Self::Employee(code),
            ("GET", [Some("daily-workings"), None, ..]) => Self::Daily(None),
            ("GET", [Some("daily-workings"), Some("timerecord"), None, _]) => Self::TimeRecords(None),
            ("GET", [Some("daily-workings"), Some("timerecord"), Some(day), None]) => Self::TimeRecords(Some(day)),
            ("GET", [Some("daily-workings"), Some(day), None, _]) => Self::Daily(Some(day)),
            ("POST", [Some("daily-workings"), Some("timerecord"), Some(key), None]) => Self::Punch(key),
            ("GET", [Some("tokens"), Some(token), Some("available"), None]) => Self::Available(token),
            ("POST", [Some("tokens"), Some(token), None, _]) => Self::Replace(token),
            ("DELETE", [Some("tokens"), Some(token), None, _]) => Self::Stop(token),
            _ => Self::Unknown,
        }
    }

    /// What the token must be allowed.
    pub(super) fn item(self) -> Option<Item> {
        match self {
            Self::Company | Self::Divisions | Self::WorkingTypes => Some(Item::Settings),
            Self::Employees | Self::Employee(_) => Some(Item::Employees),
            Self::Daily(_) => Some(Item::Daily),
            Self::TimeRecords(_) => Some(Item::TimeRecords),
            Self::Punch(_) => Some(Item::Punching),
            Self::Available(_) | Self::Replace(_) | Self::Stop(_) | Self::Unknown => None,
        }
    }

    /// Whether it is open at all hours (rule 3).
    pub(super) fn is_always_open(self) -> bool {
        matches!(self, Self::Punch(_) | Self::Available(_) | Self::Replace(_) | Self::Stop(_))
    }
}
