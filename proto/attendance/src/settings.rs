//! What an administrator decides about a link: how days are read, what files look like, and what is closed.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::breaks::BreakMode;
use crate::decide::PastMidnight;
use crate::files::Layout;
use crate::protection::Closing;
use crate::reading::hrmos::Options;
use crate::reading::kingoftime;
use crate::segments::{Segment, SegmentTable};

/// Settings of a link. What is left out is as it is by default.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LinkSettings {
    /// Which of the times of HRMOS勤怠 count.
    pub times: Options,
    /// How days of KING OF TIME and 勤革時 are read.
    pub kingoftime: kingoftime::Options,
    /// 勤務区分: title of a work type → what it is.
    pub work_types: BTreeMap<String, Segment>,
    /// What becomes of times past midnight.
    pub past_midnight: PastMidnight,
    /// How breaks are told.
    pub breaks: BreakMode,
    /// How files are written.
    pub files: Layout,
    /// 締め管理.
    pub closing: Closing,
    /// Who is told by mail; nobody named: whom the installation names.
    pub recipients: Vec<String>,
    /// Whether the link's recipients want to be told at 08:30 that files wait.
    pub daily_mail: bool,
}

impl Default for LinkSettings {
    fn default() -> Self {
        Self {
            times: Options::default(),
            kingoftime: kingoftime::Options::default(),
            work_types: BTreeMap::new(),
            past_midnight: PastMidnight::default(),
            breaks: BreakMode::default(),
            files: Layout::default(),
            closing: Closing::default(),
            recipients: Vec::new(),
            daily_mail: true,
        }
    }
}

impl LinkSettings {
    /// As they were kept. What can not be read is as it is by default: nobody has said what is closed, so no file is made.
    #[must_use]
    pub fn from_stored(text: &str) -> Self {
        serde_json::from_str(text).unwrap_or_default()
    }

    /// The table of work types: what was decided, over the source's own list.
    #[must_use]
    pub fn segments(&self, statuses: BTreeMap<String, i64>) -> SegmentTable {
        SegmentTable { titles: self.work_types.clone(), statuses }
    }
}
