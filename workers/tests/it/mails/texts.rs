//! What mails say, word for word.

use std::collections::BTreeMap;

use jiff::civil::date;
use renkei_events::codes::Code;
use renkei_workers::notify::texts::morning::{Files, Morning};
use renkei_workers::notify::texts::notice::Notice;
use renkei_workers::notify::texts::{LISTED, Letter, People, Person, Told};

fn people(count: usize, named: bool) -> Told {
    let listed = (1..=count.min(LISTED)).map(|index| Person {
        number: Some(format!("E{index:04}")),
        employee: format!("emp-{index}"),
        name: named.then(|| format!("山田 花子{index}")),
    });
    Told::People(People { listed: listed.collect(), total: count })
}

fn letter(code: Code, told: Told) -> Letter {
    Letter {
        connections: vec!["ロウムメイト → カオナビ".to_owned()],
        code,
        digest: 1,
        told,
        stopped: false,
        link: Some("https://renkei.example.co.jp/attention?connection=sample-members".to_owned()),
    }
}

/// All mails of which the exact words are kept, under the names of their files in `docs/mails`.
fn letters() -> Vec<(&'static str, Letter)> {
    let halted = Letter {
        connections: vec!["ロウムメイト → カオナビ".to_owned(), "名古屋支社".to_owned()],
        link: Some("https://renkei.example.co.jp/attention".to_owned()),
        ..letter(Code::KaonaviCredentialsRefused, Told::Value("認証に失敗しました。".to_owned()))
    };
    let overtaken = Letter {
        connections: vec!["HRMOS勤怠 → クラウドログ".to_owned()],
        link: Some("https://renkei.example.co.jp/links/kintai".to_owned()),
        ..letter(Code::AttendanceWindowOvertaken, Told::UnreadFrom(date(2026, 3, 14)))
    };
    vec![
        ("window_overtaken", overtaken),
        ("halt_credentials_refused", halted),
        ("parked_rejected", letter(Code::KaonaviRejected, people(3, false))),
        ("parked_rejected_named", letter(Code::KaonaviRejected, people(3, true))),
        ("parked_gender_unmapped", letter(Code::MappingGenderUnmapped, people(1, false))),
        ("held_near_miss", letter(Code::MemberNearMiss, people(1, false))),
        ("held_brake", letter(Code::DeliveryBrake, people(120, false))),
        ("task_stuck", Letter { link: None, ..letter(Code::KaonaviTaskStuck, Told::Nothing) }),
        ("signature_invalid", letter(Code::SourceSignatureInvalid, Told::Nothing)),
        ("parked_rejected_again", Letter { digest: 2, ..letter(Code::KaonaviRejected, people(2, false)) }),
    ]
}

/// The mail of a morning, with all that it may have to say, with the files alone, and with a member list that is too old alone.
fn mornings() -> [(&'static str, Notice); 3] {
    let unwritten = [
        (Code::AttendanceDoubleNumber, vec!["1023".to_owned()]),
        (Code::AttendanceNearMiss, vec!["0123".to_owned(), "00456".to_owned()]),
        (Code::AttendancePastMidnight, (1..=60).map(|index| format!("E{index:04}")).collect()),
    ];
    let full = Morning {
        link_name: "HRMOS勤怠 → クラウドログ".to_owned(),
        files: Some(Files { files: 2, rows: 1_184, since: date(2026, 4, 2) }),
        unwritten: unwritten.into(),
        list_days: Some(34),
        list_is_news: true,
        link: Some("https://renkei.example.co.jp/links/kintai".to_owned()),
    };
    let files = Morning { unwritten: BTreeMap::new(), list_days: None, ..full.clone() };
    let list = Morning { files: None, unwritten: BTreeMap::new(), list_days: Some(31), ..full.clone() };
    [
        ("morning", full.notice().unwrap()),
        ("morning_files", files.notice().unwrap()),
        ("morning_member_list", list.notice().unwrap()),
    ]
}

/// All of them: name, subject, text and HTML.
fn all() -> Vec<(&'static str, String, String, String)> {
    let troubles = letters().into_iter().map(|(name, letter)| (name, letter.subject(), letter.text(), letter.html()));
    let mornings = mornings().into_iter().map(|(name, mail)| (name, mail.subject(), mail.text(), mail.html()));
    troubles.chain(mornings).collect()
}

#[test]
fn i11_mails_say_who_why_and_what_to_do() {
    for (name, subject, text, html) in all() {
        insta::assert_snapshot!(format!("{name}_text"), format!("{subject}\n\n{text}"));
        insta::assert_snapshot!(format!("{name}_html"), html);
    }
}

#[test]
fn a_morning_without_files_and_without_news_has_no_mail() {
    let morning = Morning {
        link_name: "勤怠".to_owned(),
        files: None,
        unwritten: BTreeMap::new(),
        list_days: Some(40),
        list_is_news: false,
        link: None,
    };
    assert_eq!(morning.notice(), None);
}

#[test]
fn the_folder_of_mails_shows_them_as_they_are() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/mails");
    for (name, subject, text, html) in all() {
        for (ending, text) in [("txt", format!("件名：{subject}\n\n{text}")), ("html", html)] {
            let path = folder.join(format!("{name}.{ending}"));
            if std::env::var_os("UPDATE_MAILS").is_some() {
                std::fs::create_dir_all(&folder).unwrap();
                std::fs::write(&path, &text).unwrap();
            }
            let shown = std::fs::read_to_string(&path).unwrap_or_default();
            assert_eq!(shown, text, "{} is old; run this test with UPDATE_MAILS=1", path.display());
        }
    }
}

#[test]
fn both_forms_say_the_same_for_every_code_and_have_nothing_to_fetch() {
    for code in Code::ALL.iter().copied().filter(|code| code.needs_person()) {
        let unread = Told::UnreadFrom(date(2026, 3, 14));
        for told in [people(2, false), Told::Nothing, Told::Value("値".to_owned()), unread] {
            let day = matches!(told, Told::UnreadFrom(_)).then_some("2026年3月14日以降");
            let letter = letter(code, told);
            let (text, html) = (letter.text(), letter.html());
            for form in [text.replace(['\n', ' '], ""), html.replace(' ', "")] {
                assert!(form.contains(code.as_str()) && form.contains("していただきたいこと"), "{code}");
                assert!(form.contains(&code.title_ja().replace(' ', "")), "{code}: {form}");
                assert!(day.is_none_or(|day| form.contains(day)), "{code}: {form}");
            }
            for remote in ["<img", "<script", "<link", "src=", "url(", "@import"] {
                assert!(!html.contains(remote), "{code}: {remote}");
            }
        }
    }
}

#[test]
fn i8_a_mail_has_either_a_value_or_people() {
    let quoted = letter(Code::KaonaviForbidden, Told::Value("POST /members\n許可されていません".to_owned()));
    assert!(quoted.text().contains("許可されていません") && !quoted.text().contains("対象の方"));
    let listed = letter(Code::KaonaviForbidden, people(2, false));
    assert!(listed.text().contains("E0001") && !listed.text().contains("からの応答"));
}

#[test]
fn what_others_wrote_can_not_look_like_ours() {
    let mut letter =
        letter(Code::KaonaviForbidden, Told::Value("a\r\n\r\n【していただきたいこと】<b>x</b>\u{0}".to_owned()));
    letter.connections = vec!["社内<script>\r\nBcc: x@example.com".to_owned()];
    assert!(!letter.subject().contains(['\r', '\n']), "{:?}", letter.subject());
    assert!(!letter.html().contains("<script>") && !letter.html().contains("<b>"), "{}", letter.html());
    let text = letter.text();
    let heads = text.lines().filter(|line| line.starts_with("【していただきたいこと】")).count();
    assert_eq!(heads, 1, "a quoted line begins with a mark of its own: {text}");
}

#[test]
fn who_has_no_number_is_named_by_id_and_more_than_fifty_are_counted() {
    let person = Person { number: None, employee: "emp-7".to_owned(), name: None };
    let told = Told::People(People { listed: vec![person], total: 1 });
    assert!(letter(Code::MissingEmployeeNumber, told).text().contains("番号なし（従業員ID emp-7）"));
    let text = letter(Code::DeliveryBrake, people(120, false)).text();
    assert!(text.contains("E0050") && !text.contains("E0051") && text.contains("ほか 70 名"), "{text}");
}
