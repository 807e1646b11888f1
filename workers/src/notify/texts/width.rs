//! Lines of at most 78 columns, where a Japanese letter takes two.

/// How wide a line may be.
pub const COLUMNS: usize = 78;
/// What may not begin a line, and therefore hangs over the end of the one before.
const CLOSING: &str = "、。，．）」』】〕］｝・ー：；！？)]},.";
/// What may not end a line.
const OPENING: &str = "（「『【〔［｛([{";

/// How many columns a letter takes: of those that appear in mails only ASCII and half-width katakana take one.
pub fn width_of(c: char) -> usize {
    if c.is_ascii() || ('\u{ff61}'..='\u{ff9f}').contains(&c) { 1 } else { 2 }
}

/// How many columns a text takes.
pub fn width(text: &str) -> usize {
    text.chars().map(width_of).sum()
}

/// Breaks a text into lines. The first begins with `first`, the others with as many blanks. A run of ASCII (an address, a
/// command) is never broken.
pub fn wrap(first: &str, text: &str) -> String {
    let indent = " ".repeat(width(first));
    // What hangs over must fit, too.
    let most = COLUMNS - 2;
    let mut lines = vec![first.to_owned()];
    let mut used = width(first);
    let start = used;
    for piece in pieces(text) {
        let closes = piece.chars().all(|c| CLOSING.contains(c));
        let wide = width(&piece);
        if used > start && used + wide > most && !(closes && used + wide <= COLUMNS) {
            lines.push(indent.clone());
            used = start;
            if piece == " " {
                continue;
            }
        }
        if let Some(line) = lines.last_mut() {
            line.push_str(&piece);
        }
        used += wide;
    }
    lines.iter().map(|line| line.trim_end()).collect::<Vec<_>>().join("\n")
}

/// What a line is not broken within.
fn pieces(text: &str) -> Vec<String> {
    let mut pieces: Vec<String> = Vec::new();
    for c in text.chars() {
        let joins = pieces.last().and_then(|piece| piece.chars().last()).is_some_and(|before| {
            let words = before.is_ascii_graphic() && c.is_ascii_graphic();
            words || OPENING.contains(before)
        });
        match pieces.last_mut() {
            Some(piece) if joins => piece.push(c),
            _ => pieces.push(c.to_string()),
        }
    }
    pieces
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_line_neither_begins_with_a_stop_nor_ends_with_an_opening_bracket() {
        let text = format!("{}。{}（かっこ）", "あ".repeat(38), "い".repeat(37));
        let wrapped = wrap("1. ", &text);
        let lines: Vec<&str> = wrapped.lines().collect();
        assert!(lines.len() >= 2 && lines[1].starts_with("   "), "{wrapped}");
        for line in &lines {
            assert!(!line.trim_start().starts_with(['。', '）']) && !line.ends_with('（'), "{wrapped}");
        }
    }

    proptest! {
        #[test]
        fn lines_are_short_and_nothing_is_lost(text in "[あ-んア-ン漢字、。（）a-z ]{0,300}") {
            let wrapped = wrap("・", &text);
            let bare = |text: &str| text.chars().filter(|c| !c.is_whitespace()).collect::<String>();
            prop_assert_eq!(bare(&wrapped), bare(&format!("・{text}")));
            for line in wrapped.lines() {
                let word = text.split(|c: char| !c.is_ascii_alphabetic()).map(str::len).max().unwrap_or(0);
                let opening = text.split(|c| !OPENING.contains(c)).map(|run| 2 * run.chars().count()).max().unwrap_or(0);
                prop_assert!(width(line) <= COLUMNS + word + opening, "{} in {line}", width(line));
            }
        }
    }
}
