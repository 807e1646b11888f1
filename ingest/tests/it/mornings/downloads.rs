//! What somebody downloads in the morning, to the byte: the list of handwork, and all files in one.

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::Date;
use renkei_sandbox::crowdlog::Hours;
use renkei_sandbox::hrmos::Day;
use serde_json::{Value, json};

use super::office::{FIRST, LINK, Office, TODAY, is_past_midnight};
use crate::api::world::ask;

/// The list as the API has it, in order: 社員コード, 年月日, 理由 and 値.
async fn handwork(office: &mut Office) -> Vec<[String; 4]> {
    let (mut all, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = office.get(&format!("handwork?limit=200{cursor}")).await.json();
        for item in page["items"].as_array().unwrap() {
            all.push(["code", "day", "reason_ja", "value"].map(|column| item[column].as_str().unwrap().to_owned()));
        }
        let Some(next) = page["next_cursor"].as_str() else { return all };
        cursor = format!("&cursor={next}");
    }
}

/// The days of everybody with a number of their own that are to be listed, with what is to be typed, from the source itself.
async fn of_source(office: &Office, typed: impl Fn(&Day) -> Option<String>) -> BTreeMap<(String, Date), String> {
    office
        .attendance
        .company("h1", |company| {
            let users = company.users().to_vec();
            let numbered = users.iter().filter_map(|user| Some((user.number.as_deref()?.trim(), user.id)));
            let mut owners: BTreeMap<&str, Vec<i64>> = BTreeMap::new();
            for (number, id) in numbered.filter(|(number, _)| !number.is_empty()) {
                owners.entry(number).or_default().push(id);
            }
            let mut listed = BTreeMap::new();
            for (number, ids) in owners.into_iter().filter(|(_, ids)| ids.len() == 1) {
                let mut day = FIRST;
                while day <= TODAY {
                    if let Some(value) = company.day(ids[0], day).as_ref().and_then(&typed) {
                        listed.insert((number.to_owned(), day), value);
                    }
                    day = day.tomorrow().unwrap();
                }
            }
            listed
        })
        .await
}

/// `20:00-29:30、休憩 24:00-25:00/26:00-26:10`.
fn shown(hours: Hours, breaks: &[Hours]) -> String {
    let clock = |minutes: u16| format!("{:02}:{:02}", minutes / 60, minutes % 60);
    let span = |span: &Hours| format!("{}-{}", clock(span.start), clock(span.end));
    let pauses: Vec<String> = breaks.iter().map(span).collect();
    let pauses = if pauses.is_empty() { String::new() } else { format!("、休憩 {}", pauses.join("/")) };
    format!("{}{pauses}", span(&hours))
}

#[actix_web::test]
async fn the_list_of_handwork_says_who_when_why_and_what_to_type() {
    let mut office = Office::after_the_first_window().await;
    let rows = office.rows().await;
    let nights: BTreeSet<(String, Date)> =
        rows.into_iter().filter(|(_, row)| is_past_midnight(row)).map(|(day, _)| day).collect();
    office.settings(json!({"closing": {"kind": "not_used"}, "past_midnight": "skip"})).await;
    let answer = office.get("handwork.csv").await;
    assert_eq!((answer.status, answer.header("content-type")), (200, Some("text/csv")));
    assert_eq!(answer.header("content-disposition"), Some("attachment; filename=\"handwork_l1.csv\""));
    let text = String::from_utf8(answer.body).unwrap();
    let lines: Vec<&str> = text.split_terminator("\r\n").collect();
    assert_eq!(lines[0], "\u{feff}社員コード,年月日,理由,値");
    let listed = handwork(&mut office).await;
    assert_eq!(lines[1..], listed.iter().map(|item| item.join(",")).collect::<Vec<_>>());
    // And that is what the source says of these days.
    let of = |reason: &str| -> BTreeMap<(String, Date), String> {
        let items = listed.iter().filter(|[_, _, why, _]| why == reason);
        items.map(|[code, day, _, value]| ((code.clone(), day.parse().unwrap()), value.clone())).collect()
    };
    let (truth, breaks) = (office.truth(TODAY).await, office.breaks().await);
    let expected: BTreeMap<(String, Date), String> =
        nights.into_iter().map(|night| (night.clone(), shown(truth[&night], &breaks[&night]))).collect();
    assert!(expected.len() >= 10 && expected.values().any(|value| value.contains("/26:00-26:10")), "{expected:?}");
    assert_eq!(of("翌日にまたがる勤務です"), expected);
    let leave = of_source(&office, |day| (day.start.is_none() && day.title == "有休").then(|| "全休".to_owned())).await;
    assert!(!leave.is_empty());
    assert_eq!(of("ファイルに休暇を書く列が設定されていません"), leave);
    let half = |day: &Day| {
        day.start?;
        let kind = match &*day.title {
            "出勤（午前休）" => "午前休",
            "出勤（午後休）" => "午後休",
            _ if day.hourly_leave > 0 => "時間休",
            _ => return None,
        };
        Some(kind.to_owned())
    };
    let beside = of_source(&office, half).await;
    assert!(!beside.is_empty());
    assert_eq!(of("勤務と休暇が両方ある日です"), beside);
    let reasons: BTreeSet<&str> = listed.iter().map(|[_, _, why, _]| why.as_str()).collect();
    assert_eq!(reasons.len(), 3, "{reasons:?}");
}

/// The entries of a ZIP whose files are stored as they are, read by its directory.
fn unpacked(zip: &[u8]) -> BTreeMap<String, Vec<u8>> {
    let two = |at: usize| usize::from(u16::from_le_bytes([zip[at], zip[at + 1]]));
    let four = |at: usize| two(at) + (two(at + 2) << 16);
    let end = zip.len() - 22;
    assert_eq!(zip[end..end + 4], *b"PK\x05\x06", "the directory's end, without a comment");
    let (count, mut at) = (two(end + 10), four(end + 16));
    let mut files = BTreeMap::new();
    for _ in 0..count {
        assert_eq!(zip[at..at + 4], *b"PK\x01\x02");
        assert_eq!(two(at + 10), 0, "stored as it is");
        let (size, name, extra, comment, start) =
            (four(at + 24), two(at + 28), two(at + 30), two(at + 32), four(at + 42));
        let text = String::from_utf8(zip[at + 46..at + 46 + name].to_vec()).unwrap();
        let content = start + 30 + two(start + 26) + two(start + 28);
        assert_eq!(files.insert(text, zip[content..content + size].to_vec()), None, "two files have one name");
        at += 46 + name + extra + comment;
    }
    files
}

#[actix_web::test]
async fn one_zip_holds_the_very_files_that_wait() {
    let mut office = Office::after_the_first_window().await;
    office.settings(json!({"closing": {"kind": "not_used"}, "files": {"rows_per_file": 300}})).await;
    let open = office.open().await;
    assert!(open.len() >= 2, "{}", open.len());
    let mut expected = BTreeMap::new();
    for file in &open {
        expected.insert(file["name"].as_str().unwrap().to_owned(), office.download(file).await.body);
    }
    let zip = office.get("files.zip").await;
    assert_eq!((zip.status, zip.header("content-type")), (200, Some("application/zip")));
    assert_eq!(zip.header("content-disposition"), Some("attachment; filename=\"2026-04-02_l1.zip\""));
    assert_eq!(unpacked(&zip.body), expected);
    // What is marked waits no more.
    office.mark(&open[0], &[]).await;
    office.settle().await;
    expected.remove(open[0]["name"].as_str().unwrap());
    assert_eq!(unpacked(&office.get("files.zip").await.body), expected);
    office.import_all().await;
    assert_eq!(office.open().await, [] as [Value; 0]);
    let path = format!("{LINK}/files.zip");
    assert_eq!(office.call(ask("GET", &path, None)).await.status, 409, "no file waits");
}
