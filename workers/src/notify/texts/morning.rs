//! The mail of a morning: what waits to be imported into クラウドログ, and which days can not be written.

use std::collections::BTreeMap;

use jiff::civil::Date;
use renkei_events::codes::Code;

use super::blocks::Block;
use super::notice::Notice;
use super::one_line;

/// How many 社員コード a reason lists.
const LISTED: usize = 50;

/// Files that wait for a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Files {
    /// How many.
    pub files: i64,
    /// How many rows they have.
    pub rows: i64,
    /// Since which day.
    pub since: Date,
}

/// What a morning's mail is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Morning {
    /// 連携名.
    pub link_name: String,
    /// What waits, if the recipients want to know.
    pub files: Option<Files>,
    /// Whose days can not be written and were not told before, by reason.
    pub unwritten: BTreeMap<Code, Vec<String>>,
    /// How many days old クラウドログ's member list is, when a new one is needed.
    pub list_days: Option<i32>,
    /// Whether nobody was told that this list is too old: that alone is a mail.
    pub list_is_news: bool,
    /// Where to look.
    pub link: Option<String>,
}

impl Morning {
    /// The mail; `None` when there is nothing to say.
    #[must_use]
    pub fn notice(&self) -> Option<Notice> {
        let name = one_line(&self.link_name);
        // Somebody may have several.
        let pairs: usize = self.unwritten.values().map(Vec::len).sum();
        let title = match (&self.files, pairs) {
            (Some(files), 0) => format!("取り込みをお待ちしているファイルが{}件あります", files.files),
            (Some(files), pairs) => {
                format!("取り込み待ちのファイルが{}件、登録できない勤怠が{pairs}件あります", files.files)
            }
            (None, 0) if self.list_is_news => "クラウドログのメンバー一覧の更新をお願いします".to_owned(),
            (None, 0) => return None,
            (None, pairs) => format!("クラウドログに登録できない勤怠が{pairs}件あります"),
        };
        let mut sections = Vec::new();
        if let Some(files) = &self.files {
            sections.extend(waiting(files));
        }
        if !self.unwritten.is_empty() {
            sections.push(("新しく見つかった、登録できない勤怠".to_owned(), self.reasons()));
        }
        if let Some(days) = self.list_days {
            let text = format!(
                "登録されているメンバー一覧は{days}日前のものです。クラウドログから新しい一覧（無効のメンバーも含む）を出力し、\
                 Excel で保存し直さずに、そのまま登録してください。"
            );
            sections.push(("メンバー一覧の更新のお願い".to_owned(), vec![Block::Paragraph(text)]));
        }
        Some(Notice {
            subject: format!("{name}：{title}"),
            opening: format!("連携「{name}」の、今朝の状況をお知らせします。"),
            title,
            sections,
            link: self.link.clone(),
        })
    }

    fn reasons(&self) -> Vec<Block> {
        let mut blocks = vec![Block::Paragraph(
            "次の社員コードの勤怠は、ファイルに入れていないか、一部だけを入れています。前回までにお知らせした方は含みません。".to_owned(),
        )];
        for (code, people) in &self.unwritten {
            let named: Vec<String> = people.iter().take(LISTED).map(|person| one_line(person)).collect();
            let more = match people.len().saturating_sub(LISTED) {
                0 => String::new(),
                more => format!(" ほか{more}名"),
            };
            blocks.push(Block::Point(format!("{}（{}名）：{}{more}", code.title_ja(), people.len(), named.join("、"))));
        }
        blocks.push(Block::Paragraph(
            "理由ごとの直しかたと、手入力が必要な日の一覧は、Renkei の画面で確認できます。".to_owned(),
        ));
        blocks
    }
}

fn waiting(files: &Files) -> Vec<(String, Vec<Block>)> {
    let day = format!("{}月{}日", files.since.month(), files.since.day());
    let text = format!("{}件のファイル（合計{}行）が、{day}から取り込みを待っています。", files.files, files.rows);
    let steps = [
        "Renkei の画面で、この連携のファイルをダウンロードします。",
        "クラウドログの「インポート」を開き、ファイルの種類で「勤怠」を選んで、ファイルを取り込みます。",
        "Renkei の画面に戻り、「取込済み」にします。エラーになった行があるときは、その行番号も入力してください。",
    ];
    let steps = (1..).zip(steps).map(|(number, text): (u32, _)| Block::Step(number.to_string(), text.to_owned()));
    vec![
        ("取り込み待ちのファイル".to_owned(), vec![Block::Paragraph(text)]),
        ("取り込みの手順".to_owned(), steps.collect()),
    ]
}
