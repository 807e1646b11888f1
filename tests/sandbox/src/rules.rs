//! One line per numbered rule of the systems outside: a naive client that breaks it is refused (or misled), a careful one
//! passes, or the rule is not touched, and why. Each line is really run against the state machine.

mod auth;
mod body;
mod desk;
mod faults;
mod limits;
mod semantics;
mod tasks;

use std::fmt;

use crate::{crowdlog, feed, hrmos, kingoftime};

pub use desk::Desk;

/// What a scenario showed; the text says what went otherwise.
pub type Shown = Result<(), String>;

/// Ends a scenario when something is not so.
macro_rules! ensure {
    ($so:expr, $($text:tt)+) => {
        if !$so {
            return Err(format!($($text)+));
        }
    };
}
pub(crate) use ensure;

/// How a rule is shown.
#[derive(Debug, Clone, Copy)]
pub enum Proof {
    /// By two clients.
    Run {
        /// `Ok` when the client that breaks the rule came to grief as the rule says.
        naive: fn() -> Shown,
        /// `Ok` when the client that keeps the rule got what it wanted.
        ours: fn() -> Shown,
    },
    /// Not at all, because Renkei never comes near it.
    NotTouched(&'static str),
}

/// A rule.
#[derive(Debug, Clone, Copy)]
pub struct Rule {
    /// Its number.
    pub id: &'static str,
    /// What it says, in a few words.
    pub what: &'static str,
    /// How it is shown.
    pub proof: Proof,
}

/// A rule that two clients show.
pub(crate) const fn run(id: &'static str, what: &'static str, naive: fn() -> Shown, ours: fn() -> Shown) -> Rule {
    Rule { id, what, proof: Proof::Run { naive, ours } }
}

/// A rule that Renkei never comes near.
pub(crate) const fn not_touched(id: &'static str, what: &'static str, why: &'static str) -> Rule {
    Rule { id, what, proof: Proof::NotTouched(why) }
}

/// The families of rules and how many each has.
const FAMILIES: [(&str, usize); 12] = [
    ("A", 8),
    ("P", 4),
    ("L", 9),
    ("V", 17),
    ("T", 12),
    ("M", 10),
    ("W", 5),
    ("F", 5),
    ("H", hrmos::rules::COUNT),
    ("E", feed::rules::COUNT),
    ("C", crowdlog::rules::COUNT),
    ("K", kingoftime::rules::COUNT),
];

/// The numbers of all rules.
pub fn ids() -> impl Iterator<Item = String> {
    FAMILIES.iter().flat_map(|(family, count)| (1..=*count).map(move |number| format!("{family}{number}")))
}

/// All rules that have a line.
pub fn rules() -> impl Iterator<Item = &'static Rule> {
    let kaonavi = [auth::RULES, limits::RULES, body::RULES, tasks::RULES, semantics::RULES, faults::RULES];
    let others = [hrmos::rules::RULES, feed::rules::RULES, crowdlog::rules::RULES, kingoftime::rules::RULES];
    kaonavi.into_iter().chain(others).flatten()
}

/// How one rule came out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Both clients came out as they should.
    Passed,
    /// Nothing of ours comes near it.
    NotTouched(&'static str),
    /// It did not come out.
    Failed(String),
}

/// A line of the report.
#[derive(Debug, Clone)]
pub struct Line {
    /// The rule's number.
    pub id: String,
    /// What it says.
    pub what: &'static str,
    /// How it came out.
    pub outcome: Outcome,
}

/// All lines.
#[derive(Debug, Clone)]
pub struct Report {
    /// One per rule, in order.
    pub lines: Vec<Line>,
}

impl Report {
    /// How many rules failed.
    #[must_use]
    pub fn failed(&self) -> usize {
        self.lines.iter().filter(|line| matches!(line.outcome, Outcome::Failed(_))).count()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for line in &self.lines {
            let what = line.what;
            match &line.outcome {
                Outcome::Passed => writeln!(f, "{:<4} ok           {what}", line.id)?,
                Outcome::NotTouched(why) => writeln!(f, "{:<4} not touched  {what} ({why})", line.id)?,
                Outcome::Failed(why) => writeln!(f, "{:<4} FAILED       {what}: {why}", line.id)?,
            }
        }
        let not_touched = self.lines.iter().filter(|line| matches!(line.outcome, Outcome::NotTouched(_))).count();
        writeln!(f, "{not_touched} not touched")?;
        writeln!(f, "{} passed, {} failed", self.lines.len() - self.failed() - not_touched, self.failed())
    }
}

/// Runs every rule. `ours` may answer for a rule with what the real client came to; `None` takes the careful client that
/// stands here.
#[must_use]
pub fn check(ours: &dyn Fn(&str) -> Option<Shown>) -> Report {
    lines(ids(), &|| Box::new(rules()), ours)
}

/// Runs one family on its own: `{family}1` to `{family}{count}`, each of which needs exactly one line in `table`.
#[must_use]
pub fn check_family(family: &str, count: usize, table: &'static [Rule]) -> Report {
    lines((1..=count).map(|number| format!("{family}{number}")), &|| Box::new(table.iter()), &|_| None)
}

type Table<'a> = &'a dyn Fn() -> Box<dyn Iterator<Item = &'static Rule>>;

fn lines(ids: impl Iterator<Item = String>, table: Table<'_>, ours: &dyn Fn(&str) -> Option<Shown>) -> Report {
    let line = |id: String| {
        let mut found = table().filter(|rule| rule.id == id);
        let (what, outcome) = match (found.next(), found.next()) {
            (None, _) => ("", Outcome::Failed("no line for this rule".to_owned())),
            (Some(rule), Some(_)) => (rule.what, Outcome::Failed("two lines for this rule".to_owned())),
            (Some(rule), None) => (rule.what, judged(rule, ours)),
        };
        Line { id, what, outcome }
    };
    Report { lines: ids.map(line).collect() }
}

fn judged(rule: &Rule, ours: &dyn Fn(&str) -> Option<Shown>) -> Outcome {
    let (naive, careful) = match rule.proof {
        Proof::NotTouched(why) => return Outcome::NotTouched(why),
        Proof::Run { naive, ours } => (naive, ours),
    };
    if let Err(why) = naive() {
        return Outcome::Failed(format!("the naive client got away: {why}"));
    }
    match ours(rule.id).unwrap_or_else(careful) {
        Ok(()) => Outcome::Passed,
        Err(why) => Outcome::Failed(format!("ours did not pass: {why}")),
    }
}
