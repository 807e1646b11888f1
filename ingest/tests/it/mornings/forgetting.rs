//! One person is deleted, and does not come back.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::time::Duration;

use jiff::civil::date;
use renkei_events::topic::Topic;
use renkei_sandbox::crowdlog::Member;
use renkei_sandbox::hrmos::User;
use renkei_simulation::people::record;
use renkei_simulation::world::link;
use renkei_store::db::Sql;
use renkei_store::logtable;
use renkei_workers::attendance::folder::Folder;
use serde_json::json;

use super::office::Office;
use crate::api::world::ask;

const NUMBER: &str = "Z90077";
const NAME: &str = "秘密苗字";

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

#[actix_web::test]
async fn i8_one_person_is_deleted_and_31_days_later_nothing_is_left() {
    let mut office = Office::bare().await;
    let (id, _) = office.somebody().await;
    let now = office.attendance.world.now();
    office.attendance.company("h1", |company| assert!(company.change_number(now, id, Some(NUMBER)))).await;
    office.crowdlog.add_member(Member::new(NUMBER, NAME));
    office.attendance.world.link(link("c1", "a")).await;
    office.attendance.world.run_for(Duration::from_secs(65)).await;
    let record = record(json!({"employee_number": NUMBER, "last_name": NAME}), 77, now);
    let employee = record.employee_id.to_string();
    office.attendance.world.send("c1", record.clone()).await;
    office.attendance.world.drain("c1", Duration::from_secs(120)).await;
    office.upload_members().await;
    office.settings(json!({"closing": {"kind": "not_used"}})).await;
    office.attendance.run_to(date(2026, 4, 2), 6, 0).await;
    let folder = tempfile::tempdir().unwrap();
    let drop = Folder::new(folder.path().to_owned());
    let store = office.attendance.world.store.clone();
    drop.look(&store).await.unwrap();
    assert!(bytes_hold(folder.path(), NUMBER));
    let days = office.get(&format!("days?code={NUMBER}&reveal=true")).await.json();
    assert!(days["items"].as_array().unwrap().len() > 20);

    let path = format!("/api/v1/employees/c1/{employee}");
    let gone = office.call(ask("DELETE", &path, None)).await;
    assert_eq!(gone.status, 200, "{:?}", gone.json());
    let gone = gone.json();
    assert_eq!((&gone["records"], &gone["number_in_use"]), (&json!(1), &json!(false)), "{gone}");
    assert!(gone["days"].as_i64() > Some(20) && gone["files"].as_i64() > Some(0), "{gone}");
    assert_eq!(office.call(ask("DELETE", &path, None)).await.status, 404);
    // At once: all but what goes by its age, and what カオナビ and クラウドログ hold themselves.
    let by_age = ["batches", "log_records"].map(str::to_owned);
    let theirs = BTreeSet::from(["codes", "crowdlog_members"].map(str::to_owned));
    let left: BTreeSet<String> =
        tables_with(&office, NUMBER).await.into_iter().filter(|t| !by_age.contains(t)).collect();
    assert_eq!(left, theirs);
    office.settle().await;
    assert!(office.rows().await.keys().all(|(code, _)| code != NUMBER), "files are made anew without the person");
    drop.look(&store).await.unwrap();
    assert!(!bytes_hold(folder.path(), NUMBER));

    // The same record comes late, and the source has the days of somebody who left still.
    let left = |user: &mut User| user.end_date = Some(date(2026, 4, 2));
    let now = office.attendance.world.now();
    office.attendance.company("h1", |company| assert!(company.edit_user(now, id, left))).await;
    office.attendance.world.send("c1", record).await;
    for day in 1..=31 {
        let day = date(2026, 4, 2).checked_add(jiff::Span::new().days(day)).unwrap();
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
    assert_eq!(tables_with(&office, &employee).await, BTreeSet::new());
    assert_eq!(tables_with(&office, NUMBER).await, theirs);
    let people = office.call(ask("GET", &format!("/api/v1/employees?number={NUMBER}"), None)).await.json();
    assert_eq!(people["items"], json!([]));
    let days = office.get(&format!("days?code={NUMBER}")).await.json();
    assert_eq!(days["items"], json!([]), "what the source told before does not come back");
    let world = office.attendance.world.folder().unwrap().to_owned();
    for place in [world.as_path(), folder.path()] {
        assert!(!bytes_hold(place, NAME));
    }
}
