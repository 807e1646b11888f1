//! The mail as HTML: light, with the style in the elements, and with nothing that a reader would have to fetch.

use std::fmt::Write as _;

use super::blocks::{Block, blocks};
use super::notice::Notice;
use super::{CLOSING, Letter, People, Told, UNREAD, one_line, quoted, unread_from};

const PAGE: &str = "margin:0;padding:24px 12px;background:#f4f5f7;color:#1f2933;font-family:'Hiragino Sans','Noto Sans JP','Noto Sans CJK JP',Meiryo,sans-serif;font-size:15px;line-height:1.7";
const CARD: &str =
    "max-width:640px;margin:0 auto;background:#ffffff;border:1px solid #d9dde3;border-radius:6px;padding:24px 28px";
const TITLE: &str = "margin:12px 0 4px;padding:10px 14px;background:#fff6e5;border-left:4px solid #c77700;font-size:17px;line-height:1.5;font-weight:bold";
const HEADING: &str = "margin:22px 0 6px;font-size:14px;font-weight:bold;color:#3e4c59;border-bottom:1px solid #e4e7eb;padding-bottom:4px";
const CELL: &str = "padding:3px 16px 3px 0;text-align:left;font-size:15px";
const CHIP: &str = "display:inline-block;margin:2px 6px 2px 0;padding:1px 8px;background:#f0f2f5;border-radius:3px";
const BUTTON: &str =
    "display:inline-block;padding:9px 18px;background:#1f5fa8;color:#ffffff;text-decoration:none;border-radius:4px";
const SMALL: &str =
    "margin:24px 0 0;padding-top:12px;border-top:1px solid #e4e7eb;font-size:12px;line-height:1.6;color:#52606d";

pub(super) fn render(letter: &Letter) -> String {
    let title = format!("{}{}", letter.code.title_ja(), letter.count());
    let mut html = head(&letter.subject(), &letter.opening(), &title);
    heading(&mut html, "起きたこと");
    section(&mut html, letter.code.happened_ja());
    match &letter.told {
        Told::People(people) => {
            heading(&mut html, "対象の方（社員番号）");
            list(&mut html, people);
        }
        Told::Value(value) => {
            heading(&mut html, "カオナビからの応答");
            let lines: Vec<String> = quoted(value).iter().map(|line| escaped(line)).collect();
            let _ = writeln!(html, "<p style=\"margin:0;color:#3e4c59\">{}</p>", lines.join("<br>\n"));
        }
        Told::UnreadFrom(day) => {
            heading(&mut html, UNREAD);
            section(&mut html, &unread_from(*day));
        }
        Told::Nothing => {}
    }
    heading(&mut html, "していただきたいこと");
    section(&mut html, letter.code.remedy_ja());
    look(&mut html, letter.link.as_deref());
    let _ = write!(
        html,
        "<p style=\"{SMALL}\">エラーコード：{}<br>\nお問い合わせの際は、このコードをお知らせください。<br>\n{CLOSING}</p>\n\
         </div>\n</body>\n</html>\n",
        letter.code
    );
    html
}

pub(super) fn notice(notice: &Notice) -> String {
    let mut html = head(&notice.subject(), &notice.opening, &notice.title);
    for (title, blocks) in &notice.sections {
        heading(&mut html, &escaped(title));
        put(&mut html, blocks);
    }
    look(&mut html, notice.link.as_deref());
    let _ = write!(html, "<p style=\"{SMALL}\">{CLOSING}</p>\n</div>\n</body>\n</html>\n");
    html
}

/// From the beginning of the page to what stands above all.
fn head(subject: &str, opening: &str, title: &str) -> String {
    format!(
        "<!DOCTYPE html>\n<html lang=\"ja\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light\">\n<title>{}</title>\n</head>\n\
         <body style=\"{PAGE}\">\n<div style=\"{CARD}\">\n<p style=\"margin:0\">{}</p>\n<h1 style=\"{TITLE}\">{}</h1>\n",
        escaped(subject),
        escaped(opening),
        escaped(title)
    )
}

fn look(html: &mut String, link: Option<&str>) {
    let Some(link) = link.map(escaped) else { return };
    let _ = writeln!(
        html,
        "<p style=\"margin:22px 0 0\"><a href=\"{link}\" style=\"{BUTTON}\">Renkei の画面で確認する</a></p>\n\
         <p style=\"margin:6px 0 0;font-size:12px;color:#52606d;word-break:break-all\">{link}</p>"
    );
}

fn heading(html: &mut String, text: &str) {
    let _ = writeln!(html, "<h2 style=\"{HEADING}\">{text}</h2>");
}

fn section(html: &mut String, markdown: &str) {
    put(html, &blocks(markdown));
}

fn put(html: &mut String, blocks: &[Block]) {
    let mut open = "";
    for block in blocks {
        let (tag, text) = match block {
            Block::Paragraph(text) => ("", text),
            Block::Step(_, text) => ("ol", text),
            Block::Point(text) => ("ul", text),
        };
        if tag != open {
            if !open.is_empty() {
                let _ = writeln!(html, "</{open}>");
            }
            if !tag.is_empty() {
                let _ = writeln!(html, "<{tag} style=\"margin:0;padding-left:24px\">");
            }
            open = tag;
        }
        let text = escaped(text);
        let _ = match tag {
            "" => writeln!(html, "<p style=\"margin:0 0 6px\">{text}</p>"),
            _ => writeln!(html, "<li style=\"margin:0 0 6px\">{text}</li>"),
        };
    }
    if !open.is_empty() {
        let _ = writeln!(html, "</{open}>");
    }
}

fn list(html: &mut String, people: &People) {
    if people.listed.iter().any(|person| person.name.is_some()) {
        html.push_str("<table style=\"border-collapse:collapse\">\n");
        for person in &people.listed {
            let name =
                person.name.as_deref().map(|name| format!("{} さん", escaped(&one_line(name)))).unwrap_or_default();
            let _ = writeln!(
                html,
                "<tr><td style=\"{CELL}\">{}</td><td style=\"{CELL}\">{name}</td></tr>",
                escaped(&person.label())
            );
        }
        html.push_str("</table>\n");
    } else {
        html.push_str("<p style=\"margin:0\">\n");
        for person in &people.listed {
            let _ = writeln!(html, "<span style=\"{CHIP}\">{}</span>", escaped(&person.label()));
        }
        html.push_str("</p>\n");
    }
    if people.more() > 0 {
        let _ = writeln!(html, "<p style=\"margin:4px 0 0\">ほか {} 名</p>", people.more());
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;").replace('\'', "&#39;")
}
