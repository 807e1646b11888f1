//! The page for people: what each company has, and who asked for what.

use super::machine::Hrmos;
use crate::page::{answer, escaped, table};
use crate::wire::Answer;

/// Calls that are shown of a company.
const RECENT: usize = 50;

impl Hrmos {
    /// Companies and calls, for people.
    pub(super) fn page(&self) -> Answer {
        let mut body = String::new();
        for company in self.companies() {
            let stats = company.stats();
            body.push_str(&format!("<h2>{}</h2>", escaped(company.id())));
            let figures = [
                ("ユーザー", company.users().len().to_string()),
                ("APIの呼び出し", stats.calls.to_string()),
                ("60秒あたりの最大", stats.peak_per_minute.to_string()),
                ("429で断った回数", stats.by_status.get(&429).copied().unwrap_or(0).to_string()),
                ("書き込み", stats.writes.to_string()),
            ];
            body.push_str(&table("集計", ["", ""], figures.into_iter().map(|(what, count)| [what.to_owned(), count])));
            let calls = company.log().calls().rev().take(RECENT).map(|call| {
                let path =
                    if call.query.is_empty() { call.path.clone() } else { format!("{}?{}", call.path, call.query) };
                [call.at.timestamp().to_string(), format!("{} {path}", call.method), call.status.to_string()]
            });
            body.push_str(&table("直近の呼び出し", ["日時（UTC）", "呼び出し", "応答"], calls));
        }
        answer("HRMOS勤怠 シミュレーター", &body)
    }
}
