//! What a verification found and what stands in the way of switching on, each with what to do about it.

use renkei_events::codes::Code;
use renkei_store::connections::Connection;
use renkei_store::verification::{Check, read_line};
use serde::Serialize;
use utoipa::ToSchema;

use super::Time;
use crate::pages;

/// Whether it would work.
#[derive(Debug, Serialize, ToSchema)]
pub struct VerificationView {
    /// Since when an answer is waited for.
    wanted: Option<Time>,
    /// When it was last tried.
    verified: Option<Time>,
    /// What was tried, with which end; null: nothing yet.
    result: Option<Vec<FindingView>>,
}

impl From<&Connection> for VerificationView {
    fn from(connection: &Connection) -> Self {
        let last = connection.verification.as_ref();
        Self {
            wanted: connection.verify_wanted.map(Time::from),
            verified: last.map(|(at, _)| Time::from(*at)),
            result: last.map(|(_, found)| found.iter().cloned().map(FindingView::from).collect()),
        }
    }
}

/// One thing that was tried.
#[derive(Debug, Serialize, ToSchema)]
pub struct FindingView {
    /// credentials, read, update, create, layout, mapping, departments.
    what: String,
    /// Whether all is well with it.
    ok: bool,
    /// What is wrong: a code of `/docs/errors/`.
    code: Option<String>,
    /// What is wrong, in Japanese.
    title_ja: Option<&'static str>,
    /// What is wrong, in English.
    title_en: Option<&'static str>,
    /// What it is about: an item or a choice of the settings.
    about: Option<String>,
    /// Where it is written what to do.
    remedy: Option<String>,
}

impl From<Check> for FindingView {
    fn from(found: Check) -> Self {
        let listed = found.code.as_deref().and_then(Code::parse);
        Self {
            what: found.what,
            ok: found.ok,
            code: found.code,
            title_ja: listed.map(Code::title_ja),
            title_en: listed.map(Code::title_en),
            about: found.about,
            remedy: listed.map(pages::address),
        }
    }
}

/// Something that stood in the way of switching on.
#[derive(Debug, Serialize, ToSchema)]
pub struct ObstacleView {
    /// What it is: a code of `/docs/errors/`.
    code: Option<String>,
    /// What it is, in Japanese.
    title_ja: Option<&'static str>,
    /// What it is, in English.
    title_en: Option<&'static str>,
    /// What it is about: an item or a choice of the settings.
    about: Option<String>,
    /// Where it is written what to do.
    remedy: Option<String>,
}

impl ObstacleView {
    /// Reads the line that a worker left.
    pub(super) fn read(line: &str) -> Self {
        let (code, about) = read_line(line);
        Self {
            code: code.map(|code| code.as_str().to_owned()),
            title_ja: code.map(Code::title_ja),
            title_en: code.map(Code::title_en),
            about: about.map(str::to_owned),
            remedy: code.map(pages::address),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_a_worker_is_read_as_code_and_what_it_is_about() {
        for (line, code, about) in [
            ("kaonavi.credentials_refused", Some("kaonavi.credentials_refused"), None),
            ("kaonavi.forbidden: 登録", Some("kaonavi.forbidden"), Some("登録")),
            ("mapping.gender_unmapped: a: b", Some("mapping.gender_unmapped"), Some("a: b")),
            ("nothing.known: x", None, Some("nothing.known: x")),
        ] {
            let read = ObstacleView::read(line);
            assert_eq!((read.code.as_deref(), read.about.as_deref()), (code, about), "{line}");
            assert_eq!(read.remedy, code.map(|code| format!("/docs/errors/{code}")), "{line}");
            assert_eq!((read.title_ja.is_some(), read.title_en.is_some()), (code.is_some(), code.is_some()), "{line}");
        }
    }
}
