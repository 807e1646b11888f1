//! The layout of a company's members, in the shape of `GET /member_layouts`.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::member::TextField;

/// The type of an item.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FieldType {
    /// Text.
    String,
    /// A number, written as digits.
    Number,
    /// `YYYY-MM-DD`.
    Date,
    /// One of the choices.
    Enum,
    /// Computed by カオナビ.
    Calc,
    /// A department.
    Department,
    /// Several departments.
    #[serde(rename = "department[]")]
    Departments,
}

/// The finer type of a customer's item.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TypeDetail {
    /// One line.
    TextBox,
    /// Several lines.
    TextArea,
    /// A number.
    NumberBox,
    /// One of a list.
    PullDown,
    /// One of a few.
    RadioButton,
    /// Any of a few.
    CheckBox,
    /// A link.
    Link,
    /// A day.
    Date,
    /// A month.
    YearMonth,
    /// A file; not written by members calls.
    AttachFile,
    /// A photo; not written by members calls.
    FaceImage,
    /// A formula.
    CalcFormula,
}

/// One item of the layout.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Field {
    /// The label on the screen.
    pub name: String,
    /// Whether it must be filled.
    #[serde(default)]
    pub required: bool,
    /// Its type.
    #[serde(rename = "type")]
    pub kind: FieldType,
    /// Longest text.
    #[serde(default)]
    pub max_length: Option<usize>,
    /// The choices; the API really sends nulls here.
    #[serde(rename = "enum", default)]
    pub choices: Option<Vec<Option<String>>>,
    /// Whether the API can not write it; left out when it can.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub read_only: bool,
}

impl Field {
    fn new(name: &str, kind: FieldType) -> Self {
        Self {
            name: name.to_owned(),
            required: false,
            kind,
            max_length: None,
            choices: Some(Vec::new()),
            read_only: false,
        }
    }

    /// A text item.
    #[must_use]
    pub fn text(name: &str, max_length: usize) -> Self {
        Self { max_length: Some(max_length), ..Self::new(name, FieldType::String) }
    }

    /// A date item.
    #[must_use]
    pub fn date(name: &str) -> Self {
        Self::new(name, FieldType::Date)
    }

    /// An item with choices.
    #[must_use]
    pub fn choice(name: &str, choices: &[&str]) -> Self {
        let choices = choices.iter().map(|choice| Some((*choice).to_owned())).collect();
        Self { choices: Some(choices), ..Self::new(name, FieldType::Enum) }
    }

    /// A computed item.
    #[must_use]
    pub fn calc(name: &str) -> Self {
        Self { choices: None, ..Self::new(name, FieldType::Calc) }
    }

    /// The same item, required.
    #[must_use]
    pub fn required(self) -> Self {
        Self { required: true, ..self }
    }

    /// The same item, closed to the API.
    #[must_use]
    pub fn read_only(self) -> Self {
        Self { read_only: true, ..self }
    }

    /// Whether `value` is exactly one of the choices.
    #[must_use]
    pub fn offers(&self, value: &str) -> bool {
        self.choices.iter().flatten().flatten().any(|choice| choice == value)
    }
}

/// An item that the customer made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CustomField {
    /// Its id.
    pub id: i64,
    /// What every item has.
    #[serde(flatten)]
    pub field: Field,
    /// The finer type, if known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub type_detail: Option<TypeDetail>,
}

/// All items.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Layout {
    /// 社員番号
    pub code: Field,
    /// 氏名
    pub name: Field,
    /// フリガナ
    pub name_kana: Field,
    /// メールアドレス
    pub mail: Field,
    /// 入社日
    pub entered_date: Field,
    /// 退職日
    pub retired_date: Field,
    /// 性別
    pub gender: Field,
    /// 生年月日
    pub birthday: Field,
    /// 所属
    pub department: Field,
    /// 兼務情報
    pub sub_departments: Field,
    /// The customer's own items.
    pub custom_fields: Vec<CustomField>,
}

impl Default for Layout {
    fn default() -> Self {
        Self {
            code: Field::text("社員番号", 50).required(),
            name: Field::text("氏名", 100).required(),
            name_kana: Field::text("フリガナ", 100),
            mail: Field::text("メールアドレス", 100),
            entered_date: Field::date("入社日"),
            retired_date: Field::date("退職日"),
            gender: Field::choice("性別", &["男性", "女性"]),
            birthday: Field::date("生年月日"),
            department: Field::new("所属", FieldType::Department),
            sub_departments: Field::new("兼務情報", FieldType::Departments),
            custom_fields: Vec::new(),
        }
    }
}

impl Layout {
    /// The item behind a standard text key.
    #[must_use]
    pub fn text(&self, key: TextField) -> &Field {
        match key {
            TextField::Name => &self.name,
            TextField::NameKana => &self.name_kana,
            TextField::Mail => &self.mail,
            TextField::EnteredDate => &self.entered_date,
            TextField::RetiredDate => &self.retired_date,
            TextField::Gender => &self.gender,
            TextField::Birthday => &self.birthday,
        }
    }

    /// A customer's item by id.
    #[must_use]
    pub fn custom(&self, id: i64) -> Option<&CustomField> {
        self.custom_fields.iter().find(|custom| custom.id == id)
    }

    /// The answer of `GET /member_layouts`; computed items only when asked for.
    pub(crate) fn shown(&self, with_calc: bool) -> Value {
        let mut shown = self.clone();
        if !with_calc {
            shown.custom_fields.retain(|custom| custom.field.kind != FieldType::Calc);
        }
        serde_json::to_value(shown).unwrap_or(Value::Null)
    }
}
