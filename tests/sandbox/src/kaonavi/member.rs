//! A member as カオナビ keeps it.

use std::collections::BTreeMap;

use jiff::civil::Date;
use renkei_runtime::clock::Millis;
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use serde_json::{Value, json};

use super::departments::Tree;
use super::jst;
use super::layout::Layout;
use super::validate::Row;

/// The standard items that are one text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum TextField {
    /// 氏名
    Name,
    /// フリガナ
    NameKana,
    /// メールアドレス
    Mail,
    /// 入社日
    EnteredDate,
    /// 退職日
    RetiredDate,
    /// 性別
    Gender,
    /// 生年月日
    Birthday,
}

impl TextField {
    /// All of them, in the order of the layout.
    pub const ALL: [TextField; 7] =
        [Self::Name, Self::NameKana, Self::Mail, Self::EnteredDate, Self::RetiredDate, Self::Gender, Self::Birthday];

    /// The key in JSON.
    #[must_use]
    pub fn key(self) -> &'static str {
        match self {
            Self::Name => "name",
            Self::NameKana => "name_kana",
            Self::Mail => "mail",
            Self::EnteredDate => "entered_date",
            Self::RetiredDate => "retired_date",
            Self::Gender => "gender",
            Self::Birthday => "birthday",
        }
    }
}

/// A member.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Member {
    /// 社員番号
    pub code: String,
    texts: [String; 7],
    /// 所属コード
    pub department: Option<String>,
    /// 所属コード of further posts
    pub sub_departments: Vec<String>,
    /// Values of the customer's items by id.
    pub custom: BTreeMap<i64, Vec<String>>,
    age: Option<i64>,
    years_of_service: String,
    /// When it last changed.
    pub changed_at: Millis,
}

impl Member {
    /// A member that has a code and nothing else.
    #[must_use]
    pub fn new(code: &str) -> Self {
        Self { code: code.to_owned(), ..Self::default() }
    }

    /// With one item set.
    #[must_use]
    pub fn with(mut self, key: TextField, value: &str) -> Self {
        self.set(key, value);
        self
    }

    /// Sets one item.
    pub fn set(&mut self, key: TextField, value: &str) {
        value.clone_into(&mut self.texts[key as usize]);
    }

    /// One item; empty when it is unset.
    #[must_use]
    pub fn get(&self, key: TextField) -> &str {
        &self.texts[key as usize]
    }

    /// Takes over what a write says; what it leaves out stays. Answers whether anything changed.
    pub(crate) fn apply(&mut self, row: &Row, at: Millis) -> bool {
        let before = self.clone();
        for key in TextField::ALL {
            if let Some(value) = row.text(key) {
                self.set(key, value);
            }
        }
        if let Some(department) = &row.department {
            self.department.clone_from(department);
        }
        if let Some(departments) = &row.sub_departments {
            self.sub_departments.clone_from(departments);
        }
        for (id, values) in &row.custom {
            if values.iter().all(String::is_empty) {
                self.custom.remove(id);
            } else {
                self.custom.insert(*id, values.clone());
            }
        }
        let changed = *self != before;
        if changed {
            self.changed_at = at;
        }
        changed
    }

    /// The computed items as the nightly batch leaves them.
    pub(crate) fn recompute(&mut self, today: Date) {
        self.age = jst::parse_date(self.get(TextField::Birthday)).map(|born| {
            i64::from(today.year())
                - i64::from(born.year())
                - i64::from((today.month(), today.day()) < (born.month(), born.day()))
        });
        self.years_of_service = jst::parse_date(self.get(TextField::EnteredDate))
            .filter(|entered| *entered <= today)
            .map_or_else(String::new, |entered| {
                let months = (i32::from(today.year()) - i32::from(entered.year())) * 12 + i32::from(today.month())
                    - i32::from(entered.month())
                    - i32::from(today.day() < entered.day());
                format!("{}年{}ヵ月", months / 12, months % 12)
            });
    }

    /// As `GET /members` shows it.
    pub(crate) fn shown<'a>(&'a self, layout: &'a Layout, tree: &'a Tree<'a>) -> Shown<'a> {
        Shown { member: self, layout, tree }
    }
}

/// A member on its way out.
pub(crate) struct Shown<'a> {
    member: &'a Member,
    layout: &'a Layout,
    tree: &'a Tree<'a>,
}

impl Serialize for Shown<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { member, layout, tree } = *self;
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("code", &member.code)?;
        for key in TextField::ALL {
            map.serialize_entry(key.key(), member.get(key))?;
        }
        map.serialize_entry("age", &member.age)?;
        map.serialize_entry("years_of_service", &member.years_of_service)?;
        let department = member
            .department
            .as_ref()
            .map_or_else(|| json!({ "code": "", "name": "", "names": [] }), |code| tree.shown(code));
        map.serialize_entry("department", &department)?;
        let others: Vec<Value> = member.sub_departments.iter().map(|code| tree.shown(code)).collect();
        map.serialize_entry("sub_departments", &others)?;
        map.serialize_entry("face_image", &Value::Null)?;
        let customs: Vec<Value> = layout
            .custom_fields
            .iter()
            .map(|custom| {
                let values = member.custom.get(&custom.id).map(Vec::as_slice).unwrap_or_default();
                json!({ "id": custom.id, "name": custom.field.name, "values": values })
            })
            .collect();
        map.serialize_entry("custom_fields", &customs)?;
        map.end()
    }
}
