//! 社員コード that two people of the source have, where it does not tell of both at once.

use std::collections::BTreeSet;

use jiff::civil::{Date, date};
use renkei_sandbox::hrmos::{Day, EmptyDays, at as clock};
use serde_json::{Value, json};

use super::office::{FIRST, LINK, Office};
use crate::api::world::ask;

const LAST: Date = date(2026, 3, 31);

/// The second of the sample has the number of the first, and the first alone works on the second date.
async fn sharing() -> (Office, i64, i64, String) {
    let mut office = Office::bare().await;
    let (first, code) = office.somebody().await;
    let now = office.attendance.world.now();
    let second = office
        .attendance
        .company("h1", |company| {
            company.set(|settings| settings.number_touches_rows = false);
            let second = company.users()[1].id;
            company.change_number(now, second, Some(&code));
            for (user, days) in [(first, [true, true]), (second, [true, false])] {
                for (day, works) in [FIRST, FIRST.tomorrow().unwrap()].into_iter().zip(days) {
                    match works {
                        true => company.set_day(now, user, day, Day::work(clock(9, 0), clock(18, 0))),
                        false => company.remove_day(user, day),
                    }
                }
            }
            second
        })
        .await;
    office.upload_members().await;
    office.settings(json!({"closing": {"kind": "not_used"}})).await;
    office.attendance.run_to(date(2026, 4, 2), 6, 0).await;
    (office, first, second, code)
}

async fn days_in_files(office: &mut Office, code: &str) -> BTreeSet<Date> {
    office.rows().await.into_keys().filter(|(of, _)| of == code).map(|(_, day)| day).collect()
}

#[actix_web::test]
async fn a_code_of_two_is_nobodys_on_a_date_of_one_of_them_either() {
    let (mut office, _, _, code) = sharing().await;
    assert_eq!(days_in_files(&mut office, &code).await, BTreeSet::new());
    let matching = office.get("matching").await.json();
    let named = |matching: &Value| matching["doubles_at_source"]["codes"].as_array().unwrap().contains(&json!(code));
    assert!(named(&matching), "{matching}");
    // On a later day one of the two is corrected, so that the source tells of that one alone.
    let (day, now) = (date(2026, 3, 10), office.attendance.world.now());
    let first = office.somebody().await.0;
    let day_of = Day::work(clock(10, 0), clock(19, 0));
    office.attendance.company("h1", |company| company.set_day(now, first, day, day_of)).await;
    office.attendance.run_to(date(2026, 4, 3), 6, 0).await;
    assert_eq!(days_in_files(&mut office, &code).await, BTreeSet::new());
}

/// The other one's row did not change, so that a window does not read it.
#[actix_web::test]
async fn a_code_that_somebody_else_gets_too_is_nobodys_from_then_on() {
    let mut office = Office::after_the_first_window().await;
    let (_, code) = office.somebody().await;
    assert!(!days_in_files(&mut office, &code).await.is_empty());
    let (day, now) = (date(2026, 3, 10), office.attendance.world.now());
    let second = office.attendance.company("h1", |company| company.users()[1].id).await;
    office
        .attendance
        .company("h1", |company| {
            company.change_number(now, second, Some(&code));
            company.set_day(now, second, day, Day::work(clock(6, 0), clock(7, 0)));
            // Neither works on the date that the window reads whole.
            let users = company.users().to_vec();
            for user in &users[..2] {
                company.remove_day(user.id, date(2026, 4, 2));
            }
        })
        .await;
    office.attendance.run_to(date(2026, 4, 3), 6, 0).await;
    assert_eq!(days_in_files(&mut office, &code).await, BTreeSet::new());
    let days = office.get(&format!("days?code={code}&from={day}&to={day}")).await.json();
    let (first, _) = office.somebody().await;
    let told = office.attendance.company("h1", |company| company.day(first, day)).await.is_some();
    assert_eq!(days["items"].as_array().map(Vec::len), Some(usize::from(told)), "{days}");
    assert!(!days.to_string().contains("06:00"), "it is the first one's day still: {days}");
}

/// Whoever is gone never comes with another number: a window that reads everything sees it, that of a Sunday.
#[actix_web::test]
async fn a_code_whose_other_owner_was_deleted_is_the_first_ones_after_a_sunday() {
    let (mut office, first, second, code) = sharing().await;
    let now = office.attendance.world.now();
    office
        .attendance
        .company("h1", |company| company.edit_user(now, second, |user| user.end_date = Some(date(2026, 1, 31))))
        .await;
    office.attendance.run_to(date(2026, 4, 4), 6, 0).await;
    assert_eq!(days_in_files(&mut office, &code).await, BTreeSet::new());
    office.attendance.run_to(date(2026, 4, 5), 6, 0).await;
    let days = days_in_files(&mut office, &code).await;
    assert!(days.len() > 20, "{first}: {days:?}");
}

/// A date on which only the one who was deleted worked is that one's in the book: nobody's any more when it is read whole.
#[actix_web::test]
async fn a_lone_day_of_the_one_who_was_deleted_does_not_hold_the_code() {
    let (mut office, first, second, code) = sharing().await;
    let now = office.attendance.world.now();
    let lone = date(2026, 3, 10);
    office
        .attendance
        .company("h1", |company| {
            company.set(|settings| settings.empty_days = EmptyDays::Missing);
            company.set_day(now, second, lone, Day::work(clock(9, 0), clock(18, 0)));
            company.remove_day(first, lone);
        })
        .await;
    let days = json!({"first_day": lone.to_string(), "last_day": lone.to_string()});
    assert_eq!(office.call(ask("POST", &format!("{LINK}/runs"), Some(days))).await.status, 202);
    office.settle().await;
    let in_the_book = office.get(&format!("days?code={code}&from={lone}&to={lone}")).await.json();
    assert_eq!(in_the_book["items"].as_array().map(Vec::len), Some(1), "{in_the_book}");
    let gone = date(2026, 1, 31);
    office.attendance.company("h1", |company| company.edit_user(now, second, |user| user.end_date = Some(gone))).await;
    office.attendance.run_to(date(2026, 4, 5), 6, 0).await;
    let days = days_in_files(&mut office, &code).await;
    assert!(days.len() > 15 && !days.contains(&lone), "{days:?}");
}

/// When one of three gets a number of one's own, two are left who share theirs.
#[actix_web::test]
async fn a_code_of_three_is_nobodys_when_one_of_them_gets_another() {
    let (mut office, _, second, code) = sharing().await;
    let now = office.attendance.world.now();
    let third = office
        .attendance
        .company("h1", |company| {
            let third = company.users()[2].id;
            company.set(|settings| settings.number_touches_rows = true);
            company.change_number(now, third, Some(&code));
            third
        })
        .await;
    office.attendance.run_to(date(2026, 4, 3), 6, 0).await;
    let now = office.attendance.world.now();
    office
        .attendance
        .company("h1", |company| {
            company.set(|settings| settings.number_touches_rows = false);
            company.change_number(now, second, Some("NEW-1"));
            company.set_day(now, second, date(2026, 3, 10), Day::work(clock(10, 0), clock(19, 0)));
        })
        .await;
    for day in [date(2026, 4, 4), date(2026, 4, 5), date(2026, 4, 6)] {
        office.attendance.run_to(day, 6, 0).await;
        assert_eq!(days_in_files(&mut office, &code).await, BTreeSet::new(), "{day}, beside {third}");
    }
}

/// Correcting numbers one after the other is the usual way to clean up: each is free by its second window.
#[actix_web::test]
async fn a_second_code_that_is_given_up_meanwhile_is_read_again_too() {
    let (mut office, _, second, code) = sharing().await;
    let now = office.attendance.world.now();
    let others = office
        .attendance
        .company("h1", |company| {
            company.set(|settings| settings.number_touches_rows = true);
            let (third, fourth) = (company.users()[2].clone(), company.users()[3].clone());
            company.change_number(now, fourth.id, third.number.as_deref());
            (third.number.unwrap(), fourth.id)
        })
        .await;
    office.attendance.run_to(date(2026, 4, 6), 6, 0).await;
    let (other, fourth) = others;
    for (day, person, number) in [(date(2026, 4, 7), second, "NEW-1"), (date(2026, 4, 8), fourth, "NEW-2")] {
        let now = office.attendance.world.now();
        office
            .attendance
            .company("h1", |company| {
                company.set(|settings| settings.number_touches_rows = false);
                company.change_number(now, person, Some(number));
                company.set_day(now, person, date(2026, 3, 10), Day::work(clock(10, 0), clock(19, 0)));
            })
            .await;
        office.attendance.run_to(day, 6, 0).await;
    }
    office.attendance.run_to(date(2026, 4, 10), 6, 0).await;
    for code in [&code, &other] {
        assert!(days_in_files(&mut office, code).await.len() > 15, "{code}");
    }
}

/// A manual run reads its own days; the others come with the window.
#[actix_web::test]
async fn a_code_that_a_manual_run_sees_freed_is_read_again_by_the_next_window() {
    let (mut office, _, second, code) = sharing().await;
    let now = office.attendance.world.now();
    office.attendance.company("h1", |company| company.change_number(now, second, Some("NEW-1"))).await;
    let days = json!({"first_day": "2026-03-09", "last_day": "2026-03-13"});
    // It ends after the window has fallen due, which waits for it.
    office.attendance.run_to(date(2026, 4, 3), 4, 59).await;
    office.attendance.run_for(std::time::Duration::from_secs(56)).await;
    assert_eq!(office.call(ask("POST", &format!("{LINK}/runs"), Some(days))).await.status, 202);
    office.attendance.run_to(date(2026, 4, 3), 6, 0).await;
    let runs = office.attendance.runs().await;
    assert_eq!(runs.iter().filter(|run| run.kind == renkei_store::runs::RunKind::Manual).count(), 1, "{runs:?}");
    let days = days_in_files(&mut office, &code).await;
    assert!(days.len() > 20, "{days:?}");
}

#[actix_web::test]
async fn a_code_that_one_of_two_gave_up_is_the_others_from_the_window_after_the_next() {
    let (mut office, first, second, code) = sharing().await;
    let now = office.attendance.world.now();
    office
        .attendance
        .company("h1", |company| {
            company.change_number(now, second, Some("NEW-1"));
            company.set_day(now, second, date(2026, 3, 10), Day::work(clock(10, 0), clock(19, 0)));
        })
        .await;
    // The first window only sees that the number is another one, and the next reads everything.
    office.attendance.run_to(date(2026, 4, 4), 6, 0).await;
    let truth = office.truth(LAST).await;
    let first_kept = date(2026, 2, 23);
    let expected: BTreeSet<Date> =
        truth.into_keys().filter(|(of, day)| *of == code && *day >= first_kept).map(|(_, day)| day).collect();
    assert!(expected.len() > 20, "{expected:?}");
    let days: BTreeSet<Date> =
        days_in_files(&mut office, &code).await.into_iter().filter(|day| (first_kept..=LAST).contains(day)).collect();
    assert_eq!(days, expected);
    let answer = office.get("matching").await.json();
    assert!(!answer["doubles_at_source"]["codes"].as_array().unwrap().contains(&json!(code)), "{answer}");
    assert_eq!(office.somebody().await.0, first);
}

/// The other one left, and only dates that are older than every window tell of both. Others' days of these dates wait for a file, or
/// nothing is decided until the member list comes after the next window.
#[actix_web::test]
async fn an_old_day_of_a_code_that_was_shared_stays_out_of_the_files_and_does_not_hold_the_code() {
    for list_is_late in [false, true] {
        let mut office = Office::bare().await;
        let (first, code) = office.somebody().await;
        let now = office.attendance.world.now();
        let (both, lone) = (date(2026, 1, 5), date(2026, 1, 6));
        office
            .attendance
            .company("h1", |company| {
                company.set(|settings| {
                    settings.number_touches_rows = false;
                    settings.empty_days = EmptyDays::Missing;
                });
                let second = company.users()[1].id;
                company.change_number(now, second, Some(&code));
                company.edit_user(now, first, |user| user.start_date = date(2020, 4, 1));
                company
                    .edit_user(now, second, |user| (user.start_date, user.end_date) = (date(2020, 4, 1), Some(lone)));
                for (user, day) in [(first, both), (first, lone), (second, both)] {
                    company.set_day(now, user, day, Day::work(clock(9, 0), clock(18, 0)));
                }
                company.remove_day(second, lone);
            })
            .await;
        office.settings(json!({"closing": {"kind": "not_used"}})).await;
        if !list_is_late {
            office.upload_members().await;
        }
        let days = json!({"first_day": both.to_string(), "last_day": lone.to_string()});
        assert_eq!(office.call(ask("POST", &format!("{LINK}/runs"), Some(days))).await.status, 202);
        office.attendance.run_for(std::time::Duration::from_secs(60)).await;
        let in_the_book = office.get(&format!("days?code={code}&from={both}&to={lone}")).await.json();
        assert_eq!(in_the_book["items"].as_array().map(Vec::len), Some(1), "{in_the_book}");
        for morning in [date(2026, 4, 2), date(2026, 4, 3)] {
            office.attendance.run_to(morning, 6, 0).await;
            if list_is_late && morning == date(2026, 4, 2) {
                office.upload_members().await;
            }
            let days = days_in_files(&mut office, &code).await;
            assert!(!days.contains(&lone), "late {list_is_late}, {morning}: {days:?}");
        }
        let rows = office.rows().await;
        assert!(rows.keys().any(|(_, day)| *day == lone), "late {list_is_late}: others have rows of that date");
        let days = days_in_files(&mut office, &code).await;
        assert!(days.len() > 20 && days.iter().all(|day| *day >= FIRST), "late {list_is_late}: {days:?}");
    }
}

/// The first one left with the number, and the second one got it: the book knows it of old dates alone, and only the first of them
/// tells of the first one. A decision about so many dates takes several steps.
#[actix_web::test]
async fn a_number_that_went_to_somebody_else_is_nobodys_on_all_old_dates_of_one_decision() {
    let mut office = Office::bare().await;
    let (first, code) = office.somebody().await;
    let (lone, from, to) = (date(2026, 1, 5), date(2026, 1, 6), date(2026, 1, 16));
    let now = office.attendance.world.now();
    let work = || Day::work(clock(9, 0), clock(18, 0));
    let second = office
        .attendance
        .company("h1", |company| {
            company.set(|settings| {
                settings.number_touches_rows = false;
                settings.empty_days = EmptyDays::Missing;
            });
            let others: Vec<i64> = company.users().iter().map(|user| user.id).filter(|id| *id != first).collect();
            company.edit_user(now, first, |user| (user.start_date, user.end_date) = (date(2020, 4, 1), Some(lone)));
            company.edit_user(now, others[0], |user| (user.start_date, user.end_date) = (date(2020, 4, 1), None));
            company.set_day(now, first, lone, work());
            for other in &others {
                company.remove_day(*other, lone);
            }
            others[0]
        })
        .await;
    office.settings(json!({"closing": {"kind": "not_used"}})).await;
    for (first_day, last_day) in [(lone, lone), (from, to)] {
        if first_day == from {
            let now = office.attendance.world.now();
            office
                .attendance
                .company("h1", |company| {
                    company.change_number(now, second, Some(&code));
                    for day in from.series(jiff::Span::new().days(1)).take_while(|day| *day <= to) {
                        company.set_day(now, second, day, work());
                    }
                })
                .await;
        }
        let days = json!({"first_day": first_day.to_string(), "last_day": last_day.to_string()});
        assert_eq!(office.call(ask("POST", &format!("{LINK}/runs"), Some(days))).await.status, 202);
        office.attendance.run_for(std::time::Duration::from_secs(120)).await;
    }
    let in_the_book = office.get(&format!("days?code={code}&from={lone}&to={to}")).await.json();
    assert_eq!(in_the_book["items"].as_array().map(Vec::len), Some(12), "{in_the_book}");
    office.upload_members().await;
    assert_eq!(days_in_files(&mut office, &code).await, BTreeSet::new());
    let rows = office.rows().await;
    assert!(rows.keys().any(|(_, day)| *day == to), "others have rows of the last date: {rows:?}");
}
