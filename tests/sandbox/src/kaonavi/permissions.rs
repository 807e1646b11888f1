//! 操作対象の管理: which operations are ticked. All are off until somebody ticks them.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

/// A check box of a target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Operation {
    /// 取得
    #[serde(alias = "取得")]
    Read,
    /// 更新
    #[serde(alias = "更新")]
    Update,
    /// 登録
    #[serde(alias = "登録")]
    Create,
    /// 削除
    #[serde(alias = "削除")]
    Delete,
}

/// The boxes that are ticked, per target.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Permissions {
    /// メンバー情報(基本情報・兼務情報)
    pub members: BTreeSet<Operation>,
    /// 所属ツリー
    pub departments: BTreeSet<Operation>,
}

impl Permissions {
    /// The three boxes that a link needs: 取得, 更新 and 登録 of members.
    #[must_use]
    pub fn for_members() -> Self {
        Self {
            members: BTreeSet::from([Operation::Read, Operation::Update, Operation::Create]),
            departments: BTreeSet::new(),
        }
    }

    /// Every box of members and departments.
    #[must_use]
    pub fn all() -> Self {
        let all = BTreeSet::from([Operation::Read, Operation::Update, Operation::Create, Operation::Delete]);
        Self { members: all.clone(), departments: all }
    }
}
