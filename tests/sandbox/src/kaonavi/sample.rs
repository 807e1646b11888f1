//! Companies that are ready to use.

use serde_json::json;

use super::departments::Department;
use super::layout::{CustomField, Field, Layout, TypeDetail};
use super::permissions::Permissions;
use super::settings::{Faults, Settings};
use super::spec::CompanySpec;

/// The id of the required item in [`company_with_required_field`].
pub const EMPLOYMENT_FIELD: i64 = 412;

/// A company with the usual layout, the three member boxes ticked, three departments and nobody in it. Its consumer key
/// is `key-{id}`, its secret `secret-{id}`.
#[must_use]
pub fn company(id: &str) -> CompanySpec {
    let department = |code: &str, name: &str, parent: Option<&str>, order| Department {
        code: code.to_owned(),
        name: name.to_owned(),
        parent_code: parent.map(str::to_owned),
        leader_member_code: None,
        order,
        memo: None,
    };
    let note = CustomField { id: 401, field: Field::text("内線番号", 20), type_detail: Some(TypeDetail::TextBox) };
    let closed =
        CustomField {
            id: 402, field: Field::text("管理番号", 20).read_only(), type_detail: Some(TypeDetail::TextBox)
        };
    let formula =
        CustomField { id: 403, field: Field::calc("勤続月数"), type_detail: Some(TypeDetail::CalcFormula) };
    CompanySpec {
        id: id.to_owned(),
        name: format!("サンプル株式会社 {id}"),
        consumer_key: format!("key-{id}"),
        consumer_secret: format!("secret-{id}"),
        permissions: Permissions::for_members(),
        layout: Layout { custom_fields: vec![note, closed, formula], ..Layout::default() },
        departments: vec![
            department("D100", "管理本部", None, 1),
            department("D300", "開発本部", None, 2),
            department("D310", "基盤部", Some("D300"), 1),
        ],
        members: Vec::new(),
        settings: Settings::default(),
        faults: Faults::default(),
    }
}

/// The same with a required item 雇用区分 (正社員, 契約社員) and one member who has it.
#[must_use]
pub fn company_with_required_field(id: &str) -> CompanySpec {
    let mut spec = company(id);
    spec.name = format!("必須項目株式会社 {id}");
    spec.layout.custom_fields.push(CustomField {
        id: EMPLOYMENT_FIELD,
        field: Field::choice("雇用区分", &["正社員", "契約社員"]).required(),
        type_detail: Some(TypeDetail::PullDown),
    });
    spec.members.push(json!({
        "code": "S20417", "name": "瀬戸 実咲", "name_kana": "セト ミサキ", "gender": "女性", "birthday": "1998-11-03",
        "entered_date": "2024-04-01", "department": { "code": "D310" },
        "custom_fields": [{ "id": EMPLOYMENT_FIELD, "values": ["正社員"] }],
    }));
    spec
}
