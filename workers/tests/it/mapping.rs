//! Who is sent, and as what: the manual's rules and its traps, as tables.

use std::collections::BTreeSet;

use renkei_events::record::EmployeeRecord;
use renkei_runtime::clock::Millis;
use renkei_store::employees::{Op, Values};
use renkei_store::settings::Settings;
use renkei_workers::members::doc::{Layout, LayoutItem};
use renkei_workers::members::eligible::eligible;
use renkei_workers::members::map::map;
use serde_json::{Value, json};

use crate::people::record;
use crate::world::{START, settings};

pub const NOW: Millis = Millis(START);

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

pub fn layout() -> Layout {
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

pub fn values(expected: Value) -> Values {
    serde_json::from_value(expected).unwrap()
}

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
        assert_eq!(
            judged.err().map(renkei_workers::members::eligible::NotEligible::as_str),
            expected,
            "{status} {state} {number}"
        );
    }
}

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
        row("another joiner", name("髙橋", "花子"), named("髙橋　花子"))
            .settings(|it| it.name_joiner = "　".to_owned()),
        row("no joiner", name("髙橋", "花子"), named("髙橋花子")).settings(|it| it.name_joiner = String::new()),
        row("parts are trimmed", name(" 髙橋　", "　花子 "), named("髙橋 花子")),
        row("an empty part is left out of the join", name("髙橋", "　"), named("髙橋")),
        row("inner blanks stay", name("ド　ラ", "エ  モン"), named("ド　ラ エ  モン")),
        row("髙 and 𠮷", name("髙𠮷", "﨑"), named("髙𠮷 﨑")),
        row("half-width kana in a name is a name", name("ﾀｶﾊｼ", "ﾊﾅｺ"), named("ﾀｶﾊｼ ﾊﾅｺ")),
        row("full-width letters", name("Ｓｍｉｔｈ", "①"), named("Ｓｍｉｔｈ ①")),
        row("nothing left", name("　", " "), json!({})).fails("mapping.required_missing"),
        row(
            "100 code points outside of the first plane",
            name(&"𠮷".repeat(50), &"𠮷".repeat(49)),
            named(&format!("{} {}", "𠮷".repeat(50), "𠮷".repeat(49))),
        ),
        row("101 code points", name(&"𠮷".repeat(50), &"𠮷".repeat(50)), json!({})).fails("mapping.too_long"),
        row("101 code points in an update", name(&"𠮷".repeat(50), &"𠮷".repeat(50)), json!({}))
            .update()
            .fails("mapping.too_long"),
    ]);
}

#[test]
fn r7_a_business_name_wins_and_hides_the_legal_reading() {
    let legal =
        json!({ "last_name": "髙橋", "first_name": "花子", "last_name_kana": "タカハシ", "first_name_kana": "ハナコ" });
    let and = |business: Option<&str>, kana: Option<&str>| {
        let mut changes = legal.clone();
        changes["business_name"] = json!(business);
        changes["business_name_kana"] = json!(kana);
        only(changes)
    };
    let plain = json!({ "name": "髙橋 花子", "name_kana": "タカハシ ハナコ" });
    let clear = |it: &mut Settings| it.clear_when_empty = BTreeSet::from(["name_kana".to_owned()]);
    check(vec![
        row(
            "both",
            and(Some("山本 花子"), Some("ヤマモト ハナコ")),
            json!({ "name": "山本 花子", "name_kana": "ヤマモト ハナコ" }),
        ),
        row("without reading", and(Some("山本 花子"), None), json!({ "name": "山本 花子" })),
        row("with a blank reading", and(Some("山本 花子"), Some("　")), json!({ "name": "山本 花子" })),
        row("the reading alone is ignored", and(None, Some("ヤマモト ハナコ")), plain.clone()),
        row("a blank business name is none", and(Some(" 　"), Some("ヤマモト ハナコ")), plain.clone()),
        row(
            "it is trimmed",
            and(Some("　山本 花子 "), Some(" ヤマモト ")),
            json!({ "name": "山本 花子", "name_kana": "ヤマモト" }),
        ),
        row("the joiner is not for it", and(Some("山本花子"), None), json!({ "name": "山本花子" }))
            .settings(|it| it.name_joiner = "・".to_owned()),
        row("a missing reading is not cleared either", and(Some("山本 花子"), None), json!({ "name": "山本 花子" }))
            .settings(clear)
            .update(),
    ]);
    let missing = |changes: Value| {
        map(&record(changes, 1, NOW), &settings(), &layout(), Op::Update).unwrap().business_kana_missing
    };
    assert!(missing(and(Some("山本 花子"), None)));
    assert!(!missing(and(Some("山本 花子"), Some("ヤマモト"))));
    assert!(!missing(and(None, None)));
}

#[test]
fn only_half_width_katakana_is_widened() {
    let kana = |last: &str, first: &str| {
        only(json!({ "last_name": "髙橋", "last_name_kana": last, "first_name_kana": first }))
    };
    let read = |kana: &str| json!({ "name": "髙橋", "name_kana": kana });
    check(vec![
        row("half-width", kana("ﾀｶﾊｼ", "ﾊﾅｺ"), read("タカハシ ハナコ")),
        row("with sound marks", kana("ｶﾞｷﾞ", "ﾊﾟﾋﾟｳﾞ"), read("ガギ パピヴ")),
        row("half-width marks behind full-width kana", kana("カﾞキﾞ", "ハﾟヒﾟウﾞ"), read("ガギ パピヴ")),
        row("a mark alone", kana("ﾞタ", "ﾟ"), read("゛タ ゜")),
        row("a mark behind what takes none", kana("アﾞナﾟ", "ーﾞＡﾞ"), read("ア゛ナ゜ ー゛Ａ゛")),
        row("a mark too many", kana("ｶﾞﾞ", "ﾊﾟﾞ"), read("ガ゛ パ゛")),
        row("marks behind hiragana", kana("かﾞ", "はﾟ"), read("が ぱ")),
        row("marks behind hiragana that becomes katakana", kana("かﾞ", "はﾟ"), read("ガ パ"))
            .settings(|it| it.hiragana_to_katakana = true),
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
        row(
            "a mapped value comes first",
            only(json!({ "last_name": "髙橋", "birthday": "1990-02-28" })),
            json!({ "name": "髙橋", "birthday": "1990-02-28" }),
        )
        .settings(set("birthday", "2000-01-01")),
        row("and stands in where there is none", bare(), json!({ "name": "髙橋", "birthday": "2000-01-01" }))
            .settings(set("birthday", "2000-01-01")),
        row("one for an item that カオナビ does not have", bare(), json!({}))
            .settings(set("custom:412", "正社員"))
            .fails("mapping.constant_not_in_layout"),
        row("one for an item that can not be written", bare(), json!({}))
            .settings(set("mail", "x@example.com"))
            .layout(with("mail", |item| item.read_only = true))
            .fails("mapping.constant_not_in_layout"),
        row("one that is a date, but not in カオナビ's form", bare(), json!({}))
            .settings(set("retired_date", "20260401"))
            .fails("mapping.date_invalid"),
        row("one that is too long", bare(), json!({}))
            .settings(set("mail", "x@example.com"))
            .layout(with("mail", |item| {
                item.max_length = Some(5);
            }))
            .fails("mapping.too_long"),
    ]);
}

#[test]
fn a_field_that_can_not_be_written_sets_the_person_aside() {
    let closed = || with("birthday", |item| item.read_only = true);
    let born = || only(json!({ "last_name": "髙橋", "birthday": "1990-02-28" }));
    check(vec![
        row("on creation", born(), json!({})).layout(closed()).fails("mapping.item_not_in_layout"),
        row("in an update", born(), json!({})).layout(closed()).update().fails("mapping.item_not_in_layout"),
        row("without a value", only(json!({ "last_name": "髙橋" })), json!({ "name": "髙橋" })).layout(closed()),
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
        row(
            "never what is required",
            only(json!({ "last_name": "髙橋" })),
            json!({ "name": "髙橋", "name_kana": "", "gender": "",
            "entered_date": "" }),
        )
        .settings(clear)
        .layout(with("birthday", |item| item.required = true))
        .update(),
        row(
            "never the name, which is required",
            only(json!({})),
            json!({ "name_kana": "", "gender": "", "birthday": "",
            "entered_date": "" }),
        )
        .settings(clear)
        .update(),
    ]);
}
