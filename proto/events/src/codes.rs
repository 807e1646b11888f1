//! Every stable code: why somebody is not sent, why a connection stands still, why a request is refused.
//!
//! One list for all programs. The texts are stored, logged, mailed and answered, so a code never changes its meaning and is
//! not used again for another one. Each has a page in `docs/errors/`, in English and in Japanese; a test holds list, pages and
//! sources together.

mod list;

pub use list::Code;

use std::fmt;

/// Where the cause lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Side {
    /// The data or the sender at the source (連携元).
    Source,
    /// Our own fault.
    Renkei,
    /// カオナビ: its service, its set-up, its members.
    Destination,
    /// What people set or decided in Renkei.
    Settings,
    /// A limit on calls, which passes.
    Quota,
    /// Whoever calls the API.
    Caller,
}

impl Side {
    /// All sides.
    pub const ALL: [Side; 6] =
        [Side::Source, Side::Renkei, Side::Destination, Side::Settings, Side::Quota, Side::Caller];

    /// The stable text.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Side::Source => "source",
            Side::Renkei => "renkei",
            Side::Destination => "destination",
            Side::Settings => "settings",
            Side::Quota => "quota",
            Side::Caller => "caller",
        }
    }

    /// What people read, in Japanese.
    #[must_use]
    pub fn ja(self) -> &'static str {
        match self {
            Side::Source => "連携元（ロウムメイト、勤怠サービスなど）",
            Side::Renkei => "Renkei の不具合や障害",
            Side::Destination => "カオナビ側",
            Side::Settings => "Renkei での設定・判断",
            Side::Quota => "利用回数の上限",
            Side::Caller => "API を呼び出した側",
        }
    }

    /// What people read, in English.
    #[must_use]
    pub fn en(self) -> &'static str {
        match self {
            Side::Source => "The source",
            Side::Renkei => "Renkei",
            Side::Destination => "カオナビ",
            Side::Settings => "Settings and decisions in Renkei",
            Side::Quota => "A limit on calls",
            Side::Caller => "The caller of the API",
        }
    }
}

/// What is known about a code, whatever the case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry {
    /// The stable text.
    pub text: &'static str,
    /// Where the cause lies.
    pub side: Side,
    /// Whether a person has to act: otherwise it passes by itself, or nothing is wrong.
    pub needs_person: bool,
    /// The title in Japanese.
    pub title_ja: &'static str,
    /// The title in English.
    pub title_en: &'static str,
    /// The page in Japanese, as it stands in `docs/errors/ja`.
    pub page_ja: &'static str,
    /// The page in English, as it stands in `docs/errors`.
    pub page_en: &'static str,
}

impl Code {
    /// The code with this text.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|code| code.as_str() == text)
    }

    /// The stable text.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        self.entry().text
    }

    /// Where the cause lies.
    #[must_use]
    pub fn side(self) -> Side {
        self.entry().side
    }

    /// Whether a person has to act.
    #[must_use]
    pub fn needs_person(self) -> bool {
        self.entry().needs_person
    }

    /// The title in Japanese.
    #[must_use]
    pub fn title_ja(self) -> &'static str {
        self.entry().title_ja
    }

    /// Whether it is about the account at カオナビ as a whole, its keys and permissions: then it is one trouble for all
    /// connections of a company that use the account.
    #[must_use]
    pub fn account_wide(self) -> bool {
        matches!(
            self,
            Code::KaonaviCredentialsRefused
                | Code::KaonaviUnauthorized
                | Code::KaonaviForbidden
                | Code::KaonaviLayoutUnreadable
                | Code::KaonaviMemberListTooLarge
                | Code::KaonaviAnswerTooLarge
        )
    }

    /// The whole page in Japanese, as Markdown.
    #[must_use]
    pub fn page_ja(self) -> &'static str {
        self.entry().page_ja
    }

    /// The whole page in English, as Markdown.
    #[must_use]
    pub fn page_en(self) -> &'static str {
        self.entry().page_en
    }

    /// What to do about it, in Japanese: the last section of the page, as Markdown.
    #[must_use]
    pub fn remedy_ja(self) -> &'static str {
        self.section_ja("\n## 直しかた\n")
    }

    /// What happened, in Japanese: the first section of the page, as Markdown.
    #[must_use]
    pub fn happened_ja(self) -> &'static str {
        self.section_ja("\n## 起きたこと\n")
    }

    fn section_ja(self, heading: &str) -> &'static str {
        let after = self.page_ja().split_once(heading).map_or("", |(_, after)| after);
        after.split("\n## ").next().unwrap_or_default().trim()
    }

    /// The title in English.
    #[must_use]
    pub fn title_en(self) -> &'static str {
        self.entry().title_en
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Makes the enum and its table from one line for each code, so that no code can be without its entry.
macro_rules! codes {
    (@act Act) => { true };
    (@act Wait) => { false };
    ($($name:ident: $text:literal, $side:ident, $act:ident, $ja:literal, $en:literal;)+) => {
        /// A stable code.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Code {
            $(#[doc = concat!("`", $text, "`: ", $en, ".")] $name,)+
        }

        impl Code {
            /// Every code, in the order of the index page.
            pub const ALL: &'static [Code] = &[$(Code::$name),+];

            /// What is known about the code.
            #[must_use]
            pub const fn entry(self) -> super::Entry {
                match self {
                    $(Code::$name => super::Entry {
                        text: $text,
                        side: Side::$side,
                        needs_person: codes!(@act $act),
                        title_ja: $ja,
                        title_en: $en,
                        page_ja: include_str!(concat!(
                            env!("CARGO_MANIFEST_DIR"), "/../../docs/errors/ja/", $text, ".md"
                        )),
                        page_en: include_str!(concat!(
                            env!("CARGO_MANIFEST_DIR"), "/../../docs/errors/", $text, ".md"
                        )),
                    },)+
                }
            }
        }
    };
}
use codes;
