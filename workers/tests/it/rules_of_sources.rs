//! Rules of the sources with the real windows as the careful client: H HRMOS勤怠, K KING OF TIME. The employee feed and
//! クラウドログ's import have modules of their own.

use jiff::civil::{Date, date};
use renkei_events::codes::Code;
use renkei_sandbox::hrmos::{self, Between, IpTarget};
use renkei_sandbox::kingoftime;
use renkei_sandbox::rules::Shown;
use renkei_simulation::attendance::{Attendance, at};
use renkei_store::links::AttendanceSource;
use renkei_store::runs::RunState;

use crate::rules::need;

const DAY: Date = date(2026, 4, 2);
const BEFORE: Date = date(2026, 3, 31);

/// What the real client comes to under a rule of a source; `None`: the rule belongs to none, or is not touched.
pub(crate) async fn ours(rule: &str) -> Option<Shown> {
    let number: u32 = rule.get(1..)?.parse().ok()?;
    match rule.get(..1)? {
        "H" => Some(hrmos(number).await),
        "K" => Some(kingoftime(number).await),
        "E" => Some(crate::rules_of_the_feed::ours(number).await),
        "C" => crate::rules_of_the_import::ours(number),
        _ => None,
    }
}

/// A run has to end well, or as `code` says.
async fn ended(attendance: &Attendance, place: usize, code: Option<Code>) -> Shown {
    let runs = attendance.runs().await;
    let run = runs.get(place).ok_or_else(|| format!("{} runs", runs.len()))?;
    let expected = code.map_or(RunState::Ok, |_| RunState::Failed);
    need(
        run.state == expected && run.code.as_deref() == code.map(Code::as_str),
        &format!("{:?} {:?}", run.state, run.code),
    )
}

async fn at_hrmos(order: impl FnOnce(&mut hrmos::Company)) -> Attendance {
    let mut attendance = Attendance::sample(120, date(2026, 1, 1), date(2026, 4, 30)).await;
    attendance.run_to(DAY, 4, 59).await;
    attendance.company("h1", order).await;
    attendance
}

/// Every person with a number of their own stands in the book with the times that the source has.
async fn hrmos_book(attendance: &Attendance) -> Shown {
    let users = attendance.company("h1", |company| company.users().to_vec()).await;
    let number =
        |user: &hrmos::User| user.number.as_deref().map(str::trim).filter(|text| !text.is_empty()).map(str::to_owned);
    let book = attendance.book("l1", BEFORE).await;
    let mut nights = 0;
    for user in users.iter().filter(|user| user.works_on(BEFORE)) {
        let Some(code) = number(user) else { continue };
        let shared = users.iter().filter(|other| number(other).as_ref() == Some(&code)).count() > 1;
        let entry = book.iter().find(|entry| entry.told.person == format!("h1/{}", user.id));
        need(entry.is_some() != shared, &format!("{code} is in the book: {}", entry.is_some()))?;
        let Some(entry) = entry else { continue };
        let row: renkei_attendance::reading::hrmos::Row =
            serde_json::from_slice(&entry.told.value).map_err(|fault| fault.to_string())?;
        let truth = attendance.company("h1", |company| company.day(user.id, BEFORE)).await.unwrap_or_default();
        need(row.start_at.is_some() == truth.start.is_some(), &format!("{code}: the start"))?;
        let next_day = truth.end.is_some_and(|end| end.get() >= 1440);
        nights += usize::from(next_day);
        let said = String::from_utf8_lossy(&entry.told.value).contains("\"next_day_end\":1");
        need(said == next_day, &format!("{code}: the night"))?;
    }
    need(nights > 0 && book.len() > 100, &format!("{nights} nights, {} days", book.len()))
}

async fn hrmos(rule: u32) -> Shown {
    let order: fn(&mut hrmos::Company) = match rule {
        3 => |company| company.regenerate_key(at(DAY, 4, 0), "b3RoZXI="),
        4 => |company| company.set(|settings| settings.token_life_ms = 60_000),
        16 => |company| company.outside_calls(at(DAY, 5, 0), 60),
        17 => |company| {
            company.restrict_ip(IpTarget::Whole, &[]);
            company.set(|settings| settings.ip_html = true);
        },
        18 => |company| {
            company.fault(|faults| {
                (faults.server_errors, faults.resets, faults.without_totals) = (2, 2, 3);
                faults.between_pages = Some(Between::RowCame);
            });
        },
        _ => |_| (),
    };
    let mut attendance = at_hrmos(order).await;
    attendance.run_to(DAY, 7, 0).await;
    if rule == 3 || rule == 17 {
        let code = if rule == 3 { Code::AttendanceKeyRefused } else { Code::AttendanceIpBlocked };
        ended(&attendance, 0, Some(code)).await?;
        let calls = attendance.company("h1", |company| company.log().calls().len()).await;
        return need(calls <= 2, &format!("{calls} calls"));
    }
    ended(&attendance, 0, None).await?;
    hrmos_book(&attendance).await?;
    let (writes, refused, peak, calls) = attendance
        .company("h1", |company| {
            let stats = company.stats().clone();
            let refused: u64 =
                stats.by_status.iter().filter(|(status, _)| **status != 200).map(|(_, count)| count).sum();
            (stats.writes, refused, stats.peak_per_minute, stats.calls)
        })
        .await;
    let strays = attendance.hrmos.lock().await.strays().len();
    need(writes == 0 && strays == 0, &format!("{writes} writes, {strays} strays"))?;
    need(matches!(rule, 4 | 16 | 18) || refused == 0, &format!("{refused} refusals"))?;
    need(peak <= 60 && calls < 120, &format!("peak {peak}, {calls} calls"))?;
    if rule == 9 {
        // What was changed of an old work date comes with the next window, which asks by update times.
        let (now, user) = (attendance.world.now(), attendance.company("h1", |company| company.users()[3].id).await);
        let day = hrmos::Day::work(hrmos::at(7, 7), hrmos::at(16, 16));
        attendance.company("h1", |company| company.set_day(now, user, date(2026, 3, 2), day)).await;
        attendance.run_to(date(2026, 4, 3), 7, 0).await;
        let book = attendance.book("l1", date(2026, 3, 2)).await;
        let found = book.iter().find(|entry| entry.told.person == format!("h1/{user}"));
        let told = found.is_some_and(|entry| String::from_utf8_lossy(&entry.told.value).contains("07:07"));
        return need(told, "the correction did not come");
    }
    Ok(())
}

async fn kingoftime_book(attendance: &Attendance) -> Shown {
    let people = attendance.at_kingoftime("k1", |company| company.employees().to_vec()).await;
    let book = attendance.book("l1", BEFORE).await;
    for person in people.iter().filter(|person| person.works_on(BEFORE) && person.code.is_some()) {
        let shared = people.iter().filter(|other| other.code == person.code).count() > 1;
        let entry = book.iter().find(|entry| entry.told.person == person.key);
        need(entry.is_some() != shared, &format!("{:?} is in the book: {}", person.code, entry.is_some()))?;
        let Some(entry) = entry else { continue };
        let row: renkei_attendance::reading::kingoftime::Row =
            serde_json::from_slice(&entry.told.value).map_err(|fault| fault.to_string())?;
        let truth =
            attendance.at_kingoftime("k1", |company| company.day(&person.key, BEFORE)).await.unwrap_or_default();
        let leave = (row.full_day, row.half_days.len(), row.hour_holidays.len());
        need(row.punches.len() == truth.punches.len(), &format!("{:?}: the punches", person.code))?;
        need(
            leave == (truth.full_day, truth.half_days.len(), truth.hours.len()),
            &format!("{:?}: leave", person.code),
        )?;
    }
    need(book.len() > 100, &format!("{} days", book.len()))
}

async fn kingoftime(rule: u32) -> Shown {
    let spec = kingoftime::sample::company("k1", 120, date(2026, 1, 1), date(2026, 4, 30), 11);
    let mut attendance = Attendance::with_kingoftime(spec).await;
    let begin = if matches!(rule, 3 | 4) { (8, 28) } else { (4, 59) };
    attendance.world.run_until(at(DAY, begin.0, begin.1)).await;
    let order: fn(&mut kingoftime::Company) = match rule {
        2 => |company| company.tokens_mut()[0].networks.clear(),
        14 => |company| company.outside_calls(at(DAY, 5, 0), 60),
        15 => |company| company.fault(|faults| (faults.server_errors, faults.resets, faults.cut_bodies) = (1, 2, 1)),
        _ => |_| (),
    };
    attendance.at_kingoftime("k1", order).await;
    if rule == 17 {
        let spec = kingoftime::CompanySpec::new("n1");
        attendance.kinkakuji.lock().await.add(spec).map_err(|error| error.to_string())?;
        attendance.link("l2", "n1", AttendanceSource::Kinkakuji).await;
    }
    attendance.run_to(DAY, 11, 0).await;
    if rule == 2 {
        ended(&attendance, 0, Some(Code::AttendanceKeyRefused)).await?;
        let calls = attendance.at_kingoftime("k1", |company| company.log().calls().len()).await;
        return need(calls == 1, &format!("{calls} calls"));
    }
    ended(&attendance, 0, None).await?;
    if rule == 17 {
        ended(&attendance, 1, None).await?;
    }
    kingoftime_book(&attendance).await?;
    let stats = attendance.at_kingoftime("k1", |company| company.stats().clone()).await;
    let refused = stats.calls - stats.by_status.get(&200).copied().unwrap_or(0);
    let strays = attendance.kingoftime.lock().await.strays().len() + attendance.kinkakuji.lock().await.strays().len();
    need(stats.writes == 0 && strays == 0, &format!("{} writes, {strays} strays", stats.writes))?;
    need(
        matches!(rule, 14 | 15) || refused == 0 && stats.calls <= 18,
        &format!("{refused} refusals of {}", stats.calls),
    )?;
    if rule == 16 || rule == 7 {
        let key = attendance.at_kingoftime("k1", |company| company.employees()[3].key.clone()).await;
        attendance.at_kingoftime("k1", |company| company.change_code(&key, Some("Q1"))).await;
        attendance.run_to(date(2026, 4, 3), 7, 0).await;
        let book = attendance.book("l1", BEFORE).await;
        let codes: Vec<&str> =
            book.iter().filter(|entry| entry.told.person == key).map(|entry| entry.told.code.as_str()).collect();
        return need(codes == ["Q1"], &format!("{codes:?}"));
    }
    Ok(())
}
