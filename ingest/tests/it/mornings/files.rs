//! Which files there are, in whose hands, and on which disk.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::Duration;

use jiff::civil::date;
use renkei_sandbox::crowdlog::{Encoding, Member, MemberHeaders, PastMidnight};
use renkei_store::links::AttendanceSource;
use renkei_store::runs::RunState;
use renkei_workers::attendance::folder::{Changed, Folder};
use serde_json::{Value, json};

use super::office::{LINK, Office};
use crate::api::world::ask;
use crate::support::client::Request;

fn ids(files: &[Value]) -> Vec<i64> {
    files.iter().map(|file| file["id"].as_i64().unwrap()).collect()
}

#[actix_web::test]
async fn files_in_somebodys_hands_stay_when_a_row_of_another_is_refused() {
    let mut office = Office::after_the_first_window().await;
    office.settings(json!({"closing": {"kind": "not_used"}, "files": {"rows_per_file": 150}})).await;
    let all = office.open().await;
    assert!(all.len() >= 4, "{}", all.len());
    let text = String::from_utf8(office.download(&all[0]).await.body).unwrap();
    let row_3 = text.lines().nth(2).unwrap().to_owned();
    office.mark(&all[0], &[3]).await;
    office.settle().await;
    let open = office.open().await;
    assert_eq!(ids(&open)[..all.len() - 1], ids(&all)[1..], "the others stay as they are");
    let [rest] = &open[all.len() - 1..] else { panic!("one more file: {open:?}") };
    let text = String::from_utf8(office.download(rest).await.body).unwrap();
    assert_eq!(text.lines().skip(1).collect::<Vec<_>>(), [row_3], "with the refused row alone");
    // Decided again, it comes to the same.
    office.upload_members().await;
    assert_eq!(ids(&office.open().await), ids(&open));
    for file in &open {
        office.mark(file, &[]).await;
    }
    office.settle().await;
    assert_eq!(office.open().await, [] as [Value; 0]);
    let files = office.get("files?limit=200").await.json();
    let mut names: Vec<&str> =
        files["items"].as_array().unwrap().iter().map(|file| file["name"].as_str().unwrap()).collect();
    let count = names.len();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), count, "no two files of a day have one name");
}

#[actix_web::test]
async fn a_manual_run_takes_back_a_file_that_was_imported_before_it_perhaps() {
    let mut office = Office::after_the_first_window().await;
    let old = office.open().await;
    let before = office.rows().await;
    let days = json!({"first_day": "2026-03-16", "last_day": "2026-03-20"});
    assert_eq!(office.call(ask("POST", &format!("{LINK}/runs"), Some(days))).await.status, 202);
    office.attendance.run_for(Duration::from_secs(600)).await;
    let new = office.open().await;
    assert!(ids(&new).iter().all(|id| !ids(&old).contains(id)), "{new:?}");
    assert_eq!(office.rows().await, before, "with the same rows");
    let path = format!("{LINK}/files/{}/mark", old[0]["id"]);
    assert_eq!(office.call(ask("POST", &path, Some(json!({"refused_rows": []})))).await.status, 409);
}

/// The files stayed as they were, and nobody could download them.
#[actix_web::test]
async fn i10_files_are_made_anew_when_days_that_they_do_not_hold_are_protected() {
    let mut office = Office::after_the_first_window().await;
    let (old, before) = (office.open().await, office.rows().await);
    let (_, code) = office.somebody().await;
    let days = json!({"code": code, "from": "2025-01-01", "to": "2025-01-31"});
    assert_eq!(office.call(ask("POST", &format!("{LINK}/protections"), Some(days))).await.status, 201);
    office.settle().await;
    let new = office.open().await;
    assert!(ids(&new).iter().all(|id| !ids(&old).contains(id)), "{new:?}");
    for file in &new {
        assert_eq!(office.download(file).await.status, 200);
    }
    assert_eq!(office.rows().await, before, "with the same rows");
}

#[actix_web::test]
async fn a_run_that_met_people_it_can_not_tell_apart_is_one_with_warnings() {
    let mut office = Office::after_the_first_window().await;
    let run = office.attendance.runs().await.remove(0);
    let path = format!("/api/v1/runs/{}/notes?limit=200", run.id);
    let notes = office.call(ask("GET", &path, None)).await.json();
    let of = |reason: &str| notes["items"].as_array().unwrap().iter().filter(|note| note["reason"] == reason).count();
    let (doubles, without) = (of("attendance.double_number"), of("attendance.no_number"));
    assert!(doubles > 0 && without > 0, "the sample has both: {notes}");
    let counted = |what: &str| usize::try_from(run.counts[what]).unwrap();
    assert_eq!((counted("doubles"), counted("without_code")), (doubles, without), "each person once");
    assert_eq!(notes["items"][0]["reason_ja"], "同じ社員コードの方が複数います");
    office.import_all().await;
    let run = office.attendance.runs().await.remove(0);
    assert_eq!(run.state, RunState::Warned);
    assert!(run.counts["warnings"] >= run.counts["doubles"] + run.counts["without_code"], "{:?}", run.counts);
    assert_eq!(office.call(ask("GET", "/api/v1/runs/999/notes", None)).await.status, 404);
}

#[actix_web::test]
async fn codes_of_both_sides_are_compared_whenever_somebody_looks() {
    let mut office = Office::bare().await;
    office.attendance.run_to(date(2026, 4, 2), 6, 0).await;
    let matching = office.get("matching").await.json();
    assert_eq!((&matching["list_made"], &matching["new_list_wanted"]), (&Value::Null, &json!(true)));
    let (_, number) = office.somebody().await;
    let like = format!("00{number}");
    office.crowdlog.change_member(&number, |member| member.code.clone_from(&like)).unwrap();
    office.crowdlog.add_member(Member::new("NOBODY", "見本"));
    office.upload_members().await;
    let matching = office.get("matching").await.json();
    assert_eq!(matching["near"], json!([{"source": [number], "destination": [like]}]));
    assert_eq!(matching["new_list_wanted"], true, "a code of the source is not in it");
    let alone = matching["only_destination"]["codes"].as_array().unwrap();
    assert!(alone.contains(&json!("NOBODY")), "{matching}");
    assert!(matching["matched"].as_i64().unwrap() > 10, "{matching}");
}

/// An export with columns of other names, in the encoding that its settings say.
#[actix_web::test]
async fn a_list_is_read_as_the_company_says() {
    let mut office = Office::bare().await;
    let headers = MemberHeaders { code: "社員No".to_owned(), ..MemberHeaders::default() };
    let list = office.crowdlog.export_members(true, Encoding::ShiftJis, &headers);
    let upload = |list: &[u8]| {
        let put = ask("PUT", "/api/v1/crowdlog/members", None);
        Request { body: list.to_vec(), ..put }.set("content-type", "text/csv")
    };
    let refused = office.call(upload(&list)).await;
    assert_eq!((refused.status, refused.json()["code"].as_str()), (400, Some("csv.header_unknown")));
    let format = || ask("PUT", "/api/v1/crowdlog/format", Some(json!({"headers": {"code": "社員No"}})));
    assert_eq!(office.call(format()).await.status, 428);
    let read = office.call(ask("GET", "/api/v1/crowdlog/format", None)).await;
    let tag = read.header("etag").unwrap().to_owned();
    let put = office.call(format().set("if-match", tag.clone())).await;
    assert_eq!((put.status, put.json()["headers"]["code"].as_str()), (200, Some("社員No")));
    assert_eq!(office.call(format().set("if-match", tag)).await.status, 412);
    let taken = office.call(upload(&list)).await;
    assert_eq!(taken.status, 200, "{:?}", taken.json());
    let wrong = [
        (json!({"headers": {"code": "名前"}}), "/headers/name"),
        (json!({"headers": {"code": ""}}), "/headers/code"),
        (json!({"active": []}), "/active"),
        (json!({"inactive": ["有効"]}), "/active/0"),
    ];
    for (wish, pointer) in wrong {
        let put = ask("PUT", "/api/v1/crowdlog/format", Some(wish)).set("if-match", "*");
        let answer = office.call(put).await;
        assert_eq!((answer.status, answer.json()["pointer"].as_str()), (400, Some(pointer)));
    }
}

#[actix_web::test]
async fn two_rows_show_whether_an_import_takes_times_past_midnight() {
    for (theirs, refused) in [(PastMidnight::Accept, vec![]), (PastMidnight::Refuse, vec![3])] {
        let mut office = Office::after_the_first_window().await;
        let (_, number) = office.somebody().await;
        office.import_all().await;
        office.crowdlog.settings_mut().past_midnight = theirs;
        let wish = |code: &str, night: &str| {
            let wish = json!({"code": code, "ordinary_day": "2026-03-09", "past_midnight_day": night});
            ask("POST", &format!("{LINK}/test-file"), Some(wish))
        };
        let file = office.call(wish(&number, "2026-03-10")).await;
        assert_eq!(file.status, 200, "{:?}", file.json());
        let result = office.crowdlog.import(office.attendance.world.now(), &file.body);
        assert_eq!((result.header_error.clone(), result.refused_rows()), (None, refused));
        // What was overwritten goes into the next file again.
        office.settle().await;
        let days: Vec<_> = office.rows().await.into_keys().collect();
        let [nine, ten] = [9, 10].map(|day| (number.clone(), date(2026, 3, day)));
        assert_eq!(days, [nine, ten]);
        for (code, night, status) in
            [("nobody", "2026-03-10", 400), (number.as_str(), "2026-03-09", 400), (number.as_str(), "2026-03-32", 400)]
        {
            assert_eq!(office.call(wish(code, night)).await.status, status, "{code} {night}");
        }
        office.settings(json!({"closing": {"kind": "on", "date": "2026-03-09"}})).await;
        assert_eq!(office.call(wish(&number, "2026-03-10")).await.status, 409, "a protected day is not tried with");
    }
}

fn on_disk(place: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = fs::read_dir(place).unwrap().map(|entry| entry.unwrap());
    entries.map(|e| (e.file_name().into_string().unwrap(), fs::read(e.path()).unwrap())).collect()
}

#[actix_web::test]
async fn the_folder_holds_what_waits_and_nothing_else() {
    let mut office = Office::after_the_first_window().await;
    office.settings(json!({"closing": {"kind": "not_used"}, "files": {"rows_per_file": 300}})).await;
    let root = tempfile::tempdir().unwrap();
    let folder = Folder::new(root.path().to_owned());
    let place = root.path().join("t1/l1");
    let store = office.attendance.world.store.clone();
    let open = office.open().await;
    assert!(open.len() >= 2);
    assert_eq!(folder.look(&store).await.unwrap(), Changed { put: open.len(), removed: 0 });
    let mut expected = BTreeMap::new();
    for file in &open {
        expected.insert(file["name"].as_str().unwrap().to_owned(), office.download(file).await.body);
    }
    assert_eq!(on_disk(&place), expected, "the very bytes of the download");
    for name in expected.keys() {
        assert_eq!(fs::metadata(place.join(name)).unwrap().permissions().mode() & 0o777, 0o600, "{name}");
    }
    assert_eq!(folder.look(&store).await.unwrap(), Changed::default());
    // What a process left that died in the midst, and what somebody else put there.
    fs::write(place.join(".2026-04-01_l1_01.csv.a1b2c3.part"), b"half").unwrap();
    fs::write(place.join("memo.txt"), b"theirs").unwrap();
    // One is marked: it goes.
    office.mark(&open[0], &[]).await;
    office.settle().await;
    assert_eq!(folder.look(&store).await.unwrap(), Changed { put: 0, removed: 2 });
    assert!(place.join("memo.txt").exists());
    // A closed day: what was made before is taken away at once, and made anew.
    let closed = json!({"closing": {"kind": "on", "date": "2026-03-25"}, "files": {"rows_per_file": 300}});
    let put = ask("PUT", &format!("{LINK}/settings"), Some(closed)).set("if-match", "*");
    assert_eq!(office.call(put).await.status, 200);
    assert_eq!(folder.look(&store).await.unwrap(), Changed { put: 0, removed: open.len() - 1 });
    office.settle().await;
    assert!(folder.look(&store).await.unwrap().put > 0);
    // A fortnight later nothing is left of it.
    let left = on_disk(&place).len() - 1;
    let day = Duration::from_secs(24 * 3600);
    office.attendance.world.clock.set(office.attendance.world.now() + 14 * day);
    assert_eq!(folder.look(&store).await.unwrap(), Changed { put: 0, removed: left });
}

#[actix_web::test]
async fn runs_are_listed_by_the_link_that_they_are_about() {
    let mut office = Office::bare().await;
    office.attendance.link("l2", "h1", AttendanceSource::Hrmos).await;
    office.attendance.run_to(date(2026, 4, 2), 7, 0).await;
    for (of, count) in [("", 2), ("?connection=l1", 1)] {
        let answer = office.call(ask("GET", &format!("/api/v1/runs{of}"), None)).await;
        assert_eq!(answer.json()["items"].as_array().map(Vec::len), Some(count), "{of}");
    }
    assert_eq!(office.call(ask("GET", "/api/v1/runs?connection=l3", None)).await.status, 404);
}

/// Each of them would keep its file from being made.
#[actix_web::test]
async fn codes_that_the_encoding_does_not_have_keep_nobody_else_from_the_files() {
    let mut office = Office::bare().await;
    let foreign = ["𠮷1", "𠮷2"];
    let now = office.attendance.world.now();
    for (at, code) in foreign.into_iter().enumerate() {
        let user = office.attendance.company("h1", |company| company.users()[at].id).await;
        office.attendance.company("h1", |company| company.change_number(now, user, Some(code))).await;
        office.crowdlog.add_member(Member::new(code, "見本"));
    }
    // As クラウドログ exports it where one of its codes is not in Shift_JIS.
    let list = office.crowdlog.export_members(true, Encoding::Utf8Bom, &MemberHeaders::default());
    let put = Request { body: list, ..ask("PUT", "/api/v1/crowdlog/members", None) }.set("content-type", "text/csv");
    assert_eq!(office.call(put).await.status, 200);
    let files = |encoding: &str| json!({"closing": {"kind": "not_used"}, "files": {"encoding": encoding, "rows_per_file": 150}});
    office.settings(files("cp932")).await;
    office.attendance.run_to(date(2026, 4, 2), 6, 0).await;
    let waiting = office.open().await;
    assert!(waiting.len() > 1, "the two stand in several files: {waiting:?}");
    let handwork = office.get("handwork?limit=200").await.json();
    let by_hand = |list: &Value, code: &str| {
        let items = list["items"].as_array().unwrap();
        items.iter().filter(|item| item["code"] == code && item["reason"] == "attendance.code_not_in_encoding").count()
    };
    assert!(foreign.into_iter().all(|code| by_hand(&handwork, code) > 10), "{handwork}");
    // They are in the next files as soon as these are in UTF-8.
    office.settings(files("utf8_bom")).await;
    let rows = office.rows().await;
    assert!(foreign.into_iter().all(|code| rows.keys().filter(|(of, _)| of == code).count() > 10));
    let handwork = office.get("handwork?limit=200").await.json();
    assert!(foreign.into_iter().all(|code| by_hand(&handwork, code) == 0), "{handwork}");
}
