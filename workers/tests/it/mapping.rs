//! Who is sent, and as what: the manual's rules and its traps, as tables.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use renkei_events::event::Change;
use renkei_events::record::EmployeeRecord;
use renkei_runtime::clock::Millis;
use renkei_sandbox::kaonavi::{TextField, sample};
use renkei_store::codes::{Code, near_key};
use renkei_store::connections::ConnectionState;
use renkei_store::employees::{EmployeeKey, FullRow, Op, RowState, Values};
use renkei_store::settings::Settings;
use renkei_workers::members::doc::{Layout, LayoutItem};
use renkei_workers::members::eligible::eligible;
use renkei_workers::members::judge::{Facts, Verdict, judge};
use renkei_workers::members::map::map;
use serde_json::{Value, json};

use crate::people::{member, person, record};
use crate::world::{START, World, link, settings};

const NOW: Millis = Millis(START);

fn item(kind: &str, required: bool, longest: Option<u32>, choices: &[&str]) -> LayoutItem {
    LayoutItem {
        name: "項目".to_owned(),
        required,
        kind: kind.to_owned(),
        max_length: longest,
        choices: choices.iter().map(|choice| (*choice).to_owned()).collect(),
        read_only: false,
    }
}

fn layout() -> Layout {
    [
        ("code", item("string", true, Some(50), &[])),
        ("name", item("string", true, Some(100), &[])),
        ("name_kana", item("string", false, Some(100), &[])),
        ("mail", item("string", false, Some(100), &[])),
        ("entered_date", item("date", false, None, &[])),
        ("retired_date", item("date", false, None, &[])),
        ("gender", item("enum", false, None, &["男性", "女性"])),
        ("birthday", item("date", false, None, &[])),
    ]
    .map(|(key, item)| (key.to_owned(), item))
    .into()
}

fn with(key: &str, change: impl FnOnce(&mut LayoutItem)) -> Layout {
    let mut layout = layout();
    change(layout.entry(key.to_owned()).or_default());
    layout
}

fn values(expected: Value) -> Values {
    serde_json::from_value(expected).unwrap()
}

// ---- who ----

#[test]
fn r3_status_excludes_by_name_and_data_entry_includes_by_name() {
    let rows = [
        ("在籍", "データ入力完了", "E1", None),
        ("active", "completed", "E1", None),
        ("休職", "データ入力完了", "E1", None),
        ("内定", "データ入力完了", "E1", None),
        ("入社予定", "データ入力完了", "E1", None),
        ("出向中", "データ入力完了", "E1", None),
        ("応募者", "データ入力完了", "E1", Some("status_excluded")),
        ("退職", "データ入力完了", "E1", Some("status_excluded")),
        ("retired", "completed", "E1", Some("status_excluded")),
        ("在籍", "データ入力中", "E1", Some("data_entry_incomplete")),
        ("在籍", "確認待ち", "E1", Some("data_entry_incomplete")),
        ("在籍", "不明な値", "E1", Some("data_entry_incomplete")),
        ("応募者", "データ入力中", "E1", Some("status_excluded")),
        ("応募者", "データ入力中", "", Some("status_excluded")),
        ("在籍", "データ入力中", "", Some("data_entry_incomplete")),
        ("在籍", "データ入力完了", "", Some("missing_employee_number")),
        ("在籍", "データ入力完了", "　", Some("missing_employee_number")),
    ];
    for (status, state, number, expected) in rows {
        let changes = json!({ "employee_status": status, "data_entry_state": state, "employee_number": number });
        let judged = eligible(&record(changes, 1, NOW));
        assert_eq!(judged.err().map(renkei_workers::members::eligible::NotEligible::as_str), expected, "{status} {state} {number}");
    }
}

// ---- as what ----

struct Row {
    what: &'static str,
    record: Value,
    settings: Settings,
    layout: Layout,
    op: Op,
    expected: Result<Value, &'static str>,
}

/// A row of the table: the usual settings, the usual layout, a creation.
fn row(what: &'static str, record: Value, expected: Value) -> Row {
    Row { what, record, settings: settings(), layout: layout(), op: Op::Create, expected: Ok(expected) }
}

impl Row {
    fn settings(mut self, change: impl FnOnce(&mut Settings)) -> Self {
        change(&mut self.settings);
        self
    }
    fn layout(self, layout: Layout) -> Self {
        Self { layout, ..self }
    }
    fn update(self) -> Self {
        Self { op: Op::Update, ..self }
    }
    fn fails(self, code: &'static str) -> Self {
        Self { expected: Err(code), ..self }
    }
}

/// Nothing but what the row is about: the other fields are not provided.
fn only(changes: Value) -> Value {
    let mut bare = json!({
        "last_name": null, "first_name": null, "last_name_kana": null, "first_name_kana": null, "gender": null, "birthday": null,
        "hire_date": null,
    });
    for (key, value) in changes.as_object().unwrap() {
        bare[key] = value.clone();
    }
    bare
}

fn check(rows: Vec<Row>) {
    for row in rows {
        let record: EmployeeRecord = record(row.record, 1, NOW);
        let mapped = map(&record, &row.settings, &row.layout, row.op);
        match row.expected {
            Ok(expected) => {
                let mapped = mapped.unwrap_or_else(|fault| panic!("{}: {fault:?}", row.what));
                assert_eq!(mapped.values, values(expected), "{}", row.what);
            }
            Err(code) => assert_eq!(mapped.err().map(|fault| fault.code), Some(code), "{}", row.what),
        }
    }
}

#[test]
fn r6_five_fields_go_over_and_nothing_else() {
    let whole = json!({ "name": "髙橋 花子1", "name_kana": "タカハシ ハナコ", "gender": "女性", "birthday": "1990-02-28",
        "entered_date": "2026-04-01" });
    let more = json!({ "email": "hanako@example.com", "retired_date": "2026-09-30", "employment_type": "正社員",
        "department": { "code": "D100", "name": "開発部" } });
    check(vec![
        row("the usual record", json!({}), whole.clone()),
        row("mail, 退職日, 雇用形態, 部署 stay at home", more.clone(), whole.clone()),
        row("also in an update", more, whole).update(),
        row("what is not provided is not sent", only(json!({ "last_name": "髙橋" })), json!({ "name": "髙橋" })),
        row("nor cleared", only(json!({ "last_name": "髙橋" })), json!({ "name": "髙橋" })).update(),
    ]);
}

#[test]
fn names_are_joined_and_never_altered() {
    let name = |last: &str, first: &str| only(json!({ "last_name": last, "first_name": first }));
    let named = |name: &str| json!({ "name": name });
    check(vec![
        row("one half-width space", name("髙橋", "花子"), named("髙橋 花子")),
        row("another joiner", name("髙橋", "花子"), named("髙橋　花子")).settings(|it| it.name_joiner = "　".to_owned()),
        row("no joiner", name("髙橋", "花子"), named("髙橋花子")).settings(|it| it.name_joiner = String::new()),
        row("parts are trimmed", name(" 髙橋　", "　花子 "), named("髙橋 花子")),
        row("an empty part is left out of the join", name("髙橋", "　"), named("髙橋")),
        row("inner blanks stay", name("ド　ラ", "エ  モン"), named("ド　ラ エ  モン")),
        row("髙 and 𠮷", name("髙𠮷", "﨑"), named("髙𠮷 﨑")),
        row("half-width kana in a name is a name", name("ﾀｶﾊｼ", "ﾊﾅｺ"), named("ﾀｶﾊｼ ﾊﾅｺ")),
        row("full-width letters", name("Ｓｍｉｔｈ", "①"), named("Ｓｍｉｔｈ ①")),
        row("nothing left", name("　", " "), json!({})).fails("mapping.required_missing"),
        row("100 code points outside of the first plane", name(&"𠮷".repeat(50), &"𠮷".repeat(49)),
            named(&format!("{} {}", "𠮷".repeat(50), "𠮷".repeat(49)))),
        row("101 code points", name(&"𠮷".repeat(50), &"𠮷".repeat(50)), json!({})).fails("mapping.too_long"),
        row("101 code points in an update", name(&"𠮷".repeat(50), &"𠮷".repeat(50)), json!({}))
            .update()
            .fails("mapping.too_long"),
    ]);
}

#[test]
fn r7_a_business_name_wins_and_hides_the_legal_reading() {
    let legal = json!({ "last_name": "髙橋", "first_name": "花子", "last_name_kana": "タカハシ", "first_name_kana": "ハナコ" });
    let and = |business: Option<&str>, kana: Option<&str>| {
        let mut changes = legal.clone();
        changes["business_name"] = json!(business);
        changes["business_name_kana"] = json!(kana);
        only(changes)
    };
    let plain = json!({ "name": "髙橋 花子", "name_kana": "タカハシ ハナコ" });
    let clear = |it: &mut Settings| it.clear_when_empty = BTreeSet::from(["name_kana".to_owned()]);
    check(vec![
        row("both", and(Some("山本 花子"), Some("ヤマモト ハナコ")), json!({ "name": "山本 花子", "name_kana": "ヤマモト ハナコ" })),
        row("without reading", and(Some("山本 花子"), None), json!({ "name": "山本 花子" })),
        row("with a blank reading", and(Some("山本 花子"), Some("　")), json!({ "name": "山本 花子" })),
        row("the reading alone is ignored", and(None, Some("ヤマモト ハナコ")), plain.clone()),
        row("a blank business name is none", and(Some(" 　"), Some("ヤマモト ハナコ")), plain.clone()),
        row("it is trimmed", and(Some("　山本 花子 "), Some(" ヤマモト ")), json!({ "name": "山本 花子", "name_kana": "ヤマモト" })),
        row("the joiner is not for it", and(Some("山本花子"), None), json!({ "name": "山本花子" }))
            .settings(|it| it.name_joiner = "・".to_owned()),
        row("a missing reading is not cleared either", and(Some("山本 花子"), None), json!({ "name": "山本 花子" }))
            .settings(clear)
            .update(),
    ]);
    let missing = |changes: Value| map(&record(changes, 1, NOW), &settings(), &layout(), Op::Update).unwrap().business_kana_missing;
    assert!(missing(and(Some("山本 花子"), None)));
    assert!(!missing(and(Some("山本 花子"), Some("ヤマモト"))));
    assert!(!missing(and(None, None)));
}

#[test]
fn only_half_width_katakana_is_widened() {
    let kana = |last: &str, first: &str| only(json!({ "last_name": "髙橋", "last_name_kana": last, "first_name_kana": first }));
    let read = |kana: &str| json!({ "name": "髙橋", "name_kana": kana });
    check(vec![
        row("half-width", kana("ﾀｶﾊｼ", "ﾊﾅｺ"), read("タカハシ ハナコ")),
        row("with sound marks", kana("ｶﾞｷﾞ", "ﾊﾟﾋﾟｳﾞ"), read("ガギ パピヴ")),
        row("small ones and the long mark", kana("ｷｬｯﾁｬｰ", "ｧｨｩ"), read("キャッチャー ァィゥ")),
        row("mixed with full-width", kana("タｶﾊシ", "ハﾅコ"), read("タカハシ ハナコ")),
        row("full-width stays", kana("ガギグ", "ヴァン"), read("ガギグ ヴァン")),
        row("an ideographic space inside stays", kana("ド　ラ", "エ"), read("ド　ラ エ")),
        row("hiragana stays", kana("たかはし", "はなこ"), read("たかはし はなこ")),
        row("hiragana becomes katakana when that is wanted", kana("たかはし", "がゖゔ"), read("タカハシ ガヶヴ"))
            .settings(|it| it.hiragana_to_katakana = true),
        row("letters stay as they are", kana("Ｓｍｉｔｈ", "㍿①"), read("Ｓｍｉｔｈ ㍿①")),
        row("one part missing: not sent", kana("タカハシ", ""), json!({ "name": "髙橋" })),
        row("the other part missing: not sent", kana("　", "ハナコ"), json!({ "name": "髙橋" })),
        row("one part missing: not cleared either", kana("タカハシ", ""), json!({ "name": "髙橋" }))
            .settings(|it| it.clear_when_empty = BTreeSet::from(["name_kana".to_owned()]))
            .update(),
    ]);
}

#[test]
fn r14_every_gender_label_needs_a_mapping() {
    let of = |label: &str| only(json!({ "last_name": "髙橋", "gender": label }));
    let name = json!({ "name": "髙橋" });
    let with_gender = |choice: &str| json!({ "name": "髙橋", "gender": choice });
    let map_to = |label: &'static str, choice: Option<&'static str>| {
        move |it: &mut Settings| drop(it.gender.insert(label.to_owned(), choice.map(str::to_owned)))
    };
    check(vec![
        row("mapped", of("女性"), with_gender("女性")),
        row("mapped to another word", of("F"), with_gender("女性")).settings(map_to("F", Some("女性"))),
        row("several to one", of("その他"), with_gender("女性")).settings(map_to("その他", Some("女性"))),
        row("mapped to nothing: not sent", of("回答しない"), name.clone()).settings(map_to("回答しない", None)),
        row("absent: not sent", of(""), name.clone()),
        row("unmapped", of("その他"), name.clone()).fails("mapping.gender_unmapped"),
        row("unmapped in an update", of("その他"), name.clone()).update().fails("mapping.gender_unmapped"),
        row("the choice is gone", of("女性"), name.clone())
            .layout(with("gender", |item| item.choices = vec!["男性".to_owned()]))
            .fails("mapping.gender_choice_gone"),
        row("absent, but required", of(""), name.clone())
            .layout(with("gender", |item| item.required = true))
            .fails("mapping.required_missing"),
        row("mapped to nothing, but required", of("回答しない"), name.clone())
            .settings(map_to("回答しない", None))
            .layout(with("gender", |item| item.required = true))
            .fails("mapping.required_missing"),
        row("absent and required is no matter for an update", of(""), name)
            .layout(with("gender", |item| item.required = true))
            .update(),
    ]);
}

#[test]
fn constants_are_for_new_members_only() {
    let bare = || only(json!({ "last_name": "髙橋" }));
    let custom = || with("custom:412", |it| *it = item("enum", true, None, &["正社員", "契約社員"]));
    let set = |key: &'static str, value: &'static str| {
        move |it: &mut Settings| drop(it.constants.insert(key.to_owned(), value.to_owned()))
    };
    check(vec![
        row("a required item without constant", bare(), json!({})).layout(custom()).fails("mapping.required_missing"),
        row("with one", bare(), json!({ "name": "髙橋", "custom:412": "正社員" }))
            .layout(custom())
            .settings(set("custom:412", "正社員")),
        row("one that is no choice any more", bare(), json!({}))
            .layout(custom())
            .settings(set("custom:412", "役員"))
            .fails("mapping.choice_not_in_layout"),
        row("an update leaves it alone", bare(), json!({ "name": "髙橋" }))
            .layout(custom())
            .settings(set("custom:412", "正社員"))
            .update(),
        row("a mapped value comes first", only(json!({ "last_name": "髙橋", "birthday": "1990-02-28" })),
            json!({ "name": "髙橋", "birthday": "1990-02-28" })).settings(set("birthday", "2000-01-01")),
        row("and stands in where there is none", bare(), json!({ "name": "髙橋", "birthday": "2000-01-01" }))
            .settings(set("birthday", "2000-01-01")),
        row("one that is too long", bare(), json!({})).settings(set("mail", "x@example.com")).layout(with("mail", |item| {
            item.max_length = Some(5);
        })).fails("mapping.too_long"),
    ]);
}

#[test]
fn nothing_is_cleared_unless_that_is_wanted() {
    let bare = || only(json!({ "last_name": "髙橋" }));
    let clear = |it: &mut Settings| {
        it.clear_when_empty = ["name", "name_kana", "gender", "birthday", "entered_date"].map(str::to_owned).into();
    };
    let cleared = json!({ "name": "髙橋", "name_kana": "", "gender": "", "birthday": "", "entered_date": "" });
    check(vec![
        row("by default", bare(), json!({ "name": "髙橋" })).update(),
        row("when wanted", bare(), cleared).settings(clear).update(),
        row("never on creation", bare(), json!({ "name": "髙橋" })).settings(clear),
        row("never what is required", only(json!({ "last_name": "髙橋" })), json!({ "name": "髙橋", "name_kana": "", "gender": "",
            "entered_date": "" })).settings(clear).layout(with("birthday", |item| item.required = true)).update(),
        row("never the name, which is required", only(json!({})), json!({ "name_kana": "", "gender": "", "birthday": "",
            "entered_date": "" })).settings(clear).update(),
    ]);
}

// ---- what is done ----

fn full(record: Option<EmployeeRecord>) -> FullRow {
    FullRow {
        key: EmployeeKey { connection: "c1".to_owned(), employee: "rm_00001".to_owned() },
        number: record.as_ref().and_then(|record| record.employee_number.as_ref()).map(ToString::to_string),
        version: 1,
        content: String::new(),
        change: Change::Updated,
        record,
        state: RowState::Due,
        op: Some(Op::Create),
        reason: None,
        detail: None,
        due: Some(NOW),
        next_try: Millis(0),
        attempts: 0,
        batch: None,
        flying_version: None,
        written: None,
        written_number: None,
        released_number: None,
        received: NOW,
        changed: NOW,
    }
}

fn hash(field: &str, value: &str) -> String {
    format!("{field}={value}")
}

/// What カオナビ holds of the usual person, read just now, written by nobody.
fn held(changes: Value) -> Code {
    let mut values = json!({ "name": "髙橋 花子1", "name_kana": "タカハシ ハナコ", "gender": "女性", "birthday": "1990-02-28",
        "entered_date": "2026-04-01" });
    for (key, value) in changes.as_object().unwrap() {
        values[key] = value.clone();
    }
    let hashes: BTreeMap<String, String> =
        values.as_object().unwrap().iter().map(|(field, value)| (field.clone(), hash(field, value.as_str().unwrap()))).collect();
    Code { code: "E00001".to_owned(), present: true, hashes, read: NOW, owner: None }
}

fn judged(row: &FullRow, code: Option<&Code>, near: &[String], shared: bool) -> Verdict {
    judge(row, Facts { code, near, shared, now: NOW }, &settings(), &layout(), &hash)
}

fn usual() -> FullRow {
    full(Some(person(1, NOW)))
}

fn whole() -> Values {
    values(json!({ "name": "髙橋 花子1", "name_kana": "タカハシ ハナコ", "gender": "女性", "birthday": "1990-02-28",
        "entered_date": "2026-04-01" }))
}

#[test]
fn r4_r5_unknown_numbers_are_registered_and_known_ones_changed() {
    let at = |hours: u64, code: Code| Code { read: NOW - Duration::from_secs(hours * 3600), ..code };
    let written = |changes: Value| {
        let mut row = usual();
        let mut values = whole();
        values.extend(self::values(changes));
        row.written = Some(values);
        row.written_number = Some("E00001".to_owned());
        row
    };
    let one = |field: &str, value: &str| Verdict::Update([(field.to_owned(), value.to_owned())].into());
    let absent = Code { present: false, ..held(json!({})) };
    let rows: Vec<(&str, FullRow, Option<Code>, Verdict)> = vec![
        ("not there", usual(), None, Verdict::Create(whole())),
        ("was there, is gone, not ours", usual(), Some(absent.clone()), Verdict::Create(whole())),
        ("there and equal", usual(), Some(held(json!({}))), Verdict::Unchanged),
        ("there, one field differs", usual(), Some(held(json!({ "birthday": "1980-01-01" }))), one("birthday", "1990-02-28")),
        ("there, read 24 hours ago", usual(), Some(at(24, held(json!({ "gender": "男性" })))), one("gender", "女性")),
        ("there, read 25 hours ago", usual(), Some(at(25, held(json!({})))), Verdict::ReadFirst),
        ("written by us, equal", written(json!({})), Some(at(1000, held(json!({})))), Verdict::Unchanged),
        // What somebody changed by hand in カオナビ meanwhile is left alone.
        ("written by us, changed by hand", written(json!({})), Some(held(json!({ "name": "手 書き" }))), Verdict::Unchanged),
        ("written by us, changed at the source", written(json!({ "name": "髙橋 太郎" })), Some(held(json!({}))), one("name", "髙橋 花子1")),
        ("written by us, deleted by hand", written(json!({})), Some(absent), Verdict::Hold("member.gone", String::new())),
        ("written by us, deleted long ago", written(json!({})), None, Verdict::Hold("member.gone", String::new())),
    ];
    for (what, row, code, expected) in rows {
        assert_eq!(judged(&row, code.as_ref(), &[], false), expected, "{what}");
    }
}

#[test]
fn who_needs_a_person_is_parked_or_held() {
    let with_number = |number: &str| full(Some(record(json!({ "employee_number": number }), 1, NOW)));
    let park = |code: &'static str| Verdict::Park(code, String::new());
    let owned = |connection: &str, employee: &str| Code {
        owner: Some((connection.to_owned(), employee.to_owned())),
        ..held(json!({}))
    };
    let mut renumbered = with_number("E00002");
    renumbered.written_number = Some("E00001".to_owned());
    renumbered.written = Some(whole());
    let mut released = with_number("0123");
    released.released_number = Some("0123".to_owned());
    let mut released_for_another = with_number("00123");
    released_for_another.released_number = Some("0123".to_owned());
    let mut invalid = full(None);
    invalid.change = Change::Invalid;
    invalid.detail = Some("/birthday source.date".to_owned());
    let mut deleted = full(None);
    deleted.change = Change::Deleted;
    let near = vec!["123".to_owned()];
    let none: Vec<String> = Vec::new();
    let named = |name: &str| Verdict::Hold("member.near_miss", name.to_owned());
    let created = Verdict::Create(whole());
    let left = full(Some(record(json!({ "employee_status": "退職", "retired_date": "2026-03-31" }), 1, NOW)));
    let mut left_after = left.clone();
    left_after.written = Some(whole());
    left_after.written_number = Some("E00001".to_owned());
    let several = vec!["123".to_owned(), "１２３".to_owned()];
    let exact = vec!["e00001".to_owned(), "E00001".to_owned()];
    let rows: Vec<(&str, FullRow, Option<Code>, &Vec<String>, bool, Verdict)> = vec![
        ("number missing", with_number(""), None, &none, false, park("missing_employee_number")),
        ("number shared", usual(), None, &none, true, park("member.number_shared")),
        ("number changed", renumbered, None, &none, false, park("member.number_changed")),
        ("near miss", with_number("0123"), None, &near, false, named("123")),
        ("near miss of several", with_number("0123"), None, &several, false, named("123, １２３")),
        ("near miss, released", released, None, &near, false, created),
        ("near miss, another number released", released_for_another, None, &near, false, named("123")),
        ("exact beats near", with_number("E00001"), Some(held(json!({}))), &exact, false,
            Verdict::Unchanged),
        ("written by another connection", usual(), Some(owned("c2", "rm_00001")), &none, false, park("member.owned_elsewhere")),
        ("written by this connection", usual(), Some(owned("c1", "rm_00001")), &none, false, Verdict::Unchanged),
        ("record invalid", invalid, None, &none, false, Verdict::Park("source.record_invalid", "/birthday source.date".to_owned())),
        ("deleted at the source", deleted, Some(held(json!({}))), &none, false, Verdict::Skip("deleted_at_source")),
        ("left, never written", left, Some(held(json!({}))), &none, false, Verdict::Skip("status_excluded")),
        ("left, written before: 退職日 is not sent", left_after, Some(held(json!({}))), &none, false, Verdict::Skip("status_excluded")),
    ];
    for (what, row, code, near, shared, expected) in rows {
        assert_eq!(judged(&row, code.as_ref(), near, shared), expected, "{what}");
    }
}

#[test]
fn near_are_numbers_that_a_person_could_take_for_each_other() {
    for (one, other) in [("0123", "123"), ("１２３", "123"), ("e0012", "E0012"), ("E 0012", "E0012"), ("ＡＢ１", "ab1"), ("00", "0")] {
        assert_eq!(near_key(one), near_key(other), "{one} {other}");
    }
    for (one, other) in [("123", "124"), ("E0012", "F0012"), ("E12", "E012"), ("1230", "123")] {
        assert_ne!(near_key(one), near_key(other), "{one} {other}");
    }
}

// ---- on the whole machinery ----

async fn update_calls(world: &World) -> usize {
    world.company("a", |company| company.log().update_calls().count()).await
}

async fn assert_settled(world: &World, number: &str, state: RowState, reason: Option<&str>) {
    let row = world.row("c1", number).await;
    assert_eq!((row.state, row.reason.as_deref()), (state, reason), "{number}");
}

const MINUTE: Duration = Duration::from_secs(60);

#[tokio::test]
async fn a_near_miss_is_held_until_a_person_releases_it() {
    let mut company = sample::company("a");
    company.members = vec![json!({ "code": "123", "name": "別 人" })];
    let mut world = World::new(1, vec![company], renkei_sandbox::kaonavi::transport::no_latency()).await;
    world.link(link("c1", "a")).await;
    world.run_for(MINUTE).await;
    let at = world.now();
    world.send("c1", record(json!({ "employee_number": "0123" }), 1, at)).await;
    world.run_for(MINUTE).await;
    assert_settled(&world, "0123", RowState::Held, Some("member.near_miss")).await;
    assert_eq!(world.row("c1", "0123").await.detail.as_deref(), Some("123"));
    assert_eq!(update_calls(&world).await, 0);
    // A newer state does not release it.
    let at = world.now();
    world.send("c1", record(json!({ "employee_number": "0123", "first_name": "次" }), 1, at)).await;
    world.run_for(MINUTE).await;
    assert_settled(&world, "0123", RowState::Held, Some("member.near_miss")).await;
    let store = world.store.clone();
    assert!(renkei_workers::commands::release(&store, "c1", "123").await.is_err(), "nobody is held under the other number");
    assert_eq!(renkei_workers::commands::release(&store, "c1", "0123").await.unwrap(), 1);
    world.wake_all();
    world.run_for(MINUTE).await;
    assert_settled(&world, "0123", RowState::Synced, None).await;
    let names = world.company("a", |company| company.members().keys().cloned().collect::<Vec<_>>()).await;
    assert_eq!(names, ["0123", "123"]);
}

#[tokio::test]
async fn two_people_with_one_number_are_both_parked_until_one_gives_it_up() {
    // How the other one stops having it.
    let ways = [json!({ "employee_number": "E00009" }), json!({ "employee_status": "退職" }), json!({ "employee_number": null })];
    for way in ways {
        let mut world = World::simple().await;
        let at = world.now();
        let mut events = vec![world.event("c1", person(1, at))];
        events.push(world.event("c1", record(json!({ "employee_number": "E00001", "first_name": "二" }), 2, at)));
        world.append(events).await;
        world.run_for(MINUTE).await;
        assert_eq!(world.count("c1", RowState::Parked).await, 2);
        assert_eq!(update_calls(&world).await, 0);
        let at = world.now();
        let mut changes = json!({ "employee_number": "E00001", "first_name": "二" });
        for (key, value) in way.as_object().unwrap() {
            changes[key] = value.clone();
        }
        world.send("c1", record(changes, 2, at)).await;
        world.run_for(MINUTE).await;
        let name = world.company("a", |company| company.member("E00001").map(|member| member.get(TextField::Name).to_owned())).await;
        assert_eq!(name.as_deref(), Some("髙橋 花子1"), "{way}");
    }
}

#[tokio::test]
async fn one_number_in_two_connections_belongs_to_who_wrote_it() {
    let mut world = World::simple().await;
    world.link(link("c2", "a")).await;
    world.run_for(MINUTE).await;
    let at = world.now();
    let events = vec![world.event("c1", person(1, at)), world.event("c2", record(json!({ "first_name": "他" }), 1, at))];
    world.append(events).await;
    world.run_for(MINUTE * 2).await;
    let states = [world.row("c1", "E00001").await, world.row("c2", "E00001").await];
    let reasons: BTreeSet<Option<String>> = states.into_iter().map(|row| row.reason).collect();
    assert_eq!(reasons, BTreeSet::from([None, Some("member.owned_elsewhere".to_owned())]));
    assert_eq!(update_calls(&world).await, 1);
}

#[tokio::test]
async fn a_changed_number_is_parked_and_the_old_member_stays() {
    let mut world = World::simple().await;
    let at = world.now();
    world.send("c1", person(1, at)).await;
    world.run_for(MINUTE).await;
    let at = world.now();
    world.send("c1", record(json!({ "employee_number": "E77777" }), 1, at)).await;
    world.run_for(MINUTE).await;
    assert_settled(&world, "E77777", RowState::Parked, Some("member.number_changed")).await;
    assert_eq!(update_calls(&world).await, 1);
    // The old number again: as before.
    let at = world.now();
    world.send("c1", record(json!({ "birthday": "1991-03-01" }), 1, at)).await;
    world.run_for(MINUTE).await;
    assert_settled(&world, "E00001", RowState::Synced, None).await;
    assert_eq!(update_calls(&world).await, 2);
}

#[tokio::test]
async fn a_member_deleted_by_hand_is_not_made_again() {
    let mut world = World::simple().await;
    let at = world.now();
    world.send("c1", person(1, at)).await;
    world.run_for(MINUTE).await;
    let now = world.now();
    world.company("a", |company| assert!(company.delete(now, "E00001"))).await;
    world.send("c1", record(json!({ "birthday": "1991-03-01" }), 1, now)).await;
    world.run_for(MINUTE * 10).await;
    assert_settled(&world, "E00001", RowState::Held, Some("member.gone")).await;
    assert!(world.company("a", |company| company.member("E00001").is_none()).await);
}

#[tokio::test]
async fn leavers_and_deleted_people_leave_no_trace_and_come_back_whole() {
    let mut world = World::simple().await;
    let at = world.now();
    world.send("c1", person(1, at)).await;
    world.run_for(MINUTE).await;
    let at = world.now();
    world.send("c1", record(json!({ "employee_status": "退職", "retired_date": "2026-03-31" }), 1, at)).await;
    world.run_for(MINUTE).await;
    assert_settled(&world, "E00001", RowState::Skipped, Some("status_excluded")).await;
    assert_eq!(update_calls(&world).await, 1);
    let at = world.now();
    world.send("c1", record(json!({ "first_name": "再" }), 1, at)).await;
    world.run_for(MINUTE).await;
    assert_eq!(update_calls(&world).await, 2);
    let at = world.now();
    let mut gone = world.event("c1", person(1, at));
    gone.change = Change::Deleted;
    gone.employee = None;
    world.append(vec![gone]).await;
    world.run_for(MINUTE).await;
    assert_eq!(world.count("c1", RowState::Skipped).await, 1);
    assert_eq!(update_calls(&world).await, 2);
    let name = world.company("a", |company| company.member("E00001").unwrap().get(TextField::Name).to_owned()).await;
    assert_eq!(name, "髙橋 再");
}

#[tokio::test]
async fn a_gender_choice_that_is_gone_parks_those_people_and_others_go_on() {
    let mut world = World::simple().await;
    let now = world.now();
    world.company("a", |company| company.layout_mut().gender.choices = Some(vec![Some("男性".to_owned())])).await;
    let events = vec![
        world.event("c1", person(1, now)),
        world.event("c1", record(json!({ "gender": "男性" }), 2, now)),
        world.event("c1", record(json!({ "gender": "無回答" }), 3, now)),
        world.event("c1", record(json!({ "gender": null }), 4, now)),
    ];
    world.append(events).await;
    world.run_for(MINUTE * 30).await;
    let codes = world.company("a", |company| company.members().keys().cloned().collect::<Vec<_>>()).await;
    assert_eq!(codes, ["E00002", "E00004"]);
    assert_settled(&world, "E00003", RowState::Parked, Some("mapping.gender_unmapped")).await;
    assert_eq!(world.row("c1", "E00001").await.state, RowState::Parked);
}

#[tokio::test]
async fn a_required_item_stops_activation_until_it_has_a_constant() {
    let company = sample::company_with_required_field("a");
    let mut world = World::new(1, vec![company], renkei_sandbox::kaonavi::transport::no_latency()).await;
    world.link(link("c1", "a")).await;
    world.run_for(MINUTE).await;
    let connection = world.connection("c1").await;
    assert_eq!(connection.state, ConnectionState::Draft);
    assert_eq!(connection.problems, ["mapping.required_item_unmapped: custom:412 (雇用区分)"]);
    let mut settings = settings();
    settings.constants = [("custom:412".to_owned(), "正社員".to_owned())].into();
    world.link(crate::world::Link { connection: "c1", company: "a", settings, wanted: true }).await;
    world.run_for(MINUTE).await;
    assert_eq!(world.connection("c1").await.state, ConnectionState::Active);
    let at = world.now();
    world.send("c1", person(1, at)).await;
    world.run_for(MINUTE).await;
    let custom = world.company("a", |company| company.member("E00001").unwrap().custom.clone()).await;
    assert_eq!(custom, [(412, vec!["正社員".to_owned()])].into());
}

/// A record that breaks the contract while an earlier state of the same person is under way is parked with its place, too.
#[tokio::test]
async fn an_invalid_record_in_flight_keeps_its_place() {
    let mut world = World::simple().await;
    let at = world.now();
    world.send("c1", person(1, at)).await;
    world.run_for(Duration::from_millis(500)).await;
    let at = world.now();
    let mut invalid = world.event("c1", person(1, at));
    invalid.change = Change::Invalid;
    invalid.employee = None;
    invalid.faults = vec![renkei_events::parse::fault("/birthday", renkei_events::parse::FaultCode::Date)];
    world.append(vec![invalid]).await;
    world.run_for(MINUTE).await;
    let parked = renkei_store::employees::in_states(&world.store, "c1", &[RowState::Parked], 2).await.unwrap();
    assert_eq!(parked.len(), 1);
    assert_eq!(parked[0].reason.as_deref(), Some("source.record_invalid"));
    assert_eq!(parked[0].detail.as_deref(), Some("/birthday source.date"));
    // Corrected, it goes on.
    let at = world.now();
    world.send("c1", record(json!({ "birthday": "1991-03-01" }), 1, at)).await;
    world.run_for(MINUTE).await;
    assert_settled(&world, "E00001", RowState::Synced, None).await;
}

/// The first write to a member that カオナビ already holds needs a read that is not old.
#[tokio::test]
async fn first_contact_after_a_day_reads_again() {
    let mut company = sample::company("a");
    company.members = vec![member(1, "古い 名前")];
    let mut world = World::new(1, vec![company], renkei_sandbox::kaonavi::transport::no_latency()).await;
    world.link(link("c1", "a")).await;
    world.run_for(MINUTE).await;
    let reads = |company: &mut renkei_sandbox::kaonavi::Company| {
        company.log().calls().filter(|call| call.method == "GET" && call.path.ends_with("/members")).count()
    };
    assert_eq!(world.company("a", reads).await, 1);
    // Once a day, at night.
    world.run_for(Duration::from_secs(24 * 3600)).await;
    let daily = world.company("a", reads).await;
    assert_eq!(daily, 2);
    let at = world.now();
    world.send("c1", person(1, at)).await;
    world.run_for(MINUTE).await;
    assert_eq!(world.company("a", |company| company.member("E00001").unwrap().get(TextField::Name).to_owned()).await, "髙橋 花子1");
    assert_settled(&world, "E00001", RowState::Synced, None).await;
}
