//! `renkei-ingest employees import`: employees by CSV, from the shell.

use std::time::Duration;

use jiff::Timestamp;
use renkei_e2e::servers::Finished;
use renkei_runtime::clock::{Clock as _, SystemClock};
use renkei_sandbox::kaonavi::{TextField, sample};

use crate::support::pause;
use crate::support::people::member;
use crate::support::records::read_topic;
use crate::support::servers::kafka;
use crate::support::world::{LogKind, Setup, StoreKind, World};

const SOON: Duration = Duration::from_secs(60);
/// Where real time is not the point: windows and polls pass this many times faster.
const SCALE: u32 = 10;
const HEADER: &str =
    "従業員ID,社員番号,従業員ステータス,状況,姓,名,姓(ヨミガナ),名(ヨミガナ),性別,生年月日,入社日,更新日時";

/// A row of somebody eligible. It says when it was made: without that it is as old as its upload, and under a faster clock the
/// upload of a later process may look older.
fn row(number: &str, first_name: &str, updated_at: Timestamp) -> String {
    format!(
        "rm_{number},{number},在籍,データ入力完了,試験,{first_name},シケン,イチロウ,男性,1990-04-01,2026-04-01,{updated_at}"
    )
}

fn hours_ago(hours: u64) -> Timestamp {
    SystemClock::real().wall() - Duration::from_secs(hours * 3600)
}

/// Imports a file of these lines into the connection `acme`.
fn import(world: &World, lines: &[&str], more: &[&str]) -> Finished {
    let path = world.folder.write("employees.csv", &format!("{}\n", lines.join("\n"))).unwrap();
    let path = path.display().to_string();
    let mut arguments = vec!["employees", "import", "--connection", "acme", &path];
    arguments.extend(more);
    world.run("renkei-ingest", &arguments)
}

#[track_caller]
fn assert_refused(run: &Finished, says: &str) {
    assert_eq!((run.code, run.stdout.as_str()), (Some(1), ""), "{}", run.stderr);
    assert!(run.stderr.starts_with("renkei-ingest: ") && run.stderr.contains(says), "{says}: {}", run.stderr);
    assert_eq!(run.stderr.trim_end().lines().count(), 1, "{}", run.stderr);
}

#[track_caller]
fn assert_taken(run: &Finished, counts: &str, mode: &str) {
    assert_eq!((run.code, run.stderr.as_str()), (Some(0), ""), "{}", run.stdout);
    let lines: Vec<&str> = run.stdout.lines().collect();
    assert_eq!(lines.len(), 2, "{}", run.stdout);
    assert!(lines[0].starts_with(counts), "{counts}: {}", run.stdout);
    assert!(lines[1].starts_with("upload up_"), "{}", run.stdout);
    assert!(lines[1].ends_with(&format!(" is taken, mode {mode}")), "{}", run.stdout);
}

#[test]
fn a_file_that_can_not_be_taken_is_refused_in_one_line_and_leaves_nothing() {
    let world = World::new(Setup::default());
    let applied = world.apply_text(&world.file(), &[]);
    assert_eq!(applied.code, Some(0), "{}", applied.stderr);
    let good = row("A0001", "一郎", hours_ago(2));

    let nobody = import(&world, &["氏名,備考", "試験 一郎,なし"], &[]);
    assert_refused(&nobody, "csv.header_unknown: no column of the first line is 社員番号 or 従業員ID");
    assert_refused(&import(&world, &[HEADER], &[]), "csv.empty");
    let twice = import(&world, &["社員番号,姓,社員番号", "A0001,試験,A0001"], &[]);
    assert_refused(&twice, "csv.column_twice");
    let lacking = import(&world, &["社員番号,姓", "A0001,試験"], &[]);
    assert_refused(&lacking, "csv.constant_needed: no column says 従業員ステータス, which 1 rows need");
    let first = import(&world, &[HEADER, &good], &["--mode", "send"]);
    assert_refused(&first, "the first upload of a connection is stored as a baseline");
    let nowhere = world.folder.join("nowhere.csv").display().to_string();
    let run =
        |connection: &str| world.run("renkei-ingest", &["employees", "import", "--connection", connection, &nowhere]);
    assert_refused(&run("acme"), "nowhere.csv can not be read");
    assert_refused(&run("nobody"), "there is no connection nobody");

    let tried = import(&world, &[HEADER, &good], &["--dry-run"]);
    assert_eq!((tried.code, tried.stderr.as_str()), (Some(0), ""));
    assert!(tried.stdout.contains("1 rows: 1 new, 0 changed,"), "{}", tried.stdout);
    assert!(tried.stdout.contains("dry run: nothing was changed (mode baseline)"), "{}", tried.stdout);

    // The first upload is still to come, so nothing of all that was one.
    let bad = good.replace("A0001", "A0002").replace("1990-04-01", "1990-13-01");
    let partly = import(&world, &[HEADER, &good, &bad], &[]);
    assert_eq!(partly.code, Some(1), "{}", partly.stdout);
    assert_eq!(partly.stderr.trim_end(), "renkei-ingest: 1 of 2 rows were not taken");
    assert!(partly.stdout.contains("line 3, column 生年月日: source.date"), "{}", partly.stdout);
    assert!(partly.stdout.contains("2 rows: 1 new, 0 changed,"), "{}", partly.stdout);
    assert!(partly.stdout.contains("is taken, mode baseline"), "{}", partly.stdout);
    for personal in ["試験", "一郎", "シケン", "1990-"] {
        assert!(!partly.stdout.contains(personal), "{personal}: {}", partly.stdout);
    }
}

#[test]
fn people_of_a_file_arrive_and_the_same_file_again_sends_nothing() {
    let mut company = sample::company("acme");
    company.members.push(member("A0001", "一郎"));
    let (store, log) = (StoreKind::Postgres, LogKind::Kafka);
    let world = World::up(Setup { store, log, scale: SCALE, companies: vec![company], ..Setup::default() });
    let topic = format!("{}renkei.employee.v1", world.topic_prefix);
    let on_the_log = || {
        let seen = read_topic(&kafka().bootstrap(), &topic);
        seen.iter().filter(|record| record.header("ce_id").starts_with("csv/")).count()
    };

    // The first file only says what is known from now on.
    let before = hours_ago(2);
    let (first, second) = (row("A0001", "一郎", before), row("A0002", "一郎", before));
    let taken = import(&world, &[HEADER, &first, &second], &[]);
    assert_taken(&taken, "2 rows: 2 new, 0 changed, 0 known already, 0 older", "baseline");
    world.wait_people("acme", &["baseline"], 2, SOON);
    assert_eq!(on_the_log(), 2);

    // The next one: one is changed, one is as before, one is new.
    let later = hours_ago(1);
    let lines = [row("A0001", "二郎", later), row("A0002", "一郎", later), row("A0003", "一郎", later)];
    let lines = [HEADER, lines[0].as_str(), lines[1].as_str(), lines[2].as_str()];
    let taken = import(&world, &lines, &[]);
    assert_taken(&taken, "3 rows: 1 new, 1 changed, 1 known already, 0 older", "send");
    world.wait_member("acme", "A0003", SOON);
    world.wait_people("acme", &["synced"], 2, SOON);
    let name = world
        .sim
        .with("acme", |company, _| company.member("A0001").map(|member| member.get(TextField::Name).to_owned()));
    assert_eq!(name.as_deref(), Some("試験 二郎"));
    assert!(!world.sim.has_member("acme", "A0002"), "nothing of a baseline goes out");
    assert_eq!(world.people("acme", "baseline"), 1);
    assert_eq!((on_the_log(), world.sim.stats("acme").accepted_rows), (4, 2));

    let taken = import(&world, &lines, &[]);
    assert_taken(&taken, "3 rows: 0 new, 0 changed, 3 known already, 0 older", "send");
    // Half a minute of カオナビ's time, in which whatever was due would have left.
    pause(3_000);
    assert_eq!((on_the_log(), world.sim.stats("acme").accepted_rows), (4, 2), "the same file is no news");
    assert_eq!(world.people("acme", "due") + world.people("acme", "in_flight"), 0);
    world.sim.assert_within_limits("acme");
}
