//! V: what a body must look like.

use serde_json::{Value, json};

use super::desk::{Desk, passed, person, refused};
use super::{Rule, Shown, ensure, not_touched, run};
use crate::kaonavi::{DuplicateCreate, LengthUnit, Settings, SimRequest, sample};

pub(super) const RULES: &[Rule] = &[
    run("V1", "an object with a list that is not empty", no_list, a_list),
    run("V2", "each row has a code", no_code, a_list),
    run("V3", "no code twice in one body", code_twice, codes_once),
    run("V4", "nothing longer than the layout says", too_long, just_fits),
    run("V5", "required items are filled", required_missing, required_filled),
    run("V6", "dates are YYYY-MM-DD and exist", bad_dates, good_dates),
    run("V7", "choices are exact", near_choices, exact_choices),
    run("V8", "custom items exist and carry lists of texts", bad_customs, good_customs),
    run("V9", "read-only and computed items are closed", writes_closed, leaves_closed),
    run("V10", "unknown keys may be refused", sends_unknown, sends_known),
    run("V11", "computed keys may be refused", sends_computed, sends_known),
    run("V12", "a creation of an existing code is refused", creates_existing, updates_existing),
    run("V13", "codes are exact", pads_codes, keeps_codes),
    not_touched("V14", "choices of the master have names", "Renkei changes no choices"),
    not_touched("V15", "a deletion names codes", "Renkei deletes nothing"),
    not_touched("V16", "webhook settings have an https URL", "Renkei sets up no webhook at カオナビ"),
    not_touched("V17", "adding to a single-record sheet is refused", "Renkei writes no sheets"),
];

/// Every one of these creations is refused by 400, and leaves nothing.
fn all_refused(desk: &mut Desk, bodies: &[Value]) -> Shown {
    for body in bodies {
        refused(&desk.write("POST", body.clone()), 400).map_err(|why| format!("{body}: {why}"))?;
    }
    ensure!(desk.company()?.tasks().next().is_none(), "a task was made");
    Ok(())
}

/// Every one of these creations goes through.
fn all_done(desk: &mut Desk, bodies: &[Value]) -> Shown {
    for body in bodies {
        let answer = desk.write("POST", body.clone());
        desk.done(&answer).map_err(|why| format!("{body}: {why}"))?;
        desk.wait(60_000);
    }
    Ok(())
}

/// A row with more in it.
fn with(code: &str, more: Value) -> Value {
    let mut row = person(code);
    if let (Some(row), Value::Object(more)) = (row.as_object_mut(), more) {
        row.extend(more);
    }
    row
}

fn no_list() -> Shown {
    let mut desk = Desk::open()?;
    for text in [
        "",
        "[]",
        "{}",
        "null",
        "{\"member_data\":{}}",
        "{\"member_data\":[]}",
        "{\"members\":[{\"code\":\"A\"}]}",
        "{\"member_data\":[1",
    ] {
        let mut request = SimRequest::new("POST", "/api/v2.0/members").with_header("Content-Type", "application/json");
        request.body = text.as_bytes().to_vec();
        refused(&desk.call(request), 400).map_err(|why| format!("{text}: {why}"))?;
    }
    let mut form = Desk::writing("POST", json!([person("A1")]));
    form.headers.clear();
    refused(&desk.call(form), 415)
}

fn a_list() -> Shown {
    all_done(&mut Desk::open()?, &[json!([person("A1")]), json!([person("A2"), person("A3")])])
}

fn no_code() -> Shown {
    let name = "試験 太郎";
    let mut desk = Desk::open()?;
    all_refused(
        &mut desk,
        &[
            json!([{ "name": name }]),
            json!([{ "code": "", "name": name }]),
            json!([{ "code": null, "name": name }]),
            json!([{ "code": 42, "name": name }]),
            json!(["A1"]),
            json!([person("A1"), { "name": name }]),
        ],
    )
}

fn code_twice() -> Shown {
    all_refused(&mut Desk::open()?, &[json!([person("A1"), person("A2"), person("A1")])])
}

fn codes_once() -> Shown {
    all_done(&mut Desk::open()?, &[json!([person("A1"), person("a1"), person("A1 ")])])
}

fn too_long() -> Shown {
    let mut desk = Desk::open()?;
    all_refused(
        &mut desk,
        &[
            json!([person(&"1".repeat(51))]),
            json!([{ "code": "A1", "name": "髙".repeat(101) }]),
            json!([with("A1", json!({ "custom_fields": [{ "id": 401, "values": ["1".repeat(21)] }] }))]),
        ],
    )?;
    let settings = Settings { length_unit: LengthUnit::Utf16, ..Settings::default() };
    let mut desk = Desk::with(|spec| spec.settings = settings)?;
    all_refused(&mut desk, &[json!([{ "code": "A1", "name": "𠮷".repeat(51) }])])
}

fn just_fits() -> Shown {
    let mut desk = Desk::open()?;
    all_done(&mut desk, &[json!([person(&"1".repeat(50))]), json!([{ "code": "A1", "name": "𠮷".repeat(100) }])])
}

fn required_company() -> Result<Desk, String> {
    Desk::with(|spec| spec.layout = sample::company_with_required_field("x").layout)
}

fn employed(code: &str) -> Value {
    with(code, json!({ "custom_fields": [{ "id": sample::EMPLOYMENT_FIELD, "values": ["正社員"] }] }))
}

fn required_missing() -> Shown {
    let mut desk = required_company()?;
    let blank = json!({ "custom_fields": [{ "id": sample::EMPLOYMENT_FIELD, "values": [""] }] });
    all_refused(
        &mut desk,
        &[
            json!([person("A1")]),
            json!([with("A1", blank)]),
            json!([{ "code": "A1" }]),
            json!([with("A1", json!({ "name": "\u{3000}" }))]),
        ],
    )?;
    desk.hired(employed("A1"))?;
    refused(&desk.write("PATCH", json!([{ "code": "A1", "name": "" }])), 400)
}

fn required_filled() -> Shown {
    let mut desk = required_company()?;
    desk.hired(employed("A1"))?;
    // An update may leave required items out.
    let answer = desk.write("PATCH", json!([{ "code": "A1", "gender": "女性" }]));
    desk.done(&answer)
}

fn bad_dates() -> Shown {
    let mut desk = Desk::open()?;
    for bad in
        ["2023-02-29", "2026/04/01", "2026-4-1", "20260401", "２０２６-04-01", " 2026-04-01", "2026-04-01T00:00:00"]
    {
        all_refused(&mut desk, &[json!([with("A1", json!({ "birthday": bad }))])])?;
    }
    all_refused(&mut desk, &[json!([with("A1", json!({ "entered_date": 20_260_401 }))])])
}

fn good_dates() -> Shown {
    let good = json!({ "birthday": "2024-02-29", "entered_date": "", "retired_date": null });
    all_done(&mut Desk::open()?, &[json!([with("A1", good)])])
}

fn near_choices() -> Shown {
    let mut desk = Desk::open()?;
    for near in ["男", "男性 ", "male", "その他"] {
        all_refused(&mut desk, &[json!([with("A1", json!({ "gender": near }))])])?;
    }
    Ok(())
}

fn exact_choices() -> Shown {
    let mut desk = Desk::open()?;
    all_done(&mut desk, &[json!([with("A1", json!({ "gender": "男性" })), with("A2", json!({ "gender": "" }))])])
}

fn bad_customs() -> Shown {
    let mut desk = Desk::open()?;
    for fields in [
        json!([{ "id": 999, "values": ["1"] }]),
        json!([{ "id": "401", "values": ["1"] }]),
        json!([{ "id": 401, "values": "1" }]),
        json!([{ "id": 401, "values": [1] }]),
        json!([{ "id": 401, "values": ["1", "2"] }]),
        json!([{ "id": 401 }]),
        json!({ "401": "1" }),
    ] {
        all_refused(&mut desk, &[json!([with("A1", json!({ "custom_fields": fields }))])])?;
    }
    Ok(())
}

fn good_customs() -> Shown {
    let mut desk = Desk::open()?;
    let fields = json!({ "custom_fields": [{ "id": 401, "values": ["1234"] }] });
    all_done(&mut desk, &[json!([with("A1", fields)])])?;
    let member = desk.member("A1").unwrap_or_default();
    let shown = member.pointer("/custom_fields/0/values/0");
    ensure!(shown == Some(&json!("1234")), "shown as {shown:?}");
    Ok(())
}

fn writes_closed() -> Shown {
    let mut desk = Desk::open()?;
    for closed in [402, 403] {
        let fields = json!({ "custom_fields": [{ "id": closed, "values": ["1"] }] });
        all_refused(&mut desk, &[json!([with("A1", fields)])])?;
    }
    Ok(())
}

fn leaves_closed() -> Shown {
    a_list()
}

fn strict() -> Result<Desk, String> {
    let settings = Settings { refuse_unknown_keys: true, refuse_computed_keys: true, ..Settings::default() };
    Desk::with(|spec| spec.settings = settings)
}

fn sends_unknown() -> Shown {
    let row = json!([with("A1", json!({ "nickname": "タロ" }))]);
    all_done(&mut Desk::open()?, std::slice::from_ref(&row))?;
    all_refused(&mut strict()?, &[row])
}

fn sends_computed() -> Shown {
    let row = json!([with("A1", json!({ "age": 30, "years_of_service": "1年", "face_image": null }))]);
    let mut desk = Desk::open()?;
    all_done(&mut desk, std::slice::from_ref(&row))?;
    let age = desk.member("A1").unwrap_or_default().get("age").cloned();
    ensure!(age == Some(Value::Null), "age was taken over: {age:?}");
    all_refused(&mut strict()?, &[row])
}

fn sends_known() -> Shown {
    let row = with(
        "A1",
        json!({ "name_kana": "シケン", "gender": "男性", "birthday": "2000-01-01", "entered_date": "2026-04-01" }),
    );
    all_done(&mut strict()?, &[json!([row])])
}

fn creates_existing() -> Shown {
    let mut desk = Desk::open()?;
    desk.hired(person("A1"))?;
    refused(&desk.write("POST", json!([person("A1")])), 400)?;
    let settings = Settings { duplicate_create: DuplicateCreate::TaskNg, ..Settings::default() };
    let mut desk = Desk::with(|spec| spec.settings = settings)?;
    desk.hired(person("A1"))?;
    let answer = desk.write("POST", json!([person("A1"), person("A2")]));
    let status = desk.ended(&answer)?;
    ensure!(status == "NG" && desk.member("A2").is_none(), "task ended {status}");
    Ok(())
}

fn updates_existing() -> Shown {
    let mut desk = Desk::open()?;
    desk.hired(person("A1"))?;
    let answer = desk.write("PATCH", json!([{ "code": "A1", "name": "試験 次郎" }]));
    desk.done(&answer)
}

fn pads_codes() -> Shown {
    let mut desk = Desk::open()?;
    desk.hired(person("0042"))?;
    for near in ["42", "0042 ", "００４２"] {
        let answer = desk.write("PATCH", json!([person(near)]));
        let status = desk.ended(&answer)?;
        ensure!(status == "NG", "{near:?} found 0042");
    }
    Ok(())
}

fn keeps_codes() -> Shown {
    let mut desk = Desk::open()?;
    desk.hired(person("0042"))?;
    passed(&desk.write("PATCH", json!([person("0042")])))?;
    ensure!(desk.member("0042").is_some() && desk.member("42").is_none(), "the code changed");
    Ok(())
}
