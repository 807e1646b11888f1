//! A scenario: everything that happens to a company in some hours, as plain data drawn from one seed.

mod arrivals;
mod asks;
mod draw;
mod further;
mod mails;
mod numbers;

pub use further::Further;
pub use numbers::{Doubt, Numbered, STRANGER};

use std::collections::BTreeSet;

use renkei_sandbox::kaonavi::{Faults, Settings as Simulator};
use renkei_store::settings::Settings;
use serde_json::{Value, json};

use crate::world::mail::MailServer;

/// What the source says of one person. Its Debug output is of made-up people only.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    /// 名.
    pub first: String,
    /// カナ of 姓 and 名, both or none.
    pub kana: Option<(String, String)>,
    /// ビジネスネーム and its reading.
    pub business: Option<(String, Option<String>)>,
    /// 性別.
    pub gender: Option<String>,
    /// 生年月日.
    pub birthday: Option<String>,
    /// 入社日.
    pub hired: Option<String>,
    /// 従業員ステータス.
    pub status: String,
    /// 状況.
    pub entry: String,
    /// 雇用形態.
    pub employment: Option<String>,
    /// 退職日.
    pub retired: Option<String>,
    /// Whether there is a 社員番号.
    pub numbered: bool,
    /// Another one than the usual one of the person.
    pub number: Option<String>,
}

/// 姓 of everybody.
pub const LAST: &str = "髙橋";

impl Said {
    /// A person as the source has it from the start.
    #[must_use]
    pub fn usual(person: usize) -> Self {
        Self {
            first: format!("花子{person}"),
            kana: Some(("タカハシ".to_owned(), "ハナコ".to_owned())),
            business: None,
            gender: Some("女性".to_owned()),
            birthday: Some("1990-02-28".to_owned()),
            hired: Some("2026-04-01".to_owned()),
            status: "在籍".to_owned(),
            entry: "データ入力完了".to_owned(),
            employment: Some("正社員".to_owned()),
            retired: None,
            numbered: true,
            number: None,
        }
    }

    /// As the source sends it.
    #[must_use]
    pub fn json(&self, person: usize, updated_at: &str) -> Value {
        let number = self.number.clone().unwrap_or_else(|| code(person));
        json!({
            "employee_id": employee(person), "employee_number": self.numbered.then_some(number),
            "employee_status": self.status, "data_entry_state": self.entry,
            "last_name": LAST, "first_name": self.first,
            "last_name_kana": self.kana.as_ref().map(|kana| &kana.0),
            "first_name_kana": self.kana.as_ref().map(|kana| &kana.1),
            "business_name": self.business.as_ref().map(|name| &name.0),
            "business_name_kana": self.business.as_ref().and_then(|name| name.1.as_ref()),
            "gender": self.gender, "birthday": self.birthday, "hire_date": self.hired,
            "retired_date": self.retired, "employment_type": self.employment, "updated_at": updated_at,
        })
    }
}

/// 社員番号 of a person.
#[must_use]
pub fn code(person: usize) -> String {
    format!("E{person:05}")
}

/// 従業員ID of a person.
#[must_use]
pub fn employee(person: usize) -> String {
    format!("rm_{person:05}")
}

/// Whose 従業員ID it is.
#[must_use]
pub fn person_of(employee: &str) -> usize {
    employee.trim_start_matches("rm_").parse().unwrap()
}

/// One event's content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    /// A state of the person.
    State(Box<Said>),
    /// The person was deleted at the source.
    Deleted,
    /// A record that breaks the contract.
    Invalid,
}

/// One event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sent {
    /// Who.
    pub person: usize,
    /// Its id: a resend has the same.
    pub event: u64,
    /// When the source changed it, in milliseconds from the start of the play.
    pub version: i64,
    /// What it says.
    pub what: What,
}

/// A fault that comes to those which are there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Disturbance {
    /// So many reads are answered by an HTML 500.
    Reads500(u32),
    /// So many reads are answered by 200 with HTML.
    ReadsHtml(u32),
    /// The connections of so many reads break.
    ReadsReset(u32),
    /// So many token fetches are answered by an HTML 500.
    Tokens500(u32),
    /// Everything is answered 503 for so many milliseconds.
    Unavailable(i64),
    /// So many calls with a good token are answered 401.
    Unauthorized(u32),
    /// So many writes break before カオナビ has them.
    ResetBefore(u32),
    /// So many writes break after カオナビ has taken them.
    ResetAfter(u32),
    /// So many writes are answered by an HTML 500, and カオナビ has not taken them.
    Html500Before(u32),
    /// The same, and カオナビ has taken them.
    Html500After(u32),
    /// So many answers to writes name no task.
    NoTaskId(u32),
    /// So many tasks end as ERROR.
    TaskErrors(u32),
    /// So many tasks end as NG.
    TaskNgs(u32),
    /// So many writes are answered 409.
    Conflicts(u32),
    /// So many answers come so many milliseconds late.
    SlowAnswers(u32, u64),
    /// So many lists of members are cut off.
    MembersCut(u32),
    /// Tasks hang, or do no more.
    TasksHang(bool),
    /// カオナビ no longer knows the tasks that ended.
    TasksForgotten,
}

/// Whom somebody wants to see before anything is sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Look {
    /// Everybody who waits.
    Waiting,
    /// Everybody who was there before the connection was switched on.
    FirstLoad,
    /// These people, whatever they wait for.
    People(Vec<usize>),
}

/// Something that happens.
#[derive(Debug, Clone)]
pub enum Action {
    /// Events arrive together.
    Send(Vec<Sent>),
    /// Somebody saves the settings of a connection.
    Save(usize, Box<Settings>),
    /// Somebody pauses a connection.
    Pause(usize),
    /// Somebody resumes it.
    Resume(usize),
    /// カオナビ has these faults from now on.
    Faults(Box<Faults>),
    /// Calls fail before their first byte, or do no more.
    Unreachable(bool),
    /// Somebody else makes update calls and fetches tokens.
    Outside(usize, usize),
    /// All tokens end.
    RevokeTokens,
    /// The boxes of members are unticked, or ticked again.
    Permitted(bool),
    /// カオナビ knows another secret than Renkei, or the same again.
    Secret(bool),
    /// Somebody resumes what was halted.
    Mend,
    /// The newest worker dies after so many places where it may.
    Kill(u64),
    /// Another worker starts.
    Start,
    /// The newest worker is stopped by its operating system, and another one starts.
    Freeze,
    /// Whoever is frozen goes on.
    Thaw,
    /// Somebody sets the wall clock of the newest worker's host.
    Jump(i64),
    /// A person releases (or declines) everybody whom the brake holds.
    Decide(usize, bool),
    /// One more fault.
    More(Disturbance),
    /// The newest worker is stopped for three seconds after so many looks at its clock.
    Stop(u64),
    /// The mail server is like this from now on.
    Mail(MailServer),
    /// The newest worker dies after so many places around the handing over of a mail.
    KillMailing(u64),
    /// Somebody asks whether カオナビ would take this person.
    DryRun(usize),
    /// Somebody asks for a preview of a connection.
    Preview(usize, Look),
    /// Somebody has looked at the last preview of a connection and sends every n-th of those whom it shows: with 1, all.
    Sync(usize, usize),
    /// A person decides that this person, whose number is held, is to be sent.
    Release(usize),
}

impl Action {
    /// Its kind, for figures.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Send(_) => "send",
            Self::Save(..) => "settings",
            Self::Pause(_) => "pause",
            Self::Resume(_) => "resume",
            Self::Faults(_) => "faults",
            Self::Unreachable(_) => "unreachable",
            Self::Outside(..) => "outside",
            Self::RevokeTokens => "tokens revoked",
            Self::Permitted(_) => "permission",
            Self::Secret(_) => "secret",
            Self::Mend => "mend",
            Self::Kill(_) => "kill",
            Self::Start => "start",
            Self::Freeze => "freeze",
            Self::Thaw => "thaw",
            Self::Jump(_) => "clock jump",
            Self::Decide(..) => "decision",
            Self::More(_) => "one more fault",
            Self::Stop(_) => "stop",
            Self::Mail(MailServer::Up) => "mail server mended",
            Self::Mail(_) => "mail server",
            Self::KillMailing(_) => "kill while mailing",
            Self::DryRun(_) => "dry run",
            Self::Preview(_, Look::FirstLoad) => "first load",
            Self::Preview(..) => "preview",
            Self::Sync(..) => "sync",
            Self::Release(_) => "decision about a number",
        }
    }
}

/// An action and when, in milliseconds from the start of the play.
#[derive(Debug, Clone)]
pub struct Timed {
    /// When.
    pub at: i64,
    /// What.
    pub what: Action,
}

/// What kinds of things happen in a scenario.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Flavor {
    /// カオナビ and the network fail.
    pub faults: bool,
    /// Workers die and stop.
    pub crashes: bool,
    /// People pause, resume and save settings.
    pub people: bool,
    /// Somebody else uses the budget.
    pub outside: bool,
    /// Keys and permissions are taken away.
    pub access: bool,
    /// Many change at once, and the brake is on.
    pub mass: bool,
}

impl Flavor {
    /// Whether nothing happens but changes of people.
    #[must_use]
    pub fn is_calm(self) -> bool {
        !(self.faults || self.crashes || self.people || self.outside || self.access || self.mass)
    }
}

/// Ways to カオナビ and back, in milliseconds.
#[derive(Debug, Clone, Copy)]
pub struct Ways {
    /// The shortest.
    pub from: u64,
    /// The longest of usual calls.
    pub to: u64,
    /// How many calls of a hundred are slow.
    pub slow_percent: u8,
    /// How much longer they take at most.
    pub slow: u64,
}

/// A scenario.
#[derive(Debug, Clone)]
pub struct Scenario {
    /// What it was drawn from.
    pub seed: u64,
    /// What kinds of things happen.
    pub flavor: Flavor,
    /// カオナビ holds people 1 to this from the start.
    pub members: usize,
    /// Those of them whose フリガナ is another one in カオナビ.
    pub stale: BTreeSet<usize>,
    /// People whose records カオナビ refuses, whatever is sent: at the door (`true`) or by the task.
    pub bad: BTreeSet<usize>,
    /// Whether the door refuses them, not the task.
    pub bad_at_the_door: bool,
    /// What there is beside its flavor.
    pub further: Further,
    /// Ways.
    pub ways: Ways,
    /// カオナビ's switches.
    pub simulator: Simulator,
    /// The settings that each connection has at first; two of them share the account.
    pub links: Vec<Settings>,
    /// People with numbers that a person has to decide about.
    pub numbers: Vec<Numbered>,
    /// Sent before the connections are switched on.
    pub baseline: Vec<Sent>,
    /// What happens.
    pub actions: Vec<Timed>,
    /// How long the play is, in milliseconds.
    pub length: i64,
}

impl Scenario {
    /// The scenario of a seed.
    #[must_use]
    pub fn draw(seed: u64) -> Self {
        draw::scenario(seed)
    }

    /// Whether nothing happens but changes of people.
    #[must_use]
    pub fn is_calm(&self) -> bool {
        self.flavor.is_calm() && !self.further.holds
    }

    /// Somebody with a number that a person has to decide about, if this is one.
    #[must_use]
    pub fn numbered(&self, person: usize) -> Option<&Numbered> {
        self.numbers.iter().find(|one| one.person == person)
    }

    /// Which connection a person belongs to.
    #[must_use]
    pub fn link_of(&self, person: usize) -> usize {
        person % self.links.len()
    }
}

/// The ids of the connections.
pub const LINKS: [&str; 2] = ["c1", "c2"];
