//! How a company is described when it is made: in code, in a file or over the admin API.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::departments::Department;
use super::layout::Layout;
use super::permissions::Permissions;
use super::settings::{Faults, Settings};

/// A company to make. In a file only `id`, `consumer_key` and `consumer_secret` are needed.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CompanySpec {
    /// Names the company in the admin API.
    pub id: String,
    /// What people read.
    #[serde(default)]
    pub name: String,
    /// Half of the credentials.
    pub consumer_key: String,
    /// The other half.
    pub consumer_secret: String,
    /// What is ticked; nothing if left out.
    #[serde(default)]
    pub permissions: Permissions,
    /// The layout; items left out are the usual ones.
    #[serde(default)]
    pub layout: Layout,
    /// The department tree, flat.
    #[serde(default)]
    pub departments: Vec<Department>,
    /// Members from the start, as a write would carry them.
    #[serde(default)]
    pub members: Vec<Value>,
    /// The switches.
    #[serde(default)]
    pub settings: Settings,
    /// Faults from the start.
    #[serde(default)]
    pub faults: Faults,
}

impl std::fmt::Debug for CompanySpec {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CompanySpec").field("id", &self.id).finish_non_exhaustive()
    }
}
