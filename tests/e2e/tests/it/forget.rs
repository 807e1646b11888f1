//! `renkei-workers forget`: one person is deleted from the shell.

use std::time::Duration;

use renkei_e2e::servers::Finished;
use renkei_sandbox::kaonavi::sample;

use crate::support::people::person;
use crate::support::world::{Setup, StoreKind, World};

const SOON: Duration = Duration::from_secs(60);

fn forget(world: &World, connection: &str, employee: &str) -> Finished {
    world.run("renkei-workers", &["forget", "--connection", connection, "--employee", employee])
}

#[track_caller]
fn assert_refused(run: &Finished, says: &str) {
    assert_eq!((run.code, run.stdout.as_str()), (Some(1), ""), "{}", run.stderr);
    assert!(run.stderr.starts_with("renkei-workers: ") && run.stderr.contains(says), "{says}: {}", run.stderr);
    assert_eq!(run.stderr.trim_end().lines().count(), 1, "{}", run.stderr);
}

fn one_is_deleted(store: StoreKind) {
    let companies = ["acme", "second"].map(sample::company).into();
    let world = World::up(Setup { store, companies, ..Setup::default() });
    let first = person("rm_1", "A0001");
    world.sender("acme").send("msg_1", &[first.clone(), person("rm_2", "A0002")]);
    world.sender("second").send("msg_1", &[person("rm_1", "B0001")]);
    world.wait_people("acme", &["synced"], 2, SOON);
    world.wait_people("second", &["synced"], 1, SOON);

    assert_refused(&forget(&world, "nobody", "rm_1"), "connection nobody");
    assert_refused(&forget(&world, "second", "rm_2"), "nobody with id rm_2 is known in connection second");
    let incomplete = world.run("renkei-workers", &["forget", "--connection", "acme"]);
    assert_eq!(incomplete.code, Some(2), "{}", incomplete.stderr);
    assert!(incomplete.stderr.contains("--employee"), "{}", incomplete.stderr);
    assert_eq!((world.people("acme", "synced"), world.people("second", "synced")), (2, 1), "nobody is deleted");

    let done = forget(&world, "acme", "rm_1");
    assert_eq!((done.code, done.stderr.as_str()), (Some(0), ""));
    assert!(done.stdout.starts_with("deleted: 1 record, "), "{}", done.stdout);
    for personal in ["試験", "一郎", "シケン", "1990", "A0001"] {
        assert!(!done.stdout.contains(personal), "{personal}: {}", done.stdout);
    }
    assert_eq!((world.people("acme", "synced"), world.people("second", "synced")), (1, 1), "that one, and there");
    if store == StoreKind::Postgres {
        let deed = "select actor || ' ' || target from audit where action = 'person.delete'";
        assert_eq!(world.sql(deed), "command acme", "who did it, and not to whom");
        let left = "select count(*) from activity where connection_id = 'acme' and employee_id = 'rm_1'";
        assert_eq!(world.sql(left), "0");
    }
    assert!(world.sim.has_member("acme", "A0001"), "カオナビ's own member stays");
    assert_refused(&forget(&world, "acme", "rm_1"), "nobody with id rm_1 is known in connection acme");

    // What was said before brings nobody back, what is said later does.
    world.sender("acme").send("msg_2", &[first]);
    world.sender("acme").send("msg_3", &[person("rm_3", "A0003")]);
    world.wait_people("acme", &["synced"], 2, SOON);
    assert_refused(&forget(&world, "acme", "rm_1"), "nobody with id rm_1");
    world.sender("acme").send("msg_4", &[person("rm_1", "A0001")]);
    world.wait_people("acme", &["synced"], 3, SOON);
}

#[test]
fn a_person_is_deleted_from_the_shell_on_sqlite() {
    one_is_deleted(StoreKind::Sqlite);
}

#[test]
fn a_person_is_deleted_from_the_shell_on_postgresql() {
    one_is_deleted(StoreKind::Postgres);
}
