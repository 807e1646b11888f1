//! What becomes of windows and of the book when somebody changes a link: another key, another company, 自動同期.

use jiff::civil::{Date, date};
use renkei_events::codes::Code;
use renkei_sandbox::hrmos::{ApiKey, CompanySpec, Day, IpTarget, User, at as clock, sample};
use renkei_simulation::attendance::{Attendance, at};
use renkei_store::attendance::shared_codes;
use renkei_store::jobs;
use renkei_store::link_checks::{self, CheckState, Kept, NewLink, Wish};
use renkei_store::links::{self, AttendanceSource, Link};
use renkei_store::runs::RunState;
use secrecy::{ExposeSecret as _, SecretString};

use crate::company::{HOUR, MINUTE, SECOND};

const WINDOW: Date = date(2026, 4, 2);

fn wish(company: &str, key: &str, new: Option<NewLink>) -> Wish {
    Wish {
        source: AttendanceSource::Hrmos,
        company: company.to_owned(),
        key: SecretString::from(key.to_owned()),
        key_issued: "2026-04-01".to_owned(),
        new,
        kept: None,
    }
}

fn new_link() -> Option<NewLink> {
    Some(NewLink { name: "連携".to_owned(), auto: true, stated: Vec::new() })
}

async fn want(attendance: &Attendance, id: &str, tenant: &str, link: &str, wish: &Wish) {
    let store = &attendance.world.store;
    let tx = store.begin().await.unwrap();
    let now = store.now_in(&tx).await.unwrap();
    link_checks::want(store, &tx, id, tenant, link, wish, now).await.unwrap();
    tx.commit().await.unwrap();
}

async fn state(attendance: &Attendance, id: &str) -> CheckState {
    let store = &attendance.world.store;
    link_checks::find(store, &store.db, id).await.unwrap().unwrap().state
}

fn refused(code: Code) -> CheckState {
    CheckState::Refused(code.as_str().to_owned())
}

async fn put(attendance: &Attendance, link: &Link) -> bool {
    let store = &attendance.world.store;
    let tx = store.begin().await.unwrap();
    let written = links::put(store, &tx, link).await.unwrap();
    tx.commit().await.unwrap();
    written
}

/// A company where the person `41` has this number and worked on the last day of March.
fn of_one(id: &str, number: &str, start: i16) -> CompanySpec {
    let spec = CompanySpec::new(id, at(date(2026, 3, 1), 9, 0))
        .user(User::new(41, Some(number), "見本", "花子").joined(date(2020, 4, 1)))
        .day(41, date(2026, 3, 31), Day::work(clock(start, 0), clock(18, 0)));
    CompanySpec { key: ApiKey(sample::key(id)), ..spec }
}

#[tokio::test]
async fn a_window_under_way_goes_on_with_the_new_key() {
    let mut attendance = Attendance::sample(30, date(2026, 1, 1), date(2026, 4, 30)).await;
    attendance.run_to(WINDOW, 5, 0).await;
    attendance.run_for(SECOND * 10).await;
    let now = attendance.world.now();
    attendance
        .company("h1", |company| {
            company.set(|settings| settings.regenerate_revokes_old = true);
            company.regenerate_key(now, "bmV3");
            company.end_tokens();
        })
        .await;
    want(&attendance, "c1", "t1", "l1", &wish("h1", "bmV3", None)).await;
    attendance.run_for(HOUR).await;
    assert_eq!(state(&attendance, "c1").await, CheckState::Accepted);
    let [run] = attendance.runs().await.try_into().unwrap();
    assert_eq!((run.state, run.code.as_deref()), (RunState::Ok, None), "{:?}", run.counts);
    attendance.run_to(date(2026, 4, 3), 6, 0).await;
    let runs = attendance.runs().await;
    assert_eq!(runs.iter().map(|run| run.state).collect::<Vec<_>>(), [RunState::Ok, RunState::Ok]);
}

/// A window that fell due while nobody worked is not taken off the calendar by a new key.
#[tokio::test]
async fn a_window_that_is_due_runs_with_the_new_key() {
    let mut attendance = Attendance::sample(30, date(2026, 1, 1), date(2026, 4, 30)).await;
    attendance.world.run_until(at(WINDOW, 9, 0)).await;
    let now = attendance.world.now();
    attendance.company("h1", |company| company.regenerate_key(now, "bmV3")).await;
    want(&attendance, "c1", "t1", "l1", &wish("h1", "bmV3", None)).await;
    attendance.run_for(HOUR).await;
    assert_eq!(attendance.runs().await.len(), 1);
}

#[tokio::test]
async fn a_key_that_is_refused_leaves_the_old_one_and_the_book() {
    let mut attendance = Attendance::sample(30, date(2026, 1, 1), date(2026, 4, 30)).await;
    attendance.run_to(WINDOW, 6, 0).await;
    let before = attendance.book("l1", date(2026, 4, 1)).await.len();
    want(&attendance, "c1", "t1", "l1", &wish("h1", "d3Jvbmc=", None)).await;
    attendance.run_for(MINUTE).await;
    assert_eq!(state(&attendance, "c1").await, refused(Code::AttendanceKeyRefused));
    assert_eq!(attendance.book("l1", date(2026, 4, 1)).await.len(), before);
    attendance.run_to(date(2026, 4, 3), 6, 0).await;
    assert_eq!(attendance.runs().await[1].state, RunState::Ok, "the old key goes on");
}

/// No worker asks for hours; meanwhile somebody closes the month and switches 自動同期 off.
#[tokio::test]
async fn what_was_changed_while_a_key_waited_to_be_tried_stays() {
    let mut attendance = Attendance::sample(30, date(2026, 1, 1), date(2026, 4, 30)).await;
    want(&attendance, "c1", "t1", "l1", &wish("h1", &sample::key("h1"), None)).await;
    let settings = r#"{"closing":{"kind":"on","date":"2026-02-28"}}"#.to_owned();
    let link = attendance.the_link("l1").await;
    assert!(put(&attendance, &Link { settings: settings.clone(), auto: false, name: "別名".to_owned(), ..link }).await);
    attendance.run_for(MINUTE).await;
    assert_eq!(state(&attendance, "c1").await, CheckState::Accepted);
    let link = attendance.the_link("l1").await;
    assert_eq!((link.settings, link.auto, link.name.as_str()), (settings, false, "別名"));
    // Taken away meanwhile, it does not come back.
    want(&attendance, "c2", "t1", "l1", &wish("h1", &sample::key("h1"), None)).await;
    let store = attendance.world.store.clone();
    let tx = store.begin().await.unwrap();
    links::remove(&tx, "l1", attendance.world.now()).await.unwrap();
    tx.commit().await.unwrap();
    attendance.run_for(MINUTE).await;
    assert_eq!(state(&attendance, "c2").await, refused(Code::ApiNotFound));
    assert!(links::find(&store, &store.db, "l1").await.unwrap().is_none());
}

/// Of a new company the key stays that of the link, and of a new key the company, whichever they become until the source was asked.
#[tokio::test]
async fn what_a_check_keeps_of_a_link_is_what_it_has_in_the_end() {
    let (old, new) = (sample::key("h1"), "bmV3");
    let table = [
        // Wanted, kept; what the link becomes meanwhile.
        (("h2", old.as_str()), Kept::Key, ("h1", new)),
        (("h1", new), Kept::Company, ("h2", old.as_str())),
    ];
    for ((company, key), kept, meanwhile) in table {
        let mut attendance = Attendance::with(of_one("h1", "P0001", 9)).await;
        let other = CompanySpec { key: ApiKey(old.clone()), ..of_one("h2", "Q0041", 11) };
        attendance.hrmos.lock().await.add(other).unwrap();
        let now = attendance.world.now();
        for id in ["h1", "h2"] {
            attendance
                .company(id, |company| {
                    company.set(|settings| settings.regenerate_revokes_old = false);
                    company.regenerate_key(now, new);
                })
                .await;
        }
        want(&attendance, "c1", "t1", "l1", &Wish { kept: Some(kept), ..wish(company, key, None) }).await;
        let store = attendance.world.store.clone();
        let key = SecretString::from(meanwhile.1.to_owned());
        let queue = links::queue(&store, AttendanceSource::Hrmos, meanwhile.0, &key);
        let (company, key_issued) = (meanwhile.0.to_owned(), date(2026, 3, 31));
        let link = attendance.the_link("l1").await;
        assert!(put(&attendance, &Link { company, key, queue, key_issued, ..link }).await);
        attendance.run_for(MINUTE).await;
        assert_eq!(state(&attendance, "c1").await, CheckState::Accepted, "{kept:?}");
        let link = attendance.the_link("l1").await;
        assert_eq!((link.company.as_str(), link.key.expose_secret()), ("h2", new), "{kept:?}");
        assert_eq!(link.queue, links::queue(&store, AttendanceSource::Hrmos, "h2", &link.key), "{kept:?}");
        // The day on which a key was issued goes with the key.
        let issued = if kept == Kept::Key { date(2026, 3, 31) } else { date(2026, 4, 1) };
        assert_eq!(link.key_issued, issued, "{kept:?}");
    }
}

/// Neither the link nor its place on the calendar, and not the key that somebody entered.
#[tokio::test]
async fn of_a_new_link_whose_key_is_not_taken_nothing_is_kept() {
    type Order = fn(&mut renkei_sandbox::hrmos::Company);
    let good = sample::key("h1");
    let nothing: Order = |_| ();
    let table: [(&str, &str, &str, Order, Code); 5] = [
        ("another key", "h1", "d3Jvbmc=", nothing, Code::AttendanceKeyRefused),
        ("no such company", "h9", &good, nothing, Code::AttendanceCompanyUnknown),
        ("IP", "h1", &good, |company| company.restrict_ip(IpTarget::Whole, &[]), Code::AttendanceIpBlocked),
        (
            "IP, as a page",
            "h1",
            &good,
            |company| {
                company.restrict_ip(IpTarget::Whole, &[]);
                company.set(|settings| settings.ip_html = true);
            },
            Code::AttendanceIpBlocked,
        ),
        (
            "no answer",
            "h1",
            &good,
            |company| company.fault(|faults| faults.server_errors = 50),
            Code::AttendanceSourceUnavailable,
        ),
    ];
    for (name, company, key, order, code) in table {
        let mut attendance = Attendance::with(of_one("h1", "P0001", 9)).await;
        attendance.company("h1", order).await;
        want(&attendance, "c1", "t1", "new", &wish(company, key, new_link())).await;
        attendance.run_for(MINUTE).await;
        assert_eq!(state(&attendance, "c1").await, refused(code), "{name}");
        let store = attendance.world.store.clone();
        assert!(link_checks::find(&store, &store.db, "c1").await.unwrap().unwrap().wish.is_none(), "{name}");
        assert!(links::find(&store, &store.db, "new").await.unwrap().is_none(), "{name}");
        assert!(!jobs::is_there(&store.db, links::WINDOW, "new").await.unwrap(), "{name}");
        assert!(!jobs::is_there(&store.db, links::CHECK, "c1").await.unwrap(), "{name}: nobody asks once more");
    }
}

#[tokio::test]
async fn i9_of_two_tenants_who_want_links_of_one_id_the_second_gets_none() {
    let mut attendance = Attendance::sample(30, date(2026, 1, 1), date(2026, 4, 30)).await;
    attendance.hrmos.lock().await.add(of_one("h2", "Q0001", 9)).unwrap();
    let store = attendance.world.store.clone();
    let tx = store.begin().await.unwrap();
    let now = store.now_in(&tx).await.unwrap();
    renkei_store::connections::put_tenant(&tx, "t2", "別の会社", now).await.unwrap();
    tx.commit().await.unwrap();
    want(&attendance, "first", "t1", "wanted", &wish("h1", &sample::key("h1"), new_link())).await;
    want(&attendance, "second", "t2", "wanted", &wish("h2", &sample::key("h2"), new_link())).await;
    attendance.run_for(MINUTE).await;
    let states = [state(&attendance, "first").await, state(&attendance, "second").await];
    assert!(states.contains(&CheckState::Accepted) && states.contains(&refused(Code::ApiConflict)), "{states:?}");
    let link = attendance.the_link("wanted").await;
    let expected = if states[0] == CheckState::Accepted { ("t1", "h1") } else { ("t2", "h2") };
    assert_eq!((link.tenant.as_str(), link.company.as_str()), expected);
    // Nor is it the other one's when it was taken away: what it brought is kept.
    let store = attendance.world.store.clone();
    let taken = if expected.0 == "t1" { "t2" } else { "t1" };
    assert!(links::is_anothers(&store.db, taken, "wanted").await.unwrap());
    assert!(!links::is_anothers(&store.db, expected.0, "wanted").await.unwrap());
    assert!(links::is_anothers(&store.db, "t3", "wanted").await.unwrap());
    // Nor can the other one's be written over, whoever tries.
    let other = if expected.0 == "t1" { "t2" } else { "t1" };
    let stolen = Link { tenant: other.to_owned(), name: "盗".to_owned(), ..link };
    assert!(!put(&attendance, &stolen).await);
    assert_eq!(attendance.the_link("wanted").await.name, "連携");
}

/// Ids of people are the company's own: the other company's person 41 is somebody else.
#[tokio::test]
async fn another_company_s_people_are_not_taken_for_those_of_the_one_before() {
    let mut attendance = Attendance::with(of_one("h1", "P0001", 9)).await;
    attendance.hrmos.lock().await.add(of_one("h2", "Q0041", 11)).unwrap();
    attendance.run_to(WINDOW, 6, 0).await;
    // A day of which the other company has no row.
    let now = attendance.world.now();
    let day = Day::work(clock(8, 0), clock(17, 0));
    attendance.company("h1", |company| company.set_day(now, 41, date(2026, 3, 20), day)).await;
    attendance.run_to(date(2026, 4, 3), 6, 0).await;
    want(&attendance, "c1", "t1", "l1", &wish("h2", &sample::key("h2"), None)).await;
    attendance.run_to(date(2026, 4, 4), 6, 0).await;
    assert_eq!(state(&attendance, "c1").await, CheckState::Accepted);
    let book = attendance.book("l1", date(2026, 3, 31)).await;
    let codes: Vec<&str> = book.iter().map(|day| day.told.code.as_str()).collect();
    assert_eq!(codes, ["P0001", "Q0041"], "the window after it reads everything, not only what has changed");
    assert!(String::from_utf8_lossy(&book[1].told.value).contains("11:00"));
    let book = attendance.book("l1", date(2026, 3, 20)).await;
    let of: Vec<&str> = book.iter().map(|day| day.told.code.as_str()).collect();
    assert!(of.contains(&"P0001"), "the old days keep their number: {of:?}");
    let kept = book.iter().find(|day| day.told.code == "P0001").unwrap();
    assert_eq!(kept.told.person, "h1/41");
    assert!(String::from_utf8_lossy(&kept.told.value).contains("08:00"), "and what they say");
    // The same number at both is one person's to クラウドログ.
    let store = attendance.world.store.clone();
    let link = attendance.the_link("l1").await;
    let people = shared_codes::people_with_book(&store.db, &link, ("2026-01-01", "2026-12-31")).await.unwrap();
    assert_eq!(people.iter().filter(|(code, _)| code == "P0001").count(), 1, "{people:?}");
    assert_eq!(people.iter().filter(|(code, _)| code == "Q0041").count(), 1, "{people:?}");
}

/// Somebody changes the company while its window runs: that run ends, and the window is read from the new one.
#[tokio::test]
async fn a_window_under_way_begins_anew_with_another_company() {
    let mut attendance = Attendance::sample(30, date(2026, 1, 1), date(2026, 4, 30)).await;
    attendance.hrmos.lock().await.add(of_one("h2", "Q0041", 11)).unwrap();
    attendance.run_to(WINDOW, 5, 0).await;
    attendance.run_for(SECOND * 20).await;
    want(&attendance, "c1", "t1", "l1", &wish("h2", &sample::key("h2"), None)).await;
    attendance.run_for(HOUR).await;
    let runs = attendance.runs().await;
    let states: Vec<_> = runs.iter().map(|run| (run.state, run.ended.is_some())).collect();
    assert_eq!(states, [(RunState::Cancelled, true), (RunState::Ok, true)]);
    let book = attendance.book("l1", date(2026, 3, 31)).await;
    assert!(book.iter().any(|day| day.told.code == "Q0041"));
}

/// 自動同期 is switched off while the window waits for a run that was started by hand: it is not wanted any more, and in nobody's way.
#[tokio::test]
async fn a_window_that_waits_when_it_is_switched_off_ends() {
    let mut attendance = Attendance::sample(120, date(2026, 1, 1), date(2026, 4, 30)).await;
    attendance.run_to(WINDOW, 4, 59).await;
    attendance.run_for(SECOND * 30).await;
    attendance.manual("l1", date(2026, 1, 5), date(2026, 1, 31)).await;
    attendance.run_to(WINDOW, 5, 0).await;
    attendance.run_for(SECOND * 15).await;
    let waiting = attendance.runs().await;
    assert!(waiting.iter().any(|run| run.state == RunState::Waiting), "{waiting:?}");
    let link = attendance.the_link("l1").await;
    assert!(put(&attendance, &Link { auto: false, ..link }).await);
    attendance.run_for(HOUR).await;
    let runs = attendance.runs().await;
    let states: Vec<_> = runs.iter().map(|run| (run.state, run.ended.is_some())).collect();
    assert_eq!(states, [(RunState::Ok, true), (RunState::Cancelled, true)]);
}
