//! The little Markdown that the pages about codes use, as blocks without marks.

/// A piece of text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Block {
    /// A paragraph.
    Paragraph(String),
    /// An item of a numbered list.
    Step(String, String),
    /// An item of a list.
    Point(String),
}

/// Reads a section of a page.
pub fn blocks(markdown: &str) -> Vec<Block> {
    let lines = markdown.lines().map(str::trim).filter(|line| !line.is_empty());
    lines.map(block).collect()
}

fn block(line: &str) -> Block {
    if let Some(rest) = line.strip_prefix("- ") {
        return Block::Point(plain(rest));
    }
    match line.split_once(". ") {
        Some((number, rest)) if !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()) => {
            Block::Step(number.to_owned(), plain(rest))
        }
        _ => Block::Paragraph(plain(line)),
    }
}

/// Without marks; of a link its text.
fn plain(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('[') {
        let link = after.split_once("](").and_then(|(label, tail)| Some((label, tail.split_once(')')?.1)));
        out.push_str(before);
        match link {
            Some((label, tail)) => {
                out.push_str(label);
                rest = tail;
            }
            None => {
                out.push('[');
                rest = after;
            }
        }
    }
    out.push_str(rest);
    out.replace("**", "").replace('`', "")
}

#[cfg(test)]
mod tests {
    use renkei_events::codes::Code;

    use super::*;

    #[test]
    fn marks_go_and_texts_stay() {
        let read =
            blocks("1. 鍵（`whsec_` で始まる文字）を見る\n2. [一覧](README.md)の **次**\n\n- 点\n文。 1. ではない");
        let step = |number: &str, text: &str| Block::Step(number.to_owned(), text.to_owned());
        assert_eq!(
            read,
            [
                step("1", "鍵（whsec_ で始まる文字）を見る"),
                step("2", "一覧の 次"),
                Block::Point("点".to_owned()),
                Block::Paragraph("文。 1. ではない".to_owned()),
            ]
        );
    }

    #[test]
    fn no_page_leaves_a_mark_in_a_mail() {
        for code in Code::ALL {
            for block in blocks(code.happened_ja()).into_iter().chain(blocks(code.remedy_ja())) {
                let (Block::Paragraph(text) | Block::Step(_, text) | Block::Point(text)) = block;
                let marked = ["`", "](", "**", "| "].iter().any(|mark| text.contains(mark));
                assert!(!marked && !text.starts_with('#'), "{code}: {text}");
            }
        }
    }
}
