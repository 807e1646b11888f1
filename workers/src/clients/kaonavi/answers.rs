//! What カオナビ answers, read leniently.

use std::time::Duration;

use secrecy::SecretString;
use serde::Deserialize;
use serde_json::Value;

/// A token and how long it lives.
#[derive(Debug, Clone)]
pub struct Grant {
    /// The token.
    pub token: SecretString,
    /// From now.
    pub lives: Duration,
}

/// A 4xx.
#[derive(Clone, PartialEq, Eq)]
pub struct Refused {
    /// The status.
    pub status: u16,
    /// カオナビ's own messages. They may quote values: kept sealed, never logged.
    pub messages: Vec<String>,
}

impl std::fmt::Debug for Refused {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { status, messages } = self;
        f.debug_struct("Refused").field("status", status).field("messages.count", &messages.len()).finish()
    }
}

/// How far a task is.
#[derive(Clone, PartialEq, Eq)]
pub enum TaskEnd {
    /// Waiting or running.
    Open,
    /// Done.
    Ok,
    /// Found wrong when it ran; none of its rows applied.
    Ng(Vec<String>),
    /// A fault of the server.
    Error,
}

impl std::fmt::Debug for TaskEnd {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            TaskEnd::Open => f.write_str("Open"),
            TaskEnd::Ok => f.write_str("Ok"),
            TaskEnd::Ng(messages) => write!(f, "Ng({} messages)", messages.len()),
            TaskEnd::Error => f.write_str("Error"),
        }
    }
}

/// The lifetime is called `expire_in`; the OAuth name is understood too, beside it as well, and without either it is an hour.
pub(super) fn grant(body: &[u8]) -> Option<Grant> {
    #[derive(Deserialize)]
    struct Answer {
        access_token: SecretString,
        // Two fields: with an alias an answer that has both would count as having one twice.
        expire_in: Option<u64>,
        expires_in: Option<u64>,
    }
    let answer: Answer = serde_json::from_slice(body).ok()?;
    let lives = answer.expire_in.or(answer.expires_in).unwrap_or(3600);
    Some(Grant { token: answer.access_token, lives: Duration::from_secs(lives) })
}

pub(super) fn task_id(body: &[u8]) -> Option<i64> {
    serde_json::from_slice::<Value>(body).ok()?.get("task_id")?.as_i64()
}

pub(super) fn is_json(body: &[u8]) -> bool {
    serde_json::from_slice::<Value>(body).is_ok()
}

pub(super) fn task(body: &[u8]) -> Option<TaskEnd> {
    let value: Value = serde_json::from_slice(body).ok()?;
    let messages = || strings(value.get("messages"));
    match value.get("status")?.as_str()? {
        "OK" => Some(TaskEnd::Ok),
        "NG" => Some(TaskEnd::Ng(messages())),
        "ERROR" => Some(TaskEnd::Error),
        _ => Some(TaskEnd::Open),
    }
}

pub(super) fn refusal(status: u16, body: &[u8]) -> Refused {
    let messages = match serde_json::from_slice::<Value>(body) {
        Ok(value) => strings(value.get("errors")),
        Err(_) => Vec::new(),
    };
    Refused { status, messages }
}

fn strings(value: Option<&Value>) -> Vec<String> {
    let texts = value.and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
    texts.take(1000).map(str::to_owned).collect()
}

/// The most rows that an answer may name before naming counts as saying nothing.
const MOST_NAMED: usize = 10;

/// Which of `codes` the messages name: by `member_data.N`, or by a code that stands alone. More than ten, or none: nobody.
#[must_use]
pub fn named(messages: &[String], codes: &[String]) -> Vec<usize> {
    let mut found: Vec<usize> = Vec::new();
    for message in messages {
        let mut rest = message.as_str();
        while let Some(at) = rest.find("member_data.") {
            rest = &rest[at + "member_data.".len()..];
            let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
            if let Ok(index) = digits.parse::<usize>()
                && index < codes.len()
            {
                found.push(index);
            }
        }
        found.extend(codes.iter().enumerate().filter(|(_, code)| stands_alone(message, code)).map(|(index, _)| index));
    }
    found.sort_unstable();
    found.dedup();
    if found.len() > MOST_NAMED { Vec::new() } else { found }
}

fn stands_alone(text: &str, code: &str) -> bool {
    let index_of_row = |before: &str| before.ends_with("member_data.");
    text.match_indices(code).any(|(at, _)| {
        let before = &text[..at];
        let after = &text[at + code.len()..];
        // A row number is not a code, even when a member has the same digits.
        parts(before.chars().next_back(), code.chars().next())
            && parts(after.chars().next(), code.chars().next_back())
            && !index_of_row(before)
    })
}

/// Whether `neighbour` does not go on with the word that `edge` is the end of. Japanese has no blanks between words: kana and
/// kanji end a code of letters and digits, but not one that ends in kana or kanji itself.
fn parts(neighbour: Option<char>, edge: Option<char>) -> bool {
    let western = |c: char| matches!(c, '0'..='9' | 'A'..='Z' | 'a'..='z' | '０'..='９' | 'Ａ'..='Ｚ' | 'ａ'..='ｚ');
    let japanese = |c: char| c.is_alphanumeric() && !western(c);
    let goes_on = |c: char| western(c) || (japanese(c) && edge.is_some_and(japanese));
    neighbour.is_none_or(|c| !goes_on(c))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clients::kaonavi::{Outcome, ReadFault};

    #[test]
    fn a_member_is_named_by_its_row_or_by_its_code_standing_alone_and_more_than_ten_are_nobody() {
        let codes = |codes: &[&str]| codes.iter().map(|code| (*code).to_owned()).collect::<Vec<_>>();
        let few = codes(&["12", "S2012", "0123", "社-1"]);
        let table: &[(&str, &[usize])] = &[
            ("S2012: 性別が不正です", &[1]),
            ("12: 性別が不正です", &[0]),
            ("[12]", &[0]),
            ("12と0123", &[0, 2]),
            ("12 と 0123 が不正です", &[0, 2]),
            ("123", &[]),
            ("S2012の所属が不正です", &[1]),
            ("社員S2012は登録できません", &[1]),
            ("「S2012」の所属", &[1]),
            ("S20129の所属が不正です", &[]),
            ("AS2012の所属が不正です", &[]),
            ("S2012Ａの所属が不正です", &[]),
            ("０12の所属が不正です", &[]),
            ("12年の所属が不正です", &[0]),
            ("12-3_0123", &[0, 2]),
            ("社-1は登録できません", &[3]),
            ("会社-1は登録できません", &[]),
            ("社-12は登録できません", &[0]),
            ("社-1 は登録できません", &[3]),
            ("member_data.2.gender は不正です", &[2]),
            ("member_data.12.gender は不正です", &[]),
            ("member_data.0 member_data.3", &[0, 3]),
            ("登録できないメンバーがいます", &[]),
        ];
        for (message, expected) in table {
            assert_eq!(named(&[(*message).to_owned()], &few), *expected, "{message}");
        }
        let many: Vec<String> = (0..20).map(|index| format!("E{index:02}")).collect();
        for count in [1, 10, 11, 20] {
            let message = many[..count].join(", ");
            let expected = if count <= 10 { (0..count).collect() } else { Vec::new() };
            assert_eq!(named(&[message], &many), expected, "{count}");
        }
    }

    #[test]
    fn the_life_of_a_token_is_read_under_either_name_and_is_an_hour_without_one() {
        for (body, seconds) in [
            (r#"{"access_token":"t","expire_in":1200}"#, 1200),
            (r#"{"access_token":"t","expires_in":1200,"token_type":"Bearer"}"#, 1200),
            (r#"{"access_token":"t","expires_in":3600,"expire_in":1200}"#, 1200),
            (r#"{"access_token":"t","expire_in":null,"expires_in":1200}"#, 1200),
            (r#"{"access_token":"t"}"#, 3600),
        ] {
            assert_eq!(grant(body.as_bytes()).unwrap().lives, Duration::from_secs(seconds), "{body}");
        }
        for body in ["", "<html>", "{}", r#"{"access_token":7}"#] {
            assert!(grant(body.as_bytes()).is_none(), "{body}");
        }
    }

    #[test]
    fn i8_debug_output_of_an_answer_repeats_no_message() {
        let messages = vec!["髙橋 花子 は登録できません".to_owned()];
        let refused = Refused { status: 400, messages: messages.clone() };
        let shown = [
            format!("{refused:?}"),
            format!("{:#?}", Outcome::Refused(refused.clone())),
            format!("{:?}", ReadFault::Refused(refused)),
            format!("{:?}", TaskEnd::Ng(messages)),
        ];
        for shown in shown {
            assert!(!shown.contains("花子") && shown.contains('1'), "{shown}");
        }
    }
}
