//! What the pages of the simulators have in common.

use crate::wire::Answer;

const STYLE: &str = "body{font:15px/1.6 system-ui,sans-serif;margin:1.5rem;color:#1c2733}table{border-collapse:collapse;\
margin:.4rem 0 1.6rem}th,td{border:1px solid #cfd6dd;padding:.15rem .6rem;text-align:left}th{background:#eef2f5}\
caption{text-align:left;font-weight:bold}";

/// Text that is safe inside an element or a quoted attribute.
pub(crate) fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            other => safe.push(other),
        }
    }
    safe
}

/// A table; its cells are plain text.
pub(crate) fn table<const N: usize>(
    caption: &str,
    heads: [&str; N],
    rows: impl Iterator<Item = [String; N]>,
) -> String {
    let line = |tag: &str, cells: &[String]| {
        let cells: String = cells.iter().map(|cell| format!("<{tag}>{}</{tag}>", escaped(cell))).collect();
        format!("<tr>{cells}</tr>")
    };
    let rows: String = rows.map(|cells| line("td", &cells)).collect();
    format!("<table><caption>{}</caption>{}{rows}</table>", escaped(caption), line("th", &heads.map(str::to_owned)))
}

/// A page that shows itself anew every few seconds, without any script.
pub(crate) fn answer(title: &str, body: &str) -> Answer {
    let html = format!(
        "<!DOCTYPE html><html lang=\"ja\"><head><meta charset=\"utf-8\"><meta http-equiv=\"refresh\" content=\"5\">\
         <title>{title}</title><style>{STYLE}</style></head><body><h1>{title}</h1>{body}</body></html>"
    );
    Answer::raw(200, "text/html; charset=utf-8", html.into_bytes())
        .with_header("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'")
        .with_header("X-Content-Type-Options", "nosniff")
}
