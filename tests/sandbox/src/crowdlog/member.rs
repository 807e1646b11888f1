//! The members, and the list of them that an administrator can take out.

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use super::company::CrowdLog;
use super::encoding::Encoding;
use super::excel;

/// A member.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    /// 社員コード, free text.
    pub code: String,
    /// 名前.
    pub name: String,
    /// 部署.
    #[serde(default)]
    pub department: String,
    /// 役職.
    #[serde(default)]
    pub position: String,
    /// 雇用形態.
    #[serde(default)]
    pub employment: String,
    /// 所属.
    #[serde(default)]
    pub affiliation: String,
    /// 単価 in yen an hour: nobody else's business.
    #[serde(default)]
    pub rate: u32,
    /// 開始日.
    #[serde(default)]
    pub from: Option<Date>,
    /// 終了日, the last day.
    #[serde(default)]
    pub to: Option<Date>,
    /// 有効 or 無効.
    pub active: bool,
}

impl std::fmt::Debug for Member {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Member").field("code", &self.code).field("active", &self.active).finish_non_exhaustive()
    }
}

impl Member {
    /// A member that is there for ever.
    #[must_use]
    pub fn new(code: &str, name: &str) -> Self {
        Self {
            code: code.to_owned(),
            name: name.to_owned(),
            department: "開発部".to_owned(),
            position: String::new(),
            employment: "正社員".to_owned(),
            affiliation: "本社".to_owned(),
            rate: 5_000,
            from: None,
            to: None,
            active: true,
        }
    }

    /// Whether a day lies between 開始日 and 終了日.
    #[must_use]
    pub fn is_there_on(&self, date: Date) -> bool {
        self.from.is_none_or(|from| from <= date) && self.to.is_none_or(|to| date <= to)
    }
}

/// The names of the list's columns, in order. A company's list may have others, so they are data.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MemberHeaders {
    /// 社員コード
    pub code: String,
    /// 名前
    pub name: String,
    /// 部署
    pub department: String,
    /// 役職
    pub position: String,
    /// 雇用形態
    pub employment: String,
    /// 所属
    pub affiliation: String,
    /// 単価
    pub rate: String,
    /// 開始日
    pub from: String,
    /// 終了日
    pub to: String,
    /// 有効／無効
    pub active: String,
}

impl Default for MemberHeaders {
    fn default() -> Self {
        Self {
            code: "社員コード".to_owned(),
            name: "名前".to_owned(),
            department: "部署".to_owned(),
            position: "役職".to_owned(),
            employment: "雇用形態".to_owned(),
            affiliation: "所属".to_owned(),
            rate: "単価".to_owned(),
            from: "開始日".to_owned(),
            to: "終了日".to_owned(),
            active: "有効／無効".to_owned(),
        }
    }
}

impl MemberHeaders {
    fn cells(&self) -> [&str; 10] {
        [
            &self.code,
            &self.name,
            &self.department,
            &self.position,
            &self.employment,
            &self.affiliation,
            &self.rate,
            &self.from,
            &self.to,
            &self.active,
        ]
    }
}

impl CrowdLog {
    /// The list of members as CSV: CRLF, dates as `2026-04-01`, 有効 or 無効 at the end of each row.
    #[must_use]
    pub fn export_members(&self, include_inactive: bool, encoding: Encoding, headers: &MemberHeaders) -> Vec<u8> {
        self.list(include_inactive, encoding, headers, str::to_owned)
    }

    /// The same list after somebody opened it in Excel and saved it: what looks like a number or a date became one, so
    /// that `00123` is `123`.
    #[must_use]
    pub fn export_members_through_excel(
        &self,
        include_inactive: bool,
        encoding: Encoding,
        headers: &MemberHeaders,
    ) -> Vec<u8> {
        self.list(include_inactive, encoding, headers, excel::resaved)
    }

    fn list(
        &self,
        include_inactive: bool,
        encoding: Encoding,
        headers: &MemberHeaders,
        cell: fn(&str) -> String,
    ) -> Vec<u8> {
        let date = |date: Option<Date>| date.map(|date| date.to_string()).unwrap_or_default();
        let mut lines = vec![line(headers.cells().into_iter().map(str::to_owned))];
        for member in self.members().filter(|member| include_inactive || member.active) {
            let cells = [
                member.code.clone(),
                member.name.clone(),
                member.department.clone(),
                member.position.clone(),
                member.employment.clone(),
                member.affiliation.clone(),
                member.rate.to_string(),
                date(member.from),
                date(member.to),
                if member.active { "有効" } else { "無効" }.to_owned(),
            ];
            lines.push(line(cells.iter().map(|text| cell(text))));
        }
        encoding.bytes(&lines.concat())
    }
}

/// A line of CSV, cells quoted where they have to be.
fn line(cells: impl Iterator<Item = String>) -> String {
    let cells = cells.map(|cell| {
        if cell.contains([',', '"', '\r', '\n']) { format!("\"{}\"", cell.replace('"', "\"\"")) } else { cell }
    });
    format!("{}\r\n", cells.collect::<Vec<_>>().join(","))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn company() -> CrowdLog {
        let mut crowdlog = CrowdLog::new();
        let mut left = Member::new("A,1", "退職 \"済\"");
        (left.active, left.to) = (false, Date::new(2026, 3, 31).ok());
        crowdlog.add_member(Member::new("00123", "見本 花子"));
        crowdlog.add_member(left);
        crowdlog
    }

    #[test]
    fn the_list_has_the_rate_and_leaves_out_the_inactive_unless_asked() {
        let crowdlog = company();
        let list =
            |all| String::from_utf8(crowdlog.export_members(all, Encoding::Utf8, &MemberHeaders::default())).unwrap();
        assert_eq!(
            list(true),
            "社員コード,名前,部署,役職,雇用形態,所属,単価,開始日,終了日,有効／無効\r\n\
             00123,見本 花子,開発部,,正社員,本社,5000,,,有効\r\n\
             \"A,1\",\"退職 \"\"済\"\"\",開発部,,正社員,本社,5000,,2026-03-31,無効\r\n"
        );
        assert_eq!(list(false).lines().count(), 2);
    }

    #[test]
    fn excel_takes_the_zeros_away() {
        let headers = MemberHeaders { code: "コード".to_owned(), ..MemberHeaders::default() };
        let bytes = company().export_members_through_excel(true, Encoding::ShiftJis, &headers);
        let text = Encoding::ShiftJis.text(&bytes).unwrap();
        assert!(text.starts_with("コード,名前,"), "{text}");
        assert!(text.contains("\r\n123,見本 花子,") && text.contains(",2026/3/31,無効\r\n"), "{text}");
    }
}
