//! One person is deleted, and does not come back.

mod scene;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use jiff::civil::{Date, date};
use renkei_events::topic::Topic;
use renkei_runtime::clock::Millis;
use renkei_sandbox::crowdlog::Member;
use renkei_sandbox::hrmos::{Day, at as clock};
use renkei_simulation::world::START;
use renkei_store::db::Sql;
use renkei_store::logtable;
use renkei_workers::attendance::folder::Folder;
use renkei_workers::notify::Post;
use serde_json::{Value, json};

use self::scene::{CHANGED, LAST, NEW_NUMBER, REFUSED, RENUMBERED, Server, Somebody, TAKEN, WORKER};
use super::office::{LINK, Office};
use crate::api::world::ask;

/// The tables with a row in which the text stands.
async fn tables_with(office: &Office, text: &str) -> BTreeSet<String> {
    let db = &office.attendance.world.store.db;
    let tables = db.rows("SELECT name FROM sqlite_master WHERE type = 'table'", vec![]).await.unwrap();
    let mut found = BTreeSet::new();
    for table in tables {
        let table: String = table.get("name").unwrap();
        let columns = db.rows(&format!("SELECT name FROM pragma_table_info('{table}')"), vec![]).await.unwrap();
        for column in columns {
            let column: String = column.get("name").unwrap();
            let query = format!("SELECT 1 AS one FROM {table} WHERE CAST({column} AS TEXT) LIKE $1 LIMIT 1");
            if db.row(&query, vec![format!("%{text}%").into()]).await.unwrap().is_some() {
                found.insert(table.clone());
            }
        }
    }
    found
}

fn bytes_hold(place: &Path, text: &str) -> bool {
    let mut entries = fs::read_dir(place).unwrap().map(|entry| entry.unwrap().path());
    entries.any(|path| match path.is_dir() {
        true => bytes_hold(&path, text),
        false => fs::read(&path).unwrap().windows(text.len()).any(|window| window == text.as_bytes()),
    })
}

/// What a day was before, as the API shows it.
async fn history(office: &mut Office, code: &str, day: Date) -> Vec<Value> {
    let answer = office.get(&format!("history?code={code}&day={day}&reveal=true")).await;
    assert_eq!(answer.status, 200, "{:?}", answer.json());
    answer.json().as_array().unwrap().clone()
}

/// 従業員ID of everybody who needs a person, with what カオナビ said.
async fn attention(office: &mut Office) -> String {
    let answer = office.call(ask("GET", "/api/v1/attention?limit=200&reveal=true", None)).await;
    assert_eq!(answer.status, 200, "{:?}", answer.json());
    answer.json()["items"].to_string()
}

#[actix_web::test]
async fn i8_people_are_deleted_and_31_days_later_nothing_is_left() {
    let server = Arc::new(Server::default());
    let post = Post::new(Some(server.clone()), "example.jp".to_owned(), Vec::new(), None);
    let (mut office, users) = scene::set_up(&post).await;
    let folder = tempfile::tempdir().unwrap();
    let drop = Folder::new(folder.path().to_owned());
    let store = office.attendance.world.store.clone();
    drop.look(&store).await.unwrap();

    // Everything stands.
    assert_eq!(scene::standing(&office).await, scene::everything());
    let ids = Somebody::ALL.map(|somebody| somebody.id());
    let world = office.attendance.world.folder().unwrap().to_owned();
    assert!(bytes_hold(folder.path(), WORKER.number));
    // The search finds what is there in plain text; names are sealed from the beginning.
    for text in ids.iter().map(String::as_str).chain([WORKER.number, REFUSED.number, RENUMBERED.number, NEW_NUMBER]) {
        assert!(bytes_hold(&world, text), "{text}");
    }
    for somebody in Somebody::ALL {
        assert!(!bytes_hold(&world, somebody.name), "{}", somebody.name);
    }
    let days = office.get(&format!("days?code={}&reveal=true", WORKER.number)).await.json();
    assert!(days["items"].as_array().unwrap().len() > 20);
    assert_eq!(history(&mut office, WORKER.number, CHANGED).await.len(), 2);
    assert_eq!(history(&mut office, WORKER.number, TAKEN).await.len(), 1);
    let mails = scene::waiting(&office).await;
    for text in [REFUSED.name, RENUMBERED.name, REFUSED.number, NEW_NUMBER] {
        assert!(mails.contains(text), "{text}: {mails}");
    }
    let before = attention(&mut office).await;
    assert!(before.contains(&REFUSED.id()) && before.contains(&RENUMBERED.id()), "{before}");

    let mut gone = Vec::new();
    for somebody in Somebody::ALL {
        let answer = office.call(ask("DELETE", &somebody.path(), None)).await;
        assert_eq!(answer.status, 200, "{:?}", answer.json());
        let answer = answer.json();
        assert_eq!((&answer["records"], &answer["number_in_use"]), (&json!(1), &json!(false)), "{answer}");
        assert!(answer["history"].as_i64() > Some(0), "{answer}");
        assert_eq!(office.call(ask("DELETE", &somebody.path(), None)).await.status, 404);
        gone.push(answer);
    }
    let [worker, _, renumbered] = &gone[..] else { panic!("three: {gone:?}") };
    assert!(worker["days"].as_i64() > Some(20) && worker["files"].as_i64() > Some(0), "{worker}");
    assert!(worker["handwork"].as_i64() > Some(0), "{worker}");
    assert!(renumbered["days"].as_i64() > Some(20), "those under the number of before: {renumbered}");

    // At once: all but what goes by its age, and what カオナビ and クラウドログ hold themselves.
    assert_eq!(scene::standing(&office).await, [] as [&str; 0]);
    let by_age = ["batches", "log_records"].map(str::to_owned);
    let theirs = BTreeSet::from(["codes", "crowdlog_members"].map(str::to_owned));
    for number in [WORKER.number, REFUSED.number, RENUMBERED.number, NEW_NUMBER] {
        let left = tables_with(&office, number).await.into_iter().filter(|table| !by_age.contains(table));
        let left: BTreeSet<String> = left.collect();
        assert!(left.is_subset(&theirs), "{number}: {left:?}");
    }
    for id in &ids {
        let left: Vec<_> = tables_with(&office, id).await.into_iter().filter(|t| !by_age.contains(t)).collect();
        assert_eq!(left, [] as [&str; 0], "{id}");
    }
    let names_of_them = |text: &str| {
        let names = Somebody::ALL.into_iter().flat_map(|somebody| [somebody.name, somebody.number]).chain([NEW_NUMBER]);
        names.chain(ids.iter().map(String::as_str)).filter(|name| text.contains(name)).count()
    };
    assert_eq!(names_of_them(&scene::waiting(&office).await), 0);
    assert_eq!(names_of_them(&attention(&mut office).await), 0);
    let audit = office.call(ask("GET", "/api/v1/audit?limit=200", None)).await.json();
    assert_eq!(names_of_them(&audit.to_string()), 0, "{audit}");
    for day in [CHANGED, TAKEN] {
        assert_eq!(history(&mut office, WORKER.number, day).await, [] as [Value; 0], "{day}");
    }
    server.up.store(true, Ordering::SeqCst);
    scene::tell(&mut office, &post).await;
    let sent: String = server.took.lock().unwrap().iter().map(scene::in_one_line).collect();
    assert_eq!(names_of_them(&sent), 0, "{sent}");
    office.settle().await;
    let codes: BTreeSet<String> = office.rows().await.into_keys().map(|(code, _)| code).collect();
    assert!(!codes.is_empty(), "the files of the others are made anew");
    assert!(codes.iter().all(|code| names_of_them(code) == 0), "{codes:?}");
    drop.look(&store).await.unwrap();
    assert!(!bytes_hold(folder.path(), WORKER.number));

    // The same records come late, and the source has the days of people who left still.
    scene::leave(&office, &users).await;
    for somebody in Somebody::ALL {
        office.attendance.world.send("c1", somebody.record(Millis(START))).await;
    }
    for day in 1..=31 {
        let day = LAST.checked_add(jiff::Span::new().days(day)).unwrap();
        office.attendance.run_to(day, 6, 0).await;
    }
    store.tidy().await.unwrap();
    let now = store.now().await.unwrap();
    for topic in Topic::ALL {
        let age = Duration::from_secs(u64::from(topic.retention_days()) * 24 * 3600);
        logtable::expire(&store, topic.name(), now - age, topic == Topic::DeadLetter).await.unwrap();
    }
    office.import_all().await;
    drop.look(&store).await.unwrap();
    assert_eq!(scene::standing(&office).await, [] as [&str; 0], "nothing comes back");
    for id in &ids {
        assert_eq!(tables_with(&office, id).await, BTreeSet::new(), "{id}");
    }
    assert_eq!(tables_with(&office, WORKER.number).await, theirs);
    for somebody in Somebody::ALL {
        let left = tables_with(&office, somebody.number).await;
        assert!(left.is_subset(&theirs), "{}: {left:?}", somebody.number);
        let people = format!("/api/v1/employees?number={}", somebody.number);
        assert_eq!(office.call(ask("GET", &people, None)).await.json()["items"], json!([]));
        let days = office.get(&format!("days?code={}", somebody.number)).await.json();
        assert_eq!(days["items"], json!([]), "what the source told before does not come back");
        for place in [world.as_path(), folder.path()] {
            assert!(!bytes_hold(place, somebody.name));
        }
    }
    let numbers = [WORKER.number, REFUSED.number, RENUMBERED.number, NEW_NUMBER];
    assert_eq!(tables_with(&office, NEW_NUMBER).await, BTreeSet::new(), "on no list of theirs");
    // Where they are on no list of カオナビ and クラウドログ any more, they are in no byte either.
    for table in &theirs {
        let codes = numbers.map(|number| format!("'{number}'")).join(", ");
        store.db.exec(&format!("DELETE FROM {table} WHERE code IN ({codes})"), vec![]).await.unwrap();
    }
    // Of rows that SQLite moved from one page to another, it may leave copies in the free space of the first, which
    // `secure_delete` does not overwrite.
    store.db.exec("VACUUM", vec![]).await.unwrap();
    store.empty_write_ahead().await.unwrap();
    for text in ids.iter().map(String::as_str).chain(numbers) {
        for place in [world.as_path(), folder.path()] {
            assert!(!bytes_hold(place, text), "{text} in {}", place.display());
        }
    }
}

/// Nor does the API tell that there was anybody.
#[actix_web::test]
async fn the_history_of_a_deleted_persons_days_is_empty_and_that_of_others_stays() {
    let mut office = Office::after_the_first_window().await;
    let day = date(2026, 3, 10);
    let now = office.attendance.world.now();
    let [deleted, other] = office
        .attendance
        .company("h1", |company| {
            let of_two: [(i64, String); 2] = [0, 1].map(|at: usize| {
                let user = &company.users()[at];
                (user.id, user.number.clone().unwrap())
            });
            of_two.map(|(user, number)| {
                company.set_day(now, user, day, Day::work(clock(10, 15), clock(19, 15)));
                number
            })
        })
        .await;
    office.attendance.run_to(date(2026, 4, 3), 6, 0).await;
    for code in [&deleted, &other] {
        let masked = office.get(&format!("history?code={code}&day={day}")).await.json();
        assert_eq!(masked.as_array().map(Vec::len), Some(1), "{code}: {masked}");
        assert_eq!(masked[0]["value"], json!("•••"), "{code}: {masked}");
    }
    let before = history(&mut office, &other, day).await;
    let gone = office.call(ask("DELETE", &format!("/api/v1/crowdlog/people/{deleted}"), None)).await;
    assert_eq!(gone.status, 200, "{:?}", gone.json());
    let nobody = history(&mut office, "NOBODY-1", day).await;
    for at in ["at once", "after a window"] {
        assert_eq!(history(&mut office, &deleted, day).await, nobody, "{at}");
        assert_eq!(history(&mut office, &other, day).await, before, "{at}");
        office.attendance.run_to(date(2026, 4, 5), 6, 0).await;
    }
    assert_eq!(nobody, [] as [Value; 0]);
    let of_no_link = ask("GET", &format!("/api/v1/links/nobody/history?code={deleted}&day={day}"), None);
    assert_eq!(office.call(of_no_link).await.status, 404);
}

/// The number of all days of the window was corrected: under the old one the book has only the day that the window left out, but
/// files, lists and notes have it.
#[actix_web::test]
async fn i8_whoever_is_deleted_after_a_corrected_number_is_not_found_under_the_old_one() {
    const OLD: &str = "Z90081";
    const NEW: &str = "Z90082";
    let mut office = Office::bare().await;
    let (id, _) = office.somebody().await;
    let now = office.attendance.world.now();
    office
        .attendance
        .company("h1", |company| {
            assert!(company.change_number(now, id, Some(OLD)));
            company.set_day(now, id, date(2026, 3, 12), Day::work(clock(22, 0), clock(25, 30)));
        })
        .await;
    for number in [OLD, NEW] {
        office.crowdlog.add_member(Member::new(number, "見本"));
    }
    office.upload_members().await;
    office.settings(json!({"closing": {"kind": "not_used"}, "past_midnight": "skip"})).await;
    office.attendance.run_to(date(2026, 4, 2), 6, 0).await;
    office.import_all().await;
    let query = "SELECT handwork_id FROM handwork WHERE code = $1 AND reason = 'attendance.past_midnight'";
    let item = office.attendance.world.store.db.row(query, vec![OLD.into()]).await.unwrap().unwrap();
    let item: i64 = item.get("handwork_id").unwrap();
    let tick = ask("POST", &format!("{LINK}/handwork/{item}/done"), None);
    assert_eq!(office.call(tick).await.status, 204);
    let listed = json!({"code": OLD, "from": "2026-03-02", "to": "2026-03-03"});
    assert_eq!(office.call(ask("POST", &format!("{LINK}/protections"), Some(listed))).await.status, 201);
    let now = office.attendance.world.now();
    office.attendance.company("h1", |company| assert!(company.change_number(now, id, Some(NEW)))).await;
    office.attendance.run_to(date(2026, 4, 3), 6, 0).await;
    let days = |code: &str| format!("days?code={code}&limit=200");
    let left_out = office.get(&days(OLD)).await.json();
    let left_out: Vec<&str> =
        left_out["items"].as_array().unwrap().iter().map(|day| day["day"].as_str().unwrap()).collect();
    assert_eq!(left_out, ["2026-02-21"], "all that the next window reads again are under the new one");
    assert!(office.get(&days(NEW)).await.json()["items"].as_array().unwrap().len() > 20);
    let before = tables_with(&office, OLD).await;
    for table in ["attendance_file_rows", "handwork", "attendance_protections"] {
        assert!(before.contains(table), "{table}: {before:?}");
    }

    let gone = office.call(ask("DELETE", &format!("/api/v1/crowdlog/people/{NEW}"), None)).await;
    assert_eq!(gone.status, 200, "{:?}", gone.json());
    assert!(gone.json()["handwork"].as_i64() > Some(0) && gone.json()["files"].as_i64() > Some(0), "{:?}", gone.json());
    let kept = BTreeSet::from(["batches", "log_records", "crowdlog_members"].map(str::to_owned));
    office.settle().await;
    for number in [OLD, NEW] {
        let left = tables_with(&office, number).await;
        assert!(left.is_subset(&kept), "what goes by age, and what is クラウドログ's own: {number}: {left:?}");
    }
}
