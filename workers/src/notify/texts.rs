//! What a mail says, in Japanese, for people in charge of personnel who are no engineers.

pub mod blocks;
mod html;
pub mod morning;
pub mod notice;
mod plain;
mod width;

use jiff::civil::Date;
use renkei_events::codes::Code;

/// How many people a mail lists.
pub const LISTED: usize = 50;

/// What a mail has to say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Letter {
    /// What people call the connections that it is about.
    pub connections: Vec<String>,
    /// What is wrong.
    pub code: Code,
    /// Which mail of its episode it is, from 1.
    pub digest: i64,
    /// Whom or what it is about.
    pub told: Told,
    /// Whether the people's records made the connections stop.
    pub stopped: bool,
    /// Where to look.
    pub link: Option<String>,
}

/// What a mail tells besides the trouble itself: people, or a value that may be personal. Never both, so that no value can be
/// read together with the person whose it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Told {
    /// Whom it is about, by 社員番号.
    People(People),
    /// What カオナビ said about the connection as a whole.
    Value(String),
    /// A run of attendance failed: from which day on it read nothing.
    UnreadFrom(Date),
    /// It is about the connection as a whole, and there is nothing to quote.
    Nothing,
}

/// The people that a mail is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct People {
    /// At most [`LISTED`] of them.
    pub listed: Vec<Person>,
    /// How many they are.
    pub total: usize,
}

/// One of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// 社員番号, where there is one.
    pub number: Option<String>,
    /// 従業員ID, for those without a number.
    pub employee: String,
    /// The name, where the connection's settings allow it in a mail.
    pub name: Option<String>,
}

impl People {
    /// How many are not listed.
    fn more(&self) -> usize {
        self.total.saturating_sub(self.listed.len())
    }
}

impl Person {
    /// How a mail calls the person.
    fn label(&self) -> String {
        match &self.number {
            Some(number) => one_line(number),
            None => format!("番号なし（従業員ID {}）", one_line(&self.employee)),
        }
    }
}

impl Letter {
    /// The subject.
    #[must_use]
    pub fn subject(&self) -> String {
        format!("【Renkei】{}：{}{}", self.connections(), self.code.title_ja(), self.count())
    }

    /// As plain text.
    #[must_use]
    pub fn text(&self) -> String {
        plain::render(self)
    }

    /// As HTML.
    #[must_use]
    pub fn html(&self) -> String {
        html::render(self)
    }

    fn connections(&self) -> String {
        match self.connections.as_slice() {
            [] => "連携".to_owned(),
            [one] => one_line(one),
            [first, others @ ..] => format!("{} ほか{}件", one_line(first), others.len()),
        }
    }

    fn count(&self) -> String {
        match &self.told {
            Told::People(people) if self.digest > 1 => format!("（新たに{}名）", people.total),
            Told::People(people) => format!("（{}名）", people.total),
            Told::Value(_) | Told::UnreadFrom(_) | Told::Nothing => String::new(),
        }
    }

    /// The first sentence.
    fn opening(&self) -> String {
        let names: Vec<String> = self.connections.iter().map(|name| format!("「{}」", one_line(name))).collect();
        let names = names.concat();
        match &self.told {
            Told::People(_) if self.stopped => format!(
                "次の方の記録をカオナビに送れないため、設定に従って、連携{names}の自動化を停止しました。届いた変更は保管しています。\
                 この方の記録を直すか、要対応から外したうえで、連携の自動化を ON にしてください。"
            ),
            Told::People(people) if self.digest > 1 => {
                format!(
                    "連携{names}で、前回のお知らせのあとに、新たに{}名の方について対応が必要になりました。",
                    people.total
                )
            }
            _ if self.digest > 1 => format!("連携{names}で、前回のお知らせのあとに、同じことが新たに起きています。"),
            _ => format!("連携{names}で、ご対応をお願いしたいことがあります。"),
        }
    }
}

/// The last lines of every mail.
const CLOSING: &str = "このお知らせは、連携の自動化を行う Renkei が自動で送信しています。このメールに返信いただいても、お答えできません。";

/// What stands above the day from which on a run read nothing, and what is said of it.
const UNREAD: &str = "取得できていない日";

fn unread_from(day: Date) -> String {
    format!("{}年{}月{}日以降の勤怠は、この同期では取得できていません。", day.year(), day.month(), day.day())
}

/// A text of somebody else's on one line: nothing in it can look like a line of ours.
fn one_line(text: &str) -> String {
    text.split(|c: char| c.is_whitespace() || c.is_control())
        .filter(|part| !part.is_empty())
        .collect::<Vec<_>>()
        .join(" ")
}

/// What カオナビ said, in at most five short lines.
fn quoted(text: &str) -> Vec<String> {
    let lines = text.lines().map(one_line).filter(|line| !line.is_empty());
    lines.take(5).map(|line| line.chars().take(300).collect()).collect()
}
