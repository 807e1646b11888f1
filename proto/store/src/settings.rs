//! What an administrator decides for one connection.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

/// The settings of a connection. Every key has a default, so that an old row stays readable.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// What stands between 姓 and 名.
    pub name_joiner: String,
    /// The source's 性別 labels, each to one of カオナビ's choices, or to nothing ("do not send").
    pub gender: BTreeMap<String, Option<String>>,
    /// Values for layout items of カオナビ, sent when a member is created: `mail`, …, `custom:{id}`.
    pub constants: BTreeMap<String, String>,
    /// Mapped fields that are cleared in カオナビ when the source has no value any more; the others are kept.
    pub clear_when_empty: BTreeSet<String>,
    /// How many employees one call may carry.
    pub batch_size: u32,
    /// Whether the account runs its tasks strictly in the order of acceptance.
    pub fifo_tasks: bool,
    /// Whether hiragana in readings becomes katakana.
    pub hiragana_to_katakana: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            name_joiner: " ".to_owned(),
            gender: BTreeMap::new(),
            constants: BTreeMap::new(),
            clear_when_empty: BTreeSet::new(),
            batch_size: 200,
            fifo_tasks: true,
            hiragana_to_katakana: false,
        }
    }
}
