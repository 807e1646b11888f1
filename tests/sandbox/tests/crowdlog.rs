//! The import of クラウドログ, whatever stands in the file.

#![allow(clippy::unwrap_used, reason = "a test that can not go on ends here")]

use jiff::civil::{Date, date};
use rand::Rng as _;
use rand::SeedableRng as _;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;
use renkei_runtime::clock::Millis;
use renkei_sandbox::crowdlog::rules::{Row, file};
use renkei_sandbox::crowdlog::{CrowdLog, PastMidnight, sample};
use renkei_sandbox::machine::Machine as _;
use renkei_sandbox::wire::SimRequest;

const NOW: Millis = Millis(1_775_520_000_000);

fn company() -> CrowdLog {
    let mut crowdlog = sample::company();
    let settings = crowdlog.settings_mut();
    settings.closing_date = Some(date(2026, 3, 31));
    settings.past_midnight = PastMidnight::Accept;
    crowdlog.apply("P1005", date(2026, 4, 3), true).unwrap();
    crowdlog
}

fn row(random: &mut StdRng) -> Row {
    let pick = |random: &mut StdRng, from: &[&str]| (*from.choose(random).unwrap()).to_owned();
    let day = date(2026, 3, 30).checked_add(jiff::Span::new().days(random.random_range(0..8))).unwrap();
    Row {
        code: pick(random, &["P1004", "P1004", "P1005", "00123", "P1001", "123", "", "\"P1004\""]),
        date: if random.random_bool(0.9) { day.to_string() } else { day.strftime("%Y/%m/%d").to_string() },
        start: pick(random, &["09:00", "09:00", "08:30", "9:00", "", "00:00"]),
        end: pick(random, &["18:00", "18:00", "17:15", "25:30", "48:00", "08:00", ""]),
        breaks: pick(random, &["", "12:00-13:00", "12:00-13:00/12:30-14:00", "\"12:00-12:30,15:00-15:10\"", "x,y"]),
    }
}

#[test]
fn a_file_of_many_rows_comes_to_the_same_as_each_row_on_its_own() {
    let (mut accepted, mut refused) = (0, 0);
    for seed in 0..200 {
        let mut random = StdRng::seed_from_u64(seed);
        let rows: Vec<Row> = (0..random.random_range(1..40)).map(|_| row(&mut random)).collect();
        let mut whole = company();
        let result = whole.import(NOW, &file(&rows));
        assert_eq!(result.header_error, None);
        assert_eq!(result.rows.iter().map(|row| row.row).collect::<Vec<_>>(), (2..rows.len() + 2).collect::<Vec<_>>());
        let mut single = company();
        for (place, row) in rows.iter().enumerate() {
            let one = single.import(NOW, &file(std::slice::from_ref(row)));
            assert_eq!(one.rows[0].error, result.rows[place].error, "seed {seed}: {row:?}");
        }
        assert_eq!(whole.timesheets(), single.timesheets(), "seed {seed}");
        for ((code, date), _) in whole.timesheets() {
            assert!(date > self::date(2026, 3, 31) && (code, date) != ("P1005", self::date(2026, 4, 3)), "protected");
        }
        accepted += result.accepted();
        refused += result.refused_rows().len();
    }
    assert!(accepted > 300 && refused > 300, "{accepted} accepted, {refused} refused");
}

#[test]
fn any_bytes_are_refused_or_taken_but_never_break_it() {
    let good = file(&[Row::new("P1004", date(2026, 4, 6)), Row::new("P1005", date(2026, 4, 6))]);
    for seed in 0..2_000 {
        let mut random = StdRng::seed_from_u64(seed);
        let mut bytes = good.clone();
        for _ in 0..random.random_range(1..4) {
            let place = random.random_range(0..bytes.len());
            match random.random_range(0..3) {
                0 => bytes[place] = random.random(),
                1 => bytes.truncate(place.max(1)),
                _ => bytes.insert(place, b"\",\r\n/-:"[random.random_range(0..7)]),
            }
        }
        let mut crowdlog = company();
        let result = crowdlog.import(NOW, &bytes);
        assert_eq!(crowdlog.timesheets().is_empty(), result.accepted() == 0, "seed {seed}: {result:?}");
        assert_eq!(crowdlog.imports().len(), 1);
    }
}

#[test]
fn timesheets_stay_with_a_member_whose_code_changes() {
    let mut crowdlog = company();
    let day: Date = date(2026, 4, 6);
    assert!(crowdlog.import(NOW, &file(&[Row::new("P1004", day)])).is_clean());
    crowdlog.change_member("P1004", |member| "P2004".clone_into(&mut member.code)).unwrap();
    assert!(crowdlog.stored("P1004", day).is_none() && crowdlog.stored("P2004", day).is_some());
    assert!(crowdlog.change_member("P1004", |_| {}).is_err());
    assert_eq!(crowdlog.import(NOW, &file(&[Row::new("P1004", day)])).refused_rows(), [2]);
}

#[test]
fn other_processes_can_press_the_buttons() {
    let mut crowdlog = company();
    let mut import = SimRequest::new("POST", "/sandbox/import");
    import.body = file(&[Row::new("P1004", date(2026, 4, 6)), Row::new("X", date(2026, 4, 6))]);
    let answer = crowdlog.handle(NOW, import).body();
    assert_eq!(answer["rows"][1]["error"]["reason"], "unknown_code");
    let sheets = crowdlog.handle(NOW, SimRequest::new("GET", "/sandbox/timesheets")).body();
    assert_eq!(sheets["timesheets"][0]["code"], "P1004");
    assert_eq!(sheets["timesheets"][0]["attendance"]["hours"]["start"], 545);
    for (query, status) in [("", 200), ("?inactive=true&encoding=shift_jis&excel=true", 200), ("?encoding=x", 400)] {
        let answer = crowdlog.handle(NOW, SimRequest::new("GET", &format!("/sandbox/members.csv{query}")));
        assert_eq!(answer.status(), Some(status), "{query}");
    }
    assert_eq!(crowdlog.handle(NOW, SimRequest::new("GET", "/projects")).status(), Some(404));
}
