//! The checks of a write's body at the door (V-rules): shape, lengths, dates, choices, required items.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use super::jst;
use super::layout::{CustomField, Field, FieldType, Layout, TypeDetail};
use super::member::TextField;
use super::settings::{DuplicateCreate, LengthUnit, NameMembers, Settings};

/// What a write says about one member; what it leaves out is `None`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Row {
    pub(crate) code: String,
    texts: [Option<String>; 7],
    pub(crate) department: Option<Option<String>>,
    pub(crate) sub_departments: Option<Vec<String>>,
    pub(crate) custom: BTreeMap<i64, Vec<String>>,
    /// The row as it came.
    pub(crate) json: String,
}

impl Row {
    pub(crate) fn text(&self, key: TextField) -> Option<&str> {
        self.texts[key as usize].as_deref()
    }

    /// All departments that the row names.
    pub(crate) fn departments(&self) -> impl Iterator<Item = &String> {
        self.department.iter().flatten().chain(self.sub_departments.iter().flatten())
    }
}

/// What the body is checked against.
pub(crate) struct Door<'a> {
    pub(crate) layout: &'a Layout,
    pub(crate) settings: &'a Settings,
    pub(crate) bad_codes: &'a BTreeSet<String>,
    /// Whether a member has the code now.
    pub(crate) exists: &'a dyn Fn(&str) -> bool,
    /// Creation, not update.
    pub(crate) create: bool,
}

/// One problem's member, for its text.
#[derive(Clone, Copy)]
struct Whom<'a> {
    index: usize,
    code: Option<&'a str>,
}

/// The problems found so far, as texts.
struct Problems<'a> {
    settings: &'a Settings,
    texts: Vec<String>,
}

impl Problems<'_> {
    fn add(&mut self, whom: Whom<'_>, item: &str, what: &str, value: Option<&str>) {
        let mut text = match (self.settings.errors_name, whom.code) {
            (NameMembers::Code, Some(code)) => format!("{code}: {item} {what}"),
            (NameMembers::Nobody, _) => format!("{item} {what}"),
            _ => format!("member_data.{}.{item} {what}", whom.index),
        };
        if let (true, Some(value)) = (self.settings.quote_values, value) {
            text.push_str(&format!("(値: {value})"));
        }
        self.texts.push(text);
    }
}

const REQUIRED: &str = "は必須です";
const WRONG_TYPE: &str = "の型が不正です";
const WRONG_VALUE: &str = "の値が不正です";
const TOO_LONG: &str = "が長すぎます";
const CLOSED: &str = "は更新できません";

impl Door<'_> {
    /// Reads a body; all its problems if there is any.
    pub(crate) fn read(&self, body: &[u8]) -> Result<Vec<Row>, Vec<String>> {
        let refused = |text: &str| Err(vec![text.to_owned()]);
        let Ok(body) = serde_json::from_slice::<Value>(body) else {
            return refused("リクエストボディのJSONが不正です");
        };
        let Some(rows) = body.as_object().and_then(|body| body.get("member_data")).and_then(Value::as_array) else {
            return refused("member_data は必須です");
        };
        if rows.is_empty() {
            return refused("member_data は1件以上指定してください");
        }
        let mut problems = Problems { settings: self.settings, texts: Vec::new() };
        let mut seen = BTreeSet::new();
        let mut read = Vec::with_capacity(rows.len());
        for (index, row) in rows.iter().enumerate() {
            if let Some(row) = self.row(index, row, &mut problems) {
                let whom = Whom { index, code: Some(&row.code) };
                if !seen.insert(row.code.clone()) && self.settings.refuse_repeated_codes {
                    problems.add(whom, "code", "が重複しています", None);
                }
                read.push(row);
            }
        }
        if problems.texts.is_empty() { Ok(read) } else { Err(problems.texts) }
    }

    fn row(&self, index: usize, value: &Value, problems: &mut Problems<'_>) -> Option<Row> {
        let nameless = Whom { index, code: None };
        let Some(map) = value.as_object() else {
            problems.add(nameless, "code", WRONG_TYPE, None);
            return None;
        };
        let code = match map.get("code") {
            Some(Value::String(code)) if !code.is_empty() => code.clone(),
            Some(Value::String(_) | Value::Null) | None => {
                problems.add(nameless, "code", REQUIRED, None);
                return None;
            }
            Some(_) => {
                problems.add(nameless, "code", WRONG_TYPE, None);
                return None;
            }
        };
        let mut row = Row { code: code.clone(), json: value.to_string(), ..Row::default() };
        let whom = Whom { index, code: Some(&code) };
        self.code(whom, &code, problems);
        for key in TextField::ALL {
            row.texts[key as usize] = self.standard(whom, map, key, problems);
        }
        row.department = self.department(whom, map, problems);
        row.sub_departments = self.sub_departments(whom, map, problems);
        self.customs(whom, map, &mut row, problems);
        self.other_keys(whom, map, problems);
        Some(row)
    }

    fn code(&self, whom: Whom<'_>, code: &str, problems: &mut Problems<'_>) {
        if self.too_long(&self.layout.code, code) {
            problems.add(whom, "code", TOO_LONG, Some(code));
        }
        if self.bad_codes.contains(code) {
            problems.add(whom, "code", WRONG_VALUE, Some(code));
        }
        let exists = (self.exists)(code);
        if self.create && exists && self.settings.duplicate_create == DuplicateCreate::BadRequest {
            problems.add(whom, "code", "は既に登録されています", Some(code));
        }
        if !self.create && !exists && self.settings.unknown_update_is_bad_request {
            problems.add(whom, "code", "は登録されていません", Some(code));
        }
    }

    fn too_long(&self, field: &Field, value: &str) -> bool {
        let length = match self.settings.length_unit {
            LengthUnit::CodePoints => value.chars().count(),
            LengthUnit::Utf16 => value.encode_utf16().count(),
        };
        field.max_length.is_some_and(|most| length > most)
    }

    /// Whether a required item is missing: always on creation, on update only when it is sent blank.
    fn lacks(&self, field: &Field, sent: Option<bool>) -> bool {
        let writable = !field.read_only && field.kind != FieldType::Calc;
        field.required && writable && sent.map_or(self.create, |blank| blank)
    }

    fn standard(
        &self,
        whom: Whom<'_>,
        map: &Map<String, Value>,
        key: TextField,
        problems: &mut Problems<'_>,
    ) -> Option<String> {
        let (field, item) = (self.layout.text(key), key.key());
        let value = match map.get(item) {
            None => None,
            Some(Value::Null) => Some(String::new()),
            Some(Value::String(text)) => Some(text.clone()),
            Some(_) => {
                problems.add(whom, item, WRONG_TYPE, None);
                return None;
            }
        };
        if self.lacks(field, value.as_ref().map(|value| value.trim().is_empty())) {
            problems.add(whom, item, REQUIRED, None);
        }
        let value = value?;
        if self.settings.refuse_read_only && field.read_only {
            problems.add(whom, item, CLOSED, None);
        }
        if let Some(what) = self.fault(field, None, &value) {
            problems.add(whom, item, what, Some(&value));
        }
        Some(value)
    }

    /// What is wrong with one value of an item; blank is never wrong here.
    fn fault(&self, field: &Field, detail: Option<TypeDetail>, value: &str) -> Option<&'static str> {
        if value.is_empty() {
            return None;
        }
        let good = match (field.kind, detail) {
            (FieldType::Date, _) | (_, Some(TypeDetail::Date)) => jst::parse_date(value).is_some(),
            (_, Some(TypeDetail::YearMonth)) => jst::is_year_month(value),
            (FieldType::Enum, _) => field.offers(value),
            (FieldType::Number, _) => is_number(value),
            _ => true,
        };
        if !good {
            return Some(WRONG_VALUE);
        }
        self.too_long(field, value).then_some(TOO_LONG)
    }

    fn department(
        &self,
        whom: Whom<'_>,
        map: &Map<String, Value>,
        problems: &mut Problems<'_>,
    ) -> Option<Option<String>> {
        let read = match map.get("department") {
            None => None,
            Some(value) => match department_code(value) {
                Some(code) => Some(code),
                None => {
                    problems.add(whom, "department", WRONG_TYPE, None);
                    return None;
                }
            },
        };
        if self.lacks(&self.layout.department, read.as_ref().map(Option::is_none)) {
            problems.add(whom, "department", REQUIRED, None);
        }
        read
    }

    fn sub_departments(
        &self,
        whom: Whom<'_>,
        map: &Map<String, Value>,
        problems: &mut Problems<'_>,
    ) -> Option<Vec<String>> {
        let read: Option<Vec<String>> = match map.get("sub_departments") {
            None => None,
            Some(Value::Null) => Some(Vec::new()),
            Some(value) => {
                let codes = value.as_array().map(|list| list.iter().map(department_code).collect::<Option<Vec<_>>>());
                let Some(Some(codes)) = codes else {
                    problems.add(whom, "sub_departments", WRONG_TYPE, None);
                    return None;
                };
                Some(codes.into_iter().flatten().collect())
            }
        };
        if self.lacks(&self.layout.sub_departments, read.as_ref().map(Vec::is_empty)) {
            problems.add(whom, "sub_departments", REQUIRED, None);
        }
        read
    }

    fn customs(&self, whom: Whom<'_>, map: &Map<String, Value>, row: &mut Row, problems: &mut Problems<'_>) {
        let none = Vec::new();
        let list = match map.get("custom_fields") {
            None | Some(Value::Null) => &none,
            Some(Value::Array(list)) => list,
            Some(_) => {
                problems.add(whom, "custom_fields", WRONG_TYPE, None);
                return;
            }
        };
        for (place, entry) in list.iter().enumerate() {
            let item = format!("custom_fields.{place}");
            let Some(id) = entry.get("id").and_then(Value::as_i64) else {
                problems.add(whom, &format!("{item}.id"), WRONG_TYPE, None);
                continue;
            };
            let Some(custom) = self.layout.custom(id) else {
                problems.add(whom, &format!("{item}.id"), "は存在しません", Some(&id.to_string()));
                continue;
            };
            if let Some(values) = self.values(whom, &item, custom, entry.get("values"), problems) {
                row.custom.insert(id, values);
            }
        }
        for custom in &self.layout.custom_fields {
            let sent = row.custom.get(&custom.id).map(|values| values.iter().all(|value| value.trim().is_empty()));
            if self.lacks(&custom.field, sent) {
                problems.add(whom, &format!("custom_fields({})", custom.id), REQUIRED, None);
            }
        }
    }

    fn values(
        &self,
        whom: Whom<'_>,
        item: &str,
        custom: &CustomField,
        values: Option<&Value>,
        problems: &mut Problems<'_>,
    ) -> Option<Vec<String>> {
        let item = format!("{item}.values");
        let texts: Option<Vec<String>> = values.and_then(Value::as_array).and_then(|list| {
            list.iter()
                .map(|value| match value {
                    Value::String(text) => Some(text.clone()),
                    Value::Null => Some(String::new()),
                    _ => None,
                })
                .collect()
        });
        let Some(texts) = texts else {
            problems.add(whom, &item, WRONG_TYPE, None);
            return None;
        };
        let by_other_calls = matches!(custom.type_detail, Some(TypeDetail::AttachFile | TypeDetail::FaceImage));
        let closed = custom.field.read_only || custom.field.kind == FieldType::Calc || by_other_calls;
        if closed {
            if self.settings.refuse_read_only {
                problems.add(whom, &item, CLOSED, None);
            }
            return None;
        }
        if texts.len() > 1 && custom.type_detail != Some(TypeDetail::CheckBox) {
            problems.add(whom, &item, "は1件だけ指定できます", None);
        }
        for text in &texts {
            if let Some(what) = self.fault(&custom.field, custom.type_detail, text) {
                problems.add(whom, &item, what, Some(text));
            }
        }
        Some(texts)
    }

    fn other_keys(&self, whom: Whom<'_>, map: &Map<String, Value>, problems: &mut Problems<'_>) {
        for key in map.keys() {
            let known = matches!(key.as_str(), "code" | "department" | "sub_departments" | "custom_fields")
                || TextField::ALL.iter().any(|text| text.key() == key);
            let computed = matches!(key.as_str(), "age" | "years_of_service" | "face_image");
            if computed && self.settings.refuse_computed_keys {
                problems.add(whom, key, CLOSED, None);
            } else if !known && !computed && self.settings.refuse_unknown_keys {
                problems.add(whom, key, "は不明な項目です", None);
            }
        }
    }
}

/// `{"code": …}`; the inner `None` clears. The outer `None` is a wrong type.
fn department_code(value: &Value) -> Option<Option<String>> {
    let code = match value {
        Value::Null => return Some(None),
        Value::Object(map) => map.get("code")?,
        _ => return None,
    };
    match code {
        Value::Null => Some(None),
        Value::String(code) => Some(Some(code.clone()).filter(|code| !code.is_empty())),
        _ => None,
    }
}

fn is_number(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let (whole, part) = digits.split_once('.').unwrap_or((digits, "0"));
    let all_digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    all_digits(whole) && all_digits(part)
}
