//! The mail as plain text.

use super::blocks::{Block, blocks};
use super::notice::Notice;
use super::width::{COLUMNS, width, wrap};
use super::{CLOSING, Letter, Told, UNREAD, quoted, unread_from};

pub(super) fn render(letter: &Letter) -> String {
    let mut text = Vec::new();
    text.push(wrap("", &letter.opening()));
    text.push(String::new());
    text.push(wrap("■ ", &format!("{}{}", letter.code.title_ja(), letter.count())));
    section(&mut text, "起きたこと");
    for block in blocks(letter.code.happened_ja()) {
        text.push(line(&block));
    }
    match &letter.told {
        Told::People(people) => {
            section(&mut text, "対象の方（社員番号）");
            if people.listed.iter().any(|person| person.name.is_some()) {
                for person in &people.listed {
                    let name = person.name.as_ref().map(|name| format!("　{} さん", super::one_line(name)));
                    text.push(wrap("・", &format!("{}{}", person.label(), name.unwrap_or_default())));
                }
            } else {
                text.push(in_columns(&people.listed.iter().map(super::Person::label).collect::<Vec<_>>()));
            }
            if people.more() > 0 {
                text.push(format!("ほか {} 名", people.more()));
            }
        }
        Told::Value(value) => {
            section(&mut text, "カオナビからの応答");
            text.extend(quoted(value).iter().map(|line| wrap("> ", line)));
        }
        Told::UnreadFrom(day) => {
            section(&mut text, UNREAD);
            text.push(wrap("", &unread_from(*day)));
        }
        Told::Nothing => {}
    }
    section(&mut text, "していただきたいこと");
    for block in blocks(letter.code.remedy_ja()) {
        text.push(line(&block));
    }
    look(&mut text, letter.link.as_deref());
    text.push(String::new());
    text.push("-".repeat(COLUMNS));
    text.push(format!("エラーコード：{}", letter.code));
    text.push("お問い合わせの際は、このコードをお知らせください。".to_owned());
    text.push(wrap("", CLOSING));
    text.push(String::new());
    text.join("\n")
}

pub(super) fn notice(notice: &Notice) -> String {
    let mut text = vec![wrap("", &notice.opening), String::new(), wrap("■ ", &notice.title)];
    for (heading, blocks) in &notice.sections {
        section(&mut text, heading);
        text.extend(blocks.iter().map(line));
    }
    look(&mut text, notice.link.as_deref());
    text.push(String::new());
    text.push("-".repeat(COLUMNS));
    text.push(wrap("", CLOSING));
    text.push(String::new());
    text.join("\n")
}

fn look(text: &mut Vec<String>, link: Option<&str>) {
    if let Some(link) = link {
        section(text, "確認する画面");
        text.push(link.to_owned());
    }
}

fn section(text: &mut Vec<String>, heading: &str) {
    text.push(String::new());
    text.push(format!("【{heading}】"));
}

fn line(block: &Block) -> String {
    match block {
        Block::Paragraph(text) => wrap("", text),
        Block::Step(number, text) => wrap(&format!("{number}. "), text),
        Block::Point(text) => wrap("・", text),
    }
}

/// Short texts side by side, each with a dot before it.
fn in_columns(labels: &[String]) -> String {
    let widest = labels.iter().map(|label| width(label)).max().unwrap_or(0) + 4;
    let across = (COLUMNS / widest).max(1);
    let row = |labels: &[String]| {
        let cells = labels.iter().map(|label| format!("・{label}{}", " ".repeat(widest - 2 - width(label))));
        cells.collect::<String>().trim_end().to_owned()
    };
    labels.chunks(across).map(row).collect::<Vec<_>>().join("\n")
}
