//! What a verification found: a worker writes it down, and the API tells it.

use renkei_events::codes::Code;
use serde::{Deserialize, Serialize};

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Check {
    /// `credentials`, `read` (取得), `update` (更新), `create` (登録), `layout`, `mapping`, `departments`.
    pub what: String,
    /// Whether all is well.
    pub ok: bool,
    /// What is wrong, as a stable code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// What it is about: an item or a choice of the settings; nothing personal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub about: Option<String>,
}

impl Check {
    /// All is well with `what`.
    #[must_use]
    pub fn good(what: &str) -> Self {
        Self { what: what.to_owned(), ok: true, code: None, about: None }
    }

    /// Something is wrong.
    #[must_use]
    pub fn bad(what: &str, code: Code, about: Option<&str>) -> Self {
        Self { what: what.to_owned(), ok: false, code: Some(code.as_str().to_owned()), about: about.map(str::to_owned) }
    }

    /// What stands in the way of switching on, as it is kept with the connection: a code, and after a colon what it is about.
    #[must_use]
    pub fn line(&self) -> String {
        let code = self.code.as_deref().unwrap_or_default();
        self.about.as_ref().map_or_else(|| code.to_owned(), |about| format!("{code}: {about}"))
    }
}

/// The code of a [line](Check::line) and what it is about. A line of another form is told as it is.
#[must_use]
pub fn read_line(line: &str) -> (Option<Code>, Option<&str>) {
    let (code, about) = match line.split_once(": ") {
        Some((code, about)) => (code, Some(about)),
        None => (line, None),
    };
    match Code::parse(code) {
        Some(code) => (Some(code), about),
        None => (None, Some(line)),
    }
}
