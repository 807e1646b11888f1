//! Identifiers as types, so that one can not stand where another is meant.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Why a text is not an identifier.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum IdFault {
    /// Empty, or nothing but blanks.
    #[error("is empty")]
    Empty,
    /// Longer than the limit, in Unicode code points.
    #[error("is too long")]
    TooLong,
    /// A control character stands in it.
    #[error("has a control character")]
    ControlCharacter,
    /// A blank (U+0020, U+3000, …) stands at its start or end.
    #[error("has a blank at an end")]
    BlankAtEnds,
    /// A character outside of what this identifier allows.
    #[error("has a character that is not allowed")]
    Character,
}

fn check(text: &str, longest: usize) -> Result<(), IdFault> {
    if text.trim().is_empty() {
        return Err(IdFault::Empty);
    }
    if text.chars().any(char::is_control) {
        return Err(IdFault::ControlCharacter);
    }
    if text.chars().count() > longest {
        return Err(IdFault::TooLong);
    }
    if text.trim() != text {
        return Err(IdFault::BlankAtEnds);
    }
    Ok(())
}

fn check_slug(text: &str, longest: usize) -> Result<(), IdFault> {
    check(text, longest)?;
    let allowed = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if text.chars().all(allowed) { Ok(()) } else { Err(IdFault::Character) }
}

macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident, $check:ident, $longest:literal) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// The longest allowed text, in Unicode code points.
            pub const LONGEST: usize = $longest;

            /// Checks `text`.
            ///
            /// # Errors
            /// Says which rule the text breaks.
            pub fn new(text: impl Into<String>) -> Result<Self, IdFault> {
                let text = text.into();
                $check(&text, $longest)?;
                Ok(Self(text))
            }

            /// The text as it was given.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<String> for $name {
            type Error = IdFault;
            fn try_from(text: String) -> Result<Self, IdFault> {
                Self::new(text)
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> String {
                id.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({:?})", stringify!($name), self.0)
            }
        }
    };
}

text_id!(
    /// A company (企業) that uses this installation. ASCII letters, digits, `-`, `_`; it stands in URLs and metrics.
    TenantId, check_slug, 64
);
text_id!(
    /// A connection (連携): one source to one destination of one tenant. ASCII letters, digits, `-`, `_`.
    ConnectionId, check_slug, 64
);
text_id!(
    /// One upload of a file. ASCII letters, digits, `-`, `_`; it stands in the ids of its events.
    UploadId, check_slug, 64
);
text_id!(
    /// The source's own, stable id of a person (従業員ID). At most 64 code points.
    EmployeeId, check, 64
);
text_id!(
    /// 社員番号: the key under which カオナビ knows a person. Text, exact, leading zeros kept, at most 50 code points.
    EmployeeNumber, check, 50
);
text_id!(
    /// The id of one event: `{webhook-id}/{index}`, `sweep/{employee_id}/{version}` or `csv/{upload}/{row}`.
    EventId, check, 300
);

/// When a state of an employee was made, in microseconds since 1970-01-01T00:00:00Z.
///
/// It is the earlier of the source's `updated_at` and the time when ingest received the record, so that a record dated
/// far ahead does not block that person for ever.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Version(pub i64);

impl Version {
    /// The version of a record that says `updated_at` and was received at `received_at`.
    #[must_use]
    pub fn judge(updated_at: jiff::Timestamp, received_at: jiff::Timestamp) -> Self {
        Self(updated_at.min(received_at).as_microsecond())
    }
}
