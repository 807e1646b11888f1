//! The department tree.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// A department.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Department {
    /// 所属コード
    pub code: String,
    /// 所属名
    pub name: String,
    /// The department above; none at the root.
    #[serde(default)]
    pub parent_code: Option<String>,
    /// 所属長
    #[serde(default)]
    pub leader_member_code: Option<String>,
    /// Place inside one parent.
    #[serde(default)]
    pub order: i64,
    /// Free text.
    #[serde(default)]
    pub memo: Option<String>,
}

/// Answers of `GET /members` need the names from the root down; made once per answer.
pub(crate) struct Tree<'a> {
    by_code: HashMap<&'a str, &'a Department>,
}

impl<'a> Tree<'a> {
    pub(crate) fn new(departments: &'a [Department]) -> Self {
        Self { by_code: departments.iter().map(|department| (department.code.as_str(), department)).collect() }
    }

    pub(crate) fn has(&self, code: &str) -> bool {
        self.by_code.contains_key(code)
    }

    /// `{code, name, names}` as members carry it.
    pub(crate) fn shown(&self, code: &str) -> Value {
        let mut names = Vec::new();
        let mut next = self.by_code.get(code);
        // A tree that an operator made into a ring still ends.
        while let Some(department) = next
            && names.len() < 64
        {
            names.push(department.name.as_str());
            next = department.parent_code.as_deref().and_then(|parent| self.by_code.get(parent));
        }
        names.reverse();
        json!({ "code": code, "name": names.join(" "), "names": names })
    }
}
