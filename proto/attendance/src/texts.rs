//! Enums whose values are stored by a stable text and read by people in two languages.

macro_rules! told {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $code:literal, $ja:literal, $en:literal;)+ }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
        pub enum $name {
            $($(#[$variant_doc])* #[serde(rename = $code)] $variant),+
        }

        impl $name {
            /// All of them.
            pub const ALL: &[$name] = &[$($name::$variant),+];

            /// The stable text.
            #[must_use]
            pub fn code(self) -> &'static str {
                match self { $($name::$variant => $code),+ }
            }

            /// What people read, in Japanese.
            #[must_use]
            pub fn ja(self) -> &'static str {
                match self { $($name::$variant => $ja),+ }
            }

            /// What people read, in English.
            #[must_use]
            pub fn en(self) -> &'static str {
                match self { $($name::$variant => $en),+ }
            }

            /// The one with this stable text.
            #[must_use]
            pub fn parse(text: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|one| one.code() == text)
            }
        }
    };
}

pub(crate) use told;
