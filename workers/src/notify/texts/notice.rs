//! A mail that says how things stand, not that something is wrong: sections of text without a code.

use super::blocks::Block;
use super::{html, one_line, plain};

/// What such a mail has to say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// After the mark of this program.
    pub subject: String,
    /// The first sentence.
    pub opening: String,
    /// What stands above all.
    pub title: String,
    /// Headings, and what stands below each.
    pub sections: Vec<(String, Vec<Block>)>,
    /// Where to look.
    pub link: Option<String>,
}

impl Notice {
    /// The subject.
    #[must_use]
    pub fn subject(&self) -> String {
        format!("【Renkei】{}", one_line(&self.subject))
    }

    /// As plain text.
    #[must_use]
    pub fn text(&self) -> String {
        plain::notice(self)
    }

    /// As HTML.
    #[must_use]
    pub fn html(&self) -> String {
        html::notice(self)
    }
}
