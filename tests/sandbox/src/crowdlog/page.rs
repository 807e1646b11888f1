//! The page for people: members with their timesheets, and the imports.

use std::collections::BTreeMap;

use super::company::CrowdLog;
use crate::page::{answer, table};
use crate::wire::Answer;

/// Imports that are shown.
const RECENT: usize = 20;

impl CrowdLog {
    /// What is stored, for people.
    pub(super) fn page(&self) -> Answer {
        let mut sheets: BTreeMap<String, (usize, String)> = BTreeMap::new();
        for ((code, date), stored) in self.timesheets() {
            let (count, last) = sheets.entry(code.to_owned()).or_default();
            let clock = |minutes: u16| format!("{:02}:{:02}", minutes / 60, minutes % 60);
            let hours = stored.hours.map(|hours| format!(" {}-{}", clock(hours.start), clock(hours.end)));
            (*count, *last) = (*count + 1, format!("{date}{}", hours.unwrap_or_default()));
        }
        let members = self.members().map(|member| {
            let (count, last) = sheets.get(&member.code).cloned().unwrap_or_default();
            let active = if member.active { "有効" } else { "無効" };
            [member.code.clone(), member.name.clone(), active.to_owned(), count.to_string(), last]
        });
        let imports = self.imports().rev().take(RECENT).map(|import| {
            let refused = import.result.refused_rows().len();
            let fault = import.result.header_error.as_ref().map(ToString::to_string).unwrap_or_default();
            [import.at.timestamp().to_string(), import.result.accepted().to_string(), refused.to_string(), fault]
        });
        let heads = ["日時（UTC）", "取り込んだ行", "エラーの行", "ファイルのエラー"];
        let mut body = table("インポート（勤怠）", heads, imports);
        let heads = ["社員コード", "名前", "有効／無効", "勤怠のある日数", "最後の日"];
        body.push_str(&table("メンバー", heads, members));
        answer("クラウドログ シミュレーター", &body)
    }
}
