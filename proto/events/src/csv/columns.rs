//! Which column of a file is which field of a record.

use std::collections::{BTreeMap, HashMap};

use serde::{Deserialize, Serialize};

use super::Refusal;

macro_rules! fields {
    ($($(#[$doc:meta])* $name:ident = $key:literal [$($label:literal),+]),+ $(,)?) => {
        /// A field of a record that a column can fill.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum Field {
            $($(#[$doc])* $name,)+
        }

        impl Field {
            /// Every field.
            pub const ALL: &'static [Field] = &[$(Field::$name),+];

            /// The stable text.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self { $(Field::$name => $key),+ }
            }

            /// The names that a column of it may have, the usual one first.
            #[must_use]
            pub fn labels(self) -> &'static [&'static str] {
                match self { $(Field::$name => &[$($label),+]),+ }
            }
        }
    };
}

fields! {
    /// 従業員ID.
    EmployeeId = "employee_id" ["従業員ID", "従業員ID(内部ID)"],
    /// 社員番号.
    EmployeeNumber = "employee_number" ["社員番号"],
    /// 従業員ステータス.
    EmployeeStatus = "employee_status" ["従業員ステータス"],
    /// 状況.
    DataEntryState = "data_entry_state" ["状況"],
    /// 姓.
    LastName = "last_name" ["姓"],
    /// 名.
    FirstName = "first_name" ["名"],
    /// 姓(ヨミガナ).
    LastNameKana = "last_name_kana" ["姓(ヨミガナ)"],
    /// 名(ヨミガナ).
    FirstNameKana = "first_name_kana" ["名(ヨミガナ)"],
    /// ビジネスネーム.
    BusinessName = "business_name" ["ビジネスネーム"],
    /// ビジネスネーム(ヨミガナ).
    BusinessNameKana = "business_name_kana" ["ビジネスネーム(ヨミガナ)"],
    /// 性別.
    Gender = "gender" ["性別"],
    /// 生年月日.
    Birthday = "birthday" ["生年月日"],
    /// 入社日.
    HireDate = "hire_date" ["入社日"],
    /// 退職日.
    RetiredDate = "retired_date" ["退職日"],
    /// 雇用形態.
    EmploymentType = "employment_type" ["雇用形態"],
    /// 部署's code.
    DepartmentCode = "department_code" ["部署コード"],
    /// 部署's name.
    DepartmentName = "department_name" ["部署", "部署名"],
    /// メールアドレス.
    Email = "email" ["メールアドレス"],
    /// 更新日時.
    UpdatedAt = "updated_at" ["更新日時"],
}

impl Field {
    /// The usual name of a column of it, in Japanese.
    #[must_use]
    pub fn label(self) -> &'static str {
        self.labels().first().copied().unwrap_or(self.as_str())
    }
}

/// What a column's name is compared by: width, case and blanks set aside.
fn plain(name: &str) -> String {
    let narrow = |c: char| match c {
        '\u{ff01}'..='\u{ff5e}' => char::from_u32(u32::from(c) - 0xfee0).unwrap_or(c),
        other => other,
    };
    name.chars().map(narrow).filter(|c| !c.is_whitespace()).flat_map(char::to_lowercase).collect()
}

/// The names of columns that are understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Columns(HashMap<String, Option<Field>>);

impl Default for Columns {
    fn default() -> Self {
        Self::new(&BTreeMap::new())
    }
}

impl Columns {
    /// The usual names, Japanese labels and the names of the JSON contract, and over them those of a connection: name →
    /// field, or nothing for a column that is to be passed over.
    #[must_use]
    pub fn new(own: &BTreeMap<String, Option<Field>>) -> Self {
        let usual = Field::ALL.iter().flat_map(|field| {
            let labels = field.labels().iter().copied();
            labels.chain([field.as_str()]).map(|name| (plain(name), Some(*field)))
        });
        let mut names: HashMap<String, Option<Field>> = usual.collect();
        names.extend(own.iter().map(|(name, field)| (plain(name), *field)));
        Self(names)
    }

    /// The field that a column of this name fills.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<Field> {
        self.0.get(&plain(name)).copied().flatten()
    }
}

/// The header line, understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    columns: Vec<(String, Option<Field>)>,
}

impl Header {
    /// Understands a header line.
    ///
    /// # Errors
    /// When no column says who a row is about, or two fill one field.
    pub fn read(names: Vec<String>, columns: &Columns) -> Result<Self, Refusal> {
        let columns: Vec<(String, Option<Field>)> = names
            .into_iter()
            .map(|name| {
                let field = columns.field(&name);
                (name, field)
            })
            .collect();
        for (at, (name, field)) in columns.iter().enumerate() {
            let first = columns[..at].iter().find(|(_, other)| field.is_some() && other == field);
            if let (Some((first, _)), Some(field)) = (first, field) {
                return Err(Refusal::ColumnTwice { field: *field, first: first.clone(), second: name.clone() });
            }
        }
        let header = Self { columns };
        if !header.has(Field::EmployeeId) && !header.has(Field::EmployeeNumber) {
            return Err(Refusal::HeaderUnknown);
        }
        Ok(header)
    }

    /// Whether a column fills the field.
    #[must_use]
    pub fn has(&self, field: Field) -> bool {
        self.columns.iter().any(|(_, known)| *known == Some(field))
    }

    /// The columns that are read: name and field, in the order of the file.
    pub fn used(&self) -> impl Iterator<Item = (&str, Field)> {
        self.columns.iter().filter_map(|(name, field)| Some((name.as_str(), (*field)?)))
    }

    /// The names of the columns that are passed over.
    pub fn ignored(&self) -> impl Iterator<Item = &str> {
        self.columns.iter().filter(|(_, field)| field.is_none()).map(|(name, _)| name.as_str())
    }

    /// How many columns there are.
    pub(super) fn width(&self) -> usize {
        self.columns.len()
    }

    /// The places of the columns that are read.
    pub(super) fn places(&self) -> impl Iterator<Item = (usize, Field)> {
        self.columns.iter().enumerate().filter_map(|(at, (_, field))| Some((at, (*field)?)))
    }

    /// The name of the column at a place.
    pub(super) fn name(&self, at: usize) -> &str {
        self.columns.get(at).map_or("", |(name, _)| name.as_str())
    }
}
