//! `renkei-ingest apply`.

use std::time::Duration;

use renkei_sandbox::kaonavi::sample;

use crate::support::people;
use crate::support::until;
use crate::support::world::{Setup, StoreKind, World, connection_yaml, get, webhook_secret};

/// A file with one connection in the usual form, some of its text replaced.
fn usual(changes: &[(&str, &str)]) -> String {
    let mut text = format!(
        "tenants:\n  - id: tenant\n    name: サンプル株式会社\n    connections:\n{}",
        connection_yaml("acme", "active")
    );
    for (from, to) in changes {
        assert!(text.contains(from), "{from:?} stands in the file");
        text = text.replace(from, to);
    }
    text
}

#[track_caller]
fn applied(world: &World, text: &str, more: &[&str]) -> String {
    let finished = world.apply_text(text, more);
    assert_eq!(finished.code, Some(0), "{}", finished.stderr);
    finished.stdout
}

#[track_caller]
fn refused(world: &World, text: &str, more: &[&str], says: &[&str]) -> String {
    let finished = world.apply_text(text, more);
    let line = finished.stderr;
    assert_eq!(finished.code, Some(1), "{line}");
    assert_eq!(line.trim_end().lines().count(), 1, "{line}");
    for part in says {
        assert!(line.contains(part), "{line:?} does not say {part:?}");
    }
    line
}

fn no_connections(world: &World) -> bool {
    world.status()["connections"].as_array().unwrap().is_empty()
}

#[test]
fn the_same_file_twice_changes_nothing_and_a_dry_run_nothing_at_all() {
    for store in [StoreKind::Sqlite, StoreKind::Postgres] {
        let world = World::new(Setup { store, ..Setup::default() });
        let plan = applied(&world, &usual(&[]), &["--dry-run"]);
        for line in [
            "create tenant tenant",
            "create connection acme",
            "set credentials",
            "set 1 webhook secrets",
            "activation",
            "dry run",
        ] {
            assert!(plan.contains(line), "{plan}");
        }
        assert!(no_connections(&world), "a dry run changes nothing");
        let done = applied(&world, &usual(&[]), &[]);
        assert_eq!(plan.replace("dry run: nothing was changed\n", ""), done, "the plan is what happens");
        assert_eq!(world.connection("acme")["verifying"], true);
        for _ in 0..2 {
            assert_eq!(applied(&world, &usual(&[]), &[]), "nothing to change\n");
        }
    }
}

#[test]
fn a_literal_secret_is_refused_and_not_repeated() {
    let world = World::new(Setup::default());
    for (from, to) in [
        ("{ file: acme.whsec }", "whsec_c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0"),
        ("{ file: acme.key }", "my-consumer-key"),
        ("{ file: acme.secret }", "\"my-consumer-secret\""),
    ] {
        let line = refused(&world, &usual(&[(from, to)]), &[], &["connections.yaml:", "{file: PATH} or {env: NAME}"]);
        for secret in ["c2VjcmV0", "my-consumer"] {
            assert!(!line.contains(secret), "{line}");
        }
    }
    assert!(no_connections(&world));
}

/// Replacements in the usual file, the line that is named, and what else is said.
type Case = (&'static [(&'static str, &'static str)], u32, &'static [&'static str]);

#[test]
fn wrong_yaml_names_file_line_and_key() {
    let world = World::new(Setup::default());
    world.folder.write("empty", "\n").unwrap();
    world.folder.write("bad.whsec", "whsec_c2hvcnQ=").unwrap();
    world.folder.write("no.whsec", "secret-without-prefix").unwrap();
    let cases: &[Case] = &[
        (&[("name: サンプル", "nmae: サンプル")], 3, &["nmae", "unknown"]),
        (&[("source: roumumate", "sorce: roumumate")], 6, &["sorce", "unknown"]),
        (&[("consumer_key:", "cosumer_key:")], 10, &["cosumer_key", "unknown"]),
        (&[("id: tenant", "id: \"a tenant\"")], 2, &["tenants[0].id", "letters, digits"]),
        (&[("id: acme", "id: acme/1")], 5, &["connections[0].id", "letters, digits"]),
        (&[("id: acme", "id: ''")], 5, &["connections[0].id"]),
        (&[("source: roumumate", "source: smarthr")], 6, &["connections[0].source", "roumumate"]),
        (&[("        source: roumumate\n", "")], 5, &["connections[0].source", "needs a source"]),
        (&[("          - secret: { file: acme.whsec }\n", "")], 5, &["webhook_secrets"]),
        (
            &[("        webhook_secrets:\n          - secret: { file: acme.whsec }\n", "")],
            5,
            &["webhook_secrets", "at least one"],
        ),
        (
            &[("        webhook_secrets:\n          - secret: { file: acme.whsec }", "        webhook_secrets: []")],
            5,
            &["webhook_secrets", "at least one"],
        ),
        (&[("{ file: acme.whsec }", "{ file: nowhere }")], 8, &["webhook_secrets[0].secret", "nowhere"]),
        (&[("{ file: acme.whsec }", "{ file: empty }")], 8, &["webhook_secrets[0].secret", "empty"]),
        (
            &[("{ file: acme.whsec }", "{ env: NOT_SET_ANYWHERE }")],
            8,
            &["webhook_secrets[0].secret", "NOT_SET_ANYWHERE"],
        ),
        (&[("{ file: acme.whsec }", "{ file: acme.whsec, env: X }")], 8, &["secret"]),
        (&[("{ file: acme.whsec }", "{ path: acme.whsec }")], 8, &["secret"]),
        (&[("{ file: acme.whsec }", "{ file: bad.whsec }")], 8, &["webhook_secrets[0].secret"]),
        (&[("{ file: acme.whsec }", "{ file: no.whsec }")], 8, &["webhook_secrets[0].secret", "whsec_"]),
        (
            &[("{ file: acme.whsec }", "{ file: acme.whsec }\n            expires: tomorrow")],
            9,
            &["webhook_secrets[0].expires", "is not a time"],
        ),
        (&[("          consumer_secret: { file: acme.secret }\n", "")], 10, &["consumer_secret"]),
        (&[("{ file: acme.key }", "{ file: empty }")], 10, &["kaonavi.consumer_key", "empty"]),
        (
            &[("        kaonavi:\n", "        kaonavi:\n          base_url: https://10.0.0.7/api\n")],
            10,
            &["kaonavi.base_url", "private address"],
        ),
        (
            &[("        kaonavi:\n", "        kaonavi:\n          base_url: http://api.example.com/api\n")],
            10,
            &["kaonavi.base_url", "https://"],
        ),
        (
            &[("        kaonavi:\n", "        kaonavi:\n          base_url: ftp://api.example.com\n")],
            10,
            &["kaonavi.base_url", "https://"],
        ),
        (
            &[("delivery: { brake: off,", "delivery: { batch_size: 0, brake: off,")],
            14,
            &["delivery.batch_size", "from 1 to 1000"],
        ),
        (
            &[("delivery: { brake: off,", "delivery: { batch_size: 1001, brake: off,")],
            14,
            &["delivery.batch_size", "from 1 to 1000"],
        ),
        (&[("delivery: { brake: off,", "delivery: { batch_size: many, brake: off,")], 14, &["batch_size"]),
        (&[("delivery: { brake: off,", "delivery: { brake: maybe,")], 14, &["delivery.brake", "on or off"]),
        (&[("ceiling: off", "ceiling: 0")], 14, &["delivery.ceiling", "from 1"]),
        (
            &[("delivery: { brake: off,", "delivery: { timing: hourly, brake: off,")],
            14,
            &["delivery.timing", "quarter_hour"],
        ),
        (&[("{ 男性: 男性, 女性: 女性 }", "[男性]")], 13, &["gender"]),
        (
            &[("        mapping:\n", "        mapping:\n          clear_when_empty: [nickname]\n")],
            13,
            &["mapping.clear_when_empty", "mail", "birthday"],
        ),
        (&[("state: active", "state: on")], 15, &["state", "active or paused"]),
        (&[("tenants:", "tenant:")], 1, &["tenant", "unknown"]),
        (&[("  - id: tenant\n", "  - id: tenant\n   name: x\n")], 3, &[]),
    ];
    let mut problems = Vec::new();
    for (changes, line, says) in cases {
        let text = usual(changes);
        let finished = world.apply_text(&text, &[]);
        let said = finished.stderr.trim_end().to_owned();
        let place = format!("connections.yaml:{line}:");
        let mut missing: Vec<&str> = says.iter().copied().filter(|part| !said.contains(part)).collect();
        if !said.contains(&place) {
            missing.push(&place);
        }
        if finished.code != Some(1) || said.lines().count() != 1 || !missing.is_empty() {
            problems.push(format!("{changes:?}\n    exit {:?}, does not say {missing:?}: {said}", finished.code));
        }
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
    assert!(no_connections(&world), "a file with a fault leaves nothing");
    refused(&world, "tenants:\n  - id: [\n", &[], &["connections.yaml:"]);
    let absent = world.apply("nowhere.yaml", &[]);
    assert_eq!(absent.code, Some(1));
    assert!(absent.stderr.contains("nowhere.yaml"), "{}", absent.stderr);
}

#[test]
fn a_file_is_applied_whole_or_not_at_all() {
    let world = World::new(Setup::default());
    let second = connection_yaml("acme", "active").replace("id: acme", "id: other").replace("acme.key", "nowhere");
    let text = format!("{}{second}", usual(&[]));
    refused(&world, &text, &[], &["connections.yaml:21:", "connections[1].kaonavi.consumer_key", "nowhere"]);
    assert!(no_connections(&world), "the connection before the fault is not there either");
}

#[test]
fn what_a_file_leaves_out_stays_as_it_is() {
    let world = World::new(Setup { store: StoreKind::Postgres, ..Setup::default() });
    applied(
        &world,
        &usual(&[("gender:", "name_joiner: \"\"\n          constants: { mail: x@example.com }\n          gender:")]),
        &[],
    );
    let settings = world.sql("select settings from connections");
    let credentials = world.sql("select encode(credentials, 'hex') from accounts");
    let secrets = world.sql("select encode(secret, 'hex') from webhook_secrets");
    assert!(settings.contains("x@example.com"), "{settings}");

    let bare = "tenants:\n  - id: tenant\n    connections:\n      - id: acme\n";
    assert_eq!(applied(&world, bare, &[]), "nothing to change\n");
    let empty = "tenants:\n  - id: tenant\n";
    assert_eq!(applied(&world, empty, &[]), "nothing to change\n");
    let part = format!("{bare}        mapping: {{ gender: {{ 男: 男性 }} }}\n");
    assert_eq!(applied(&world, &part, &[]), "change connection acme\n");

    let after = world.sql("select settings from connections");
    assert!(after.contains("x@example.com") && after.contains("\"男\""), "{after}");
    assert_eq!(world.sql("select encode(credentials, 'hex') from accounts"), credentials);
    assert_eq!(world.sql("select encode(secret, 'hex') from webhook_secrets"), secrets);
    assert_eq!(world.sql("select name || ' ' || (select name from connections) from tenants"), "サンプル株式会社 acme");
    assert_eq!(world.sql("select declared_state from connections"), "active");
}

#[test]
fn the_same_file_never_switches_on_what_a_person_paused() {
    let world = World::up(Setup::default());
    let file = usual(&[]);
    world.command(&["pause", "acme"]);
    assert_eq!(applied(&world, &file, &[]), "nothing to change\n");
    assert_eq!(world.connection("acme")["state"], "paused");
    // Waiting for what nobody asked for ends at once and says what a person can do.
    refused(
        &world,
        &file,
        &["--wait", "60s"],
        &["connection acme is not active", "paused", "renkei-workers resume acme"],
    );

    // Another state in the file acts.
    let paused = usual(&[("state: active", "state: paused")]);
    applied(&world, &paused, &[]);
    let plan = applied(&world, &file, &["--wait", "60s"]);
    assert!(plan.contains("activation of connection acme") && plan.contains("connection acme is active"), "{plan}");
    let plan = applied(&world, &paused, &[]);
    assert!(plan.contains("pause connection acme"), "{plan}");
    assert_eq!(world.connection("acme")["state"], "paused");
    // A person's word counts until the file says something else.
    world.command(&["resume", "acme"]);
    assert_eq!(applied(&world, &paused, &[]), "nothing to change\n");
    assert_eq!(world.connection("acme")["state"], "active");
}

#[test]
fn a_failure_that_halted_is_not_undone_by_the_same_file() {
    let world = World::up(Setup::default());
    world.sim.machine(|kaonavi| kaonavi.reissue("acme", "other-key", "other-secret")).unwrap();
    world.sender("acme").send("msg_1", &[people::person("rm_1", "A0001")]);
    until(Duration::from_secs(30), "the connection halts", || world.connection("acme")["state"] == "halted");
    assert_eq!(applied(&world, &usual(&[]), &[]), "nothing to change\n");
    let line = refused(&world, &usual(&[]), &["--wait", "5s"], &["acme is not active", "halted", "resume acme"]);
    assert!(line.contains("kaonavi."), "names the failure's code: {line}");

    // The right keys in the file, and a person's word.
    world.folder.write("acme.key", "other-key").unwrap();
    world.folder.write("acme.secret", "other-secret").unwrap();
    let plan = applied(&world, &usual(&[]), &[]);
    assert!(plan.contains("replace credentials of connection acme"), "{plan}");
    assert_eq!(world.connection("acme")["state"], "halted", "the file says nothing new about the state");
    world.command(&["resume", "acme"]);
    world.wait_member("acme", "A0001", Duration::from_secs(30));
    assert_eq!(world.connection("acme")["state"], "active");
}

#[test]
fn activation_waits_for_what_the_layout_requires() {
    let company = sample::company_with_required_field("acme");
    let mut world = World::new(Setup { companies: vec![company], ..Setup::default() });
    let file = usual(&[]);
    refused(&world, &file, &["--wait", "1s"], &["acme is not active", "is renkei-workers running?"]);
    world.start_ingest();
    world.start_workers();
    let missing = ["acme is not active", "mapping.required_item_unmapped", "custom:412", "雇用区分"];
    refused(&world, &file, &["--wait", "60s"], &missing);
    assert_eq!(world.connection("acme")["state"], "draft");
    // The same again asks again, and the answer is the same.
    refused(&world, &file, &["--wait", "60s"], &missing);
    let wrong = usual(&[("gender:", "constants: { \"custom:412\": 役員 }\n          gender:")]);
    refused(&world, &wrong, &["--wait", "60s"], &["mapping.constant_not_a_choice", "custom:412"]);
    let unmapped = usual(&[(
        "gender: { 男性: 男性, 女性: 女性 }",
        "constants: { \"custom:412\": 契約社員 }\n          gender: {}",
    )]);
    refused(&world, &unmapped, &["--wait", "60s"], &["mapping.gender_unmapped"]);
    let strange =
        usual(&[("女性: 女性", "女性: 女"), ("gender:", "constants: { \"custom:412\": 契約社員 }\n          gender:")]);
    refused(&world, &strange, &["--wait", "60s"], &["mapping.gender_choice_not_in_layout", "女性"]);

    let right = usual(&[("gender:", "constants: { \"custom:412\": 契約社員 }\n          gender:")]);
    let plan = applied(&world, &right, &["--wait", "60s"]);
    assert!(plan.contains("connection acme is active"), "{plan}");
    assert_eq!(world.connection("acme")["problems"].as_array().unwrap().len(), 0);
    world.sender("acme").send("msg_1", &[people::person("rm_1", "A0001")]);
    world.wait_member("acme", "A0001", Duration::from_secs(30));
    let member = world.sim.members("acme").into_iter().find(|member| member["code"] == "A0001").unwrap();
    assert!(member["custom_fields"].to_string().contains("契約社員"), "{member}");
}

#[test]
fn wrong_credentials_are_named_and_right_ones_are_taken() {
    let mut world = World::new(Setup::default());
    world.start_ingest();
    world.start_workers();
    world.folder.write("acme.secret", "not-the-secret").unwrap();
    refused(&world, &usual(&[]), &["--wait", "60s"], &["acme is not active", "kaonavi.credentials_refused"]);
    world.folder.write("acme.secret", "secret-acme").unwrap();
    applied(&world, &usual(&[]), &["--wait", "60s"]);
    assert_eq!(world.connection("acme")["state"], "active");
}

#[test]
fn two_webhook_secrets_overlap_and_one_expires() {
    let world = World::up(Setup::default());
    world.folder.write("new.whsec", &webhook_secret("the new one")).unwrap();
    let old = world.sender("acme");
    let mut new = world.sender("acme");
    new.secret = renkei_events::signature::WebhookSecret::parse(&webhook_secret("the new one")).unwrap();
    let status = |sender: &crate::support::traffic::Sender, id: &str| {
        let body =
            renkei_sandbox::send::body("employee.updated", "2026-04-01T00:00:00Z", &[people::person("rm_1", "A0001")]);
        crate::support::block(sender.post(id, body)).status
    };
    assert_eq!((status(&old, "m1"), status(&new, "m2")), (Some(202), Some(401)));

    // An expiry some seconds ahead: both count, then only the new one.
    let end = jiff::Timestamp::from_second(crate::support::unix_now() + 6).unwrap();
    let both = format!(
        "{{ file: acme.whsec }}\n            id: old\n            expires: {end}\n          - secret: {{ file: new.whsec }}\n            id: new"
    );
    let plan = applied(&world, &usual(&[("{ file: acme.whsec }", &both)]), &[]);
    assert!(plan.contains("set 2 webhook secrets"), "{plan}");
    until(Duration::from_secs(5), "the new secret is known", || status(&new, "m3") == Some(202));
    if crate::support::unix_now() < end.as_second() - 1 {
        assert_eq!(status(&old, "m4"), Some(202), "both are live");
    }
    until(Duration::from_secs(15), "the old secret ends", || status(&old, "m5") == Some(401));
    assert_eq!(status(&new, "m6"), Some(202));
    assert!(crate::support::unix_now() >= end.as_second(), "not before its time");

    let twice =
        "{ file: acme.whsec }\n            id: one\n          - secret: { file: new.whsec }\n            id: one";
    refused(&world, &usual(&[("{ file: acme.whsec }", twice)]), &[], &["webhook_secrets[1].secret", "one"]);
    let (_, page) = get(world.ingest_internal, "/metrics").unwrap();
    assert!(page.contains("renkei_ingest"), "{page}");
}

#[test]
fn another_consumer_key_keeps_the_account_and_its_calls() {
    let world = World::up(Setup { store: StoreKind::Postgres, scale: 10, ..Setup::default() });
    world.sender("acme").send("msg_1", &[people::person("rm_1", "A0001")]);
    // Nothing is called any more that the old key could fail at.
    world.wait_people("acme", &["synced"], 1, Duration::from_secs(60));
    let account = world.sql("select account_id from accounts");
    let fingerprint = world.sql("select fingerprint from accounts");
    let calls: i64 = world.sql("select count(*) from calls where kind = 'create'").parse().unwrap();
    assert_eq!(calls, 1);

    world.sim.machine(|kaonavi| kaonavi.reissue("acme", "key-2", "secret-2")).unwrap();
    world.folder.write("acme.key", "key-2").unwrap();
    world.folder.write("acme.secret", "secret-2").unwrap();
    let plan = applied(&world, &usual(&[]), &[]);
    assert_eq!(plan, "replace credentials of connection acme\n");
    assert_eq!(world.sql("select account_id from accounts"), account, "the account is the same");
    assert_ne!(world.sql("select fingerprint from accounts"), fingerprint, "its key is another");
    assert_eq!(world.sql("select count(*) from calls where kind = 'create'"), "1", "its calls still count");
    world.sender("acme").send("msg_2", &[people::person("rm_2", "A0002")]);
    world.wait_member("acme", "A0002", Duration::from_secs(40));
    assert_eq!(applied(&world, &usual(&[]), &[]), "nothing to change\n");
    world.sim.assert_within_limits("acme");

    // A second connection with the new key shares the account.
    world.folder.write("second.whsec", &webhook_secret("second")).unwrap();
    let second =
        connection_yaml("acme", "active").replace("id: acme", "id: second").replace("acme.whsec", "second.whsec");
    applied(&world, &format!("{}{second}", usual(&[])), &["--wait", "60s"]);
    assert_eq!(world.sql("select count(*) from accounts"), "1");
    assert_eq!(world.sql("select count(distinct account_id) from connections"), "1");
}

#[test]
fn a_connection_keeps_its_tenant_and_its_source() {
    let world = World::new(Setup::default());
    applied(&world, &usual(&[]), &[]);
    refused(
        &world,
        &usual(&[("id: tenant", "id: stranger")]),
        &[],
        &["connections.yaml:5:", "belongs to tenant tenant"],
    );
    let status = world.status();
    assert_eq!(status["connections"].as_array().unwrap().len(), 1);
}
