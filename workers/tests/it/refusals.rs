//! Quota, tokens, permissions and reads that fail.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use renkei_runtime::clock::Millis;
use renkei_runtime::http::{OutRequest, OutResponse, Transport, TransportError};
use renkei_sandbox::kaonavi::transport::no_latency;
use renkei_sandbox::kaonavi::{Company, Faults, Operation, Settings, sample};
use renkei_store::connections::ConnectionState;
use renkei_store::employees::RowState;
use renkei_workers::commands::status::{self, AccountStatus};
use serde_json::json;

use crate::people::{member, person, record};
use crate::world::{World, link};

use crate::company::{EXISTING, HOUR, MINUTE, SECOND, assert_all_there, order, send, update_calls, world};

/// What `renkei-workers status` shows of the only account.
async fn account_status(world: &World) -> AccountStatus {
    status::gather(&world.store, false).await.unwrap().accounts.remove(0)
}

#[tokio::test]
async fn a_429_by_somebody_elses_calls_backs_off_a_full_window() {
    let mut world = world(1).await;
    let now = world.now();
    world.company("a", |company| assert_eq!(company.outside_traffic(now, 5, 0, 0), 5)).await;
    send(&mut world, EXISTING.chain(11..=15)).await;
    world.run_for(SECOND * 2).await;
    let shown = account_status(&world).await;
    let blocked = shown.blocked.as_ref().expect("it is shown that somebody else takes the slots");
    assert_eq!(blocked.code.as_deref(), Some("kaonavi.slots_taken_elsewhere"));
    assert!((55_000..=65_000).contains(&blocked.ends_in_ms), "{shown:?}");
    assert!(shown.next_create_ms >= blocked.ends_in_ms && shown.next_update_ms >= blocked.ends_in_ms, "{shown:?}");
    assert_eq!(shown.updates_wait_for, Some("pause"));
    world.drain("c1", MINUTE * 5).await;
    assert!(account_status(&world).await.blocked.is_none(), "it has passed");
    let calls: Vec<(Millis, u16)> =
        world.company("a", |company| company.log().writes().map(|call| (call.at, call.status)).collect()).await;
    let refused: Vec<Millis> = calls.iter().filter(|(_, status)| *status == 429).map(|(at, _)| *at).collect();
    assert!(!refused.is_empty() && refused.len() <= 2, "the first POST and perhaps the PATCH beside it: {calls:?}");
    let next = calls.iter().find(|(_, status)| *status == 200).unwrap().0;
    let last = *refused.last().unwrap();
    assert!(next >= last + MINUTE && next <= last + MINUTE + SECOND * 12, "{calls:?}");
    assert_all_there(&world, EXISTING.chain(11..=15)).await;
}

#[tokio::test]
async fn two_calls_with_one_dead_token_count_once() {
    let mut world = world(1).await;
    send(&mut world, EXISTING.chain(11..=15)).await;
    world.run_for(Duration::from_millis(10)).await;
    // The POST and the PATCH are both on their way.
    world.kaonavi.lock().await.revoke_tokens("a");
    world.drain("c1", MINUTE * 5).await;
    assert_eq!(world.connection("c1").await.state, ConnectionState::Active);
    let refused = world.company("a", |company| company.log().calls().filter(|call| call.status == 401).count()).await;
    assert_eq!(refused, 2);
    assert_all_there(&world, EXISTING.chain(11..=15)).await;
}

#[tokio::test]
async fn a_401_hours_after_another_is_not_the_second_one() {
    let mut world = world(1).await;
    for round in 0..4 {
        world.kaonavi.lock().await.revoke_tokens("a");
        send(&mut world, [11 + round]).await;
        world.run_for(HOUR / 3).await;
        // While a task is open, too.
        send(&mut world, [21 + round]).await;
        world.run_for(SECOND).await;
        world.kaonavi.lock().await.revoke_tokens("a");
        world.run_for(HOUR).await;
        assert_eq!(world.connection("c1").await.state, ConnectionState::Active, "round {round}");
    }
    assert_all_there(&world, (11..=14).chain(21..=24)).await;
    world.assert_limits("a").await;
}

#[tokio::test]
async fn what_needs_a_person_halts_once_and_says_so() {
    type Break = fn(&mut Company);
    type Way = (&'static str, Faults, Break, Break, &'static str);
    let nothing: Break = |_| {};
    let table: Vec<Way> = vec![
        (
            "401 always",
            Faults { unauthorized: u32::MAX, ..Faults::default() },
            nothing,
            nothing,
            "kaonavi.unauthorized",
        ),
        (
            "create is not ticked",
            Faults::default(),
            |company| company.permissions_mut().members.retain(|operation| *operation != Operation::Create),
            |company| assert!(company.permissions_mut().members.insert(Operation::Create)),
            "kaonavi.forbidden",
        ),
        (
            "update is not ticked",
            Faults::default(),
            |company| company.permissions_mut().members.retain(|operation| *operation != Operation::Update),
            |company| assert!(company.permissions_mut().members.insert(Operation::Update)),
            "kaonavi.forbidden",
        ),
    ];
    for (what, faults, break_it, mend_it, code) in table {
        println!("{what}");
        let mut world = world(1).await;
        order(&world, faults, Settings::default()).await;
        world.company("a", break_it).await;
        send(&mut world, EXISTING.chain(11..=15)).await;
        world.run_for(MINUTE * 5).await;
        let connection = world.connection("c1").await;
        assert_eq!(
            (connection.state, connection.state_code.as_deref()),
            (ConnectionState::Halted, Some(code)),
            "{what}"
        );
        let calls = world.company("a", |company| company.log().calls().len()).await;
        world.run_for(HOUR * 4).await;
        assert_eq!(world.company("a", |company| company.log().calls().len()).await, calls, "{what}: halted is off");
        assert_eq!(world.count("c1", RowState::Parked).await, 0, "{what}");
        // Mended and switched on again, everything that waits goes out.
        order(&world, Faults::default(), Settings::default()).await;
        world.company("a", mend_it).await;
        world.want("c1").await;
        world.drain("c1", MINUTE * 10).await;
        assert_all_there(&world, EXISTING.chain(11..=15)).await;
        world.assert_limits("a").await;
    }
}

#[tokio::test]
async fn a_revoked_key_halts_at_the_token() {
    let mut world = world(1).await;
    world.kaonavi.lock().await.reissue("a", "key-new", "secret-new").unwrap();
    send(&mut world, [1, 11]).await;
    world.run_for(MINUTE * 5).await;
    let connection = world.connection("c1").await;
    assert_eq!(connection.state, ConnectionState::Halted);
    assert_eq!(connection.state_code.as_deref(), Some("kaonavi.credentials_refused"));
    let strays = world.kaonavi.lock().await.strays().len();
    world.run_for(HOUR * 2).await;
    assert_eq!(world.kaonavi.lock().await.strays().len(), strays, "the wrong key is not tried again");
}

#[tokio::test]
async fn a_broken_token_endpoint_is_asked_five_times_an_hour() {
    let mut world = world(1).await;
    world.kaonavi.lock().await.revoke_tokens("a");
    order(&world, Faults { html_500_tokens: u32::MAX, ..Faults::default() }, Settings::default()).await;
    send(&mut world, [1, 11]).await;
    // Between failures it is shown that カオナビ does not answer, and after the fifth of an hour that there is none until the
    // first of them is an hour old.
    let mut reasons = BTreeSet::new();
    for _ in 0..180 {
        world.run_for(MINUTE).await;
        let shown = account_status(&world).await;
        let Some(tokens) = shown.token.as_ref() else { continue };
        assert_eq!(shown.updates_wait_for, Some("token"), "{shown:?}");
        let longest = if tokens.code.as_deref() == Some("kaonavi.tokens_used_up") { 3_600_000 } else { 900_000 };
        assert!(tokens.ends_in_ms <= longest, "{shown:?}");
        reasons.insert(tokens.code.clone().expect("why there is none"));
    }
    assert_eq!(reasons, BTreeSet::from(["kaonavi.tokens_used_up", "kaonavi.unavailable"].map(str::to_owned)));
    let asked: Vec<Millis> = world
        .company("a", |company| {
            company.log().calls().filter(|call| call.path.ends_with("/token")).map(|call| call.at).collect()
        })
        .await;
    assert!(renkei_sandbox::kaonavi::max_in_window(&asked, 3_600_000) <= 5, "{asked:?}");
    assert!(asked.len() >= 6);
    assert_eq!(world.connection("c1").await.state, ConnectionState::Active, "waiting for a token is no failure");
    order(&world, Faults::default(), Settings::default()).await;
    world.drain("c1", HOUR * 2).await;
    assert_all_there(&world, [1, 11]).await;
}

#[tokio::test]
async fn tokens_used_up_by_somebody_else_are_waited_for() {
    let mut world = world(1).await;
    let now = world.now();
    world.kaonavi.lock().await.revoke_tokens("a");
    world.company("a", |company| company.outside_traffic(now, 0, 0, 5)).await;
    send(&mut world, [1, 11]).await;
    world.run_for(MINUTE).await;
    let shown = account_status(&world).await;
    let tokens = shown.token.as_ref().expect("it is shown until when there is no token");
    assert_eq!(tokens.code.as_deref(), Some("kaonavi.tokens_used_up"), "{shown:?}");
    assert!((500_000..=600_000).contains(&tokens.ends_in_ms), "{shown:?}");
    assert_eq!(shown.updates_wait_for, Some("token"));
    world.drain("c1", HOUR * 3).await;
    assert!(account_status(&world).await.token.is_none());
    assert_all_there(&world, [1, 11]).await;
    assert_eq!(world.connection("c1").await.state, ConnectionState::Active);
}

#[tokio::test]
async fn after_a_409_tasks_go_one_at_a_time_for_an_hour() {
    let mut world = world(1).await;
    order(&world, Faults { conflicts: 1, ..Faults::default() }, Settings::default()).await;
    send(&mut world, EXISTING.chain(11..=12)).await;
    for index in 13..=30 {
        world.run_for(SECOND * 25).await;
        let at = world.now();
        let change = world.event("c1", record(json!({ "first_name": format!("花子{index}") }), 1 + index % 6, at));
        let hire = world.event("c1", person(index, at));
        world.append(vec![change, hire]).await;
    }
    world.drain("c1", MINUTE * 10).await;
    let tasks: Vec<(Millis, Millis)> = world
        .company("a", |company| company.tasks().map(|task| (task.accepted_at, task.ended_at.unwrap())).collect())
        .await;
    assert!(tasks.len() > 10);
    // The call beside the refused one may be out already.
    for pair in tasks[1..].windows(2) {
        assert!(pair[1].0 >= pair[0].1, "two tasks at once: {pair:?}");
    }
    world.assert_limits("a").await;
}

#[tokio::test]
async fn activation_gets_through_bad_reads() {
    let table = [
        Faults { members_cut: 2, ..Faults::default() },
        Faults { html_reads: 3, ..Faults::default() },
        Faults { html_500_reads: 3, ..Faults::default() },
        Faults { reset_reads: 3, ..Faults::default() },
        Faults { html_500_tokens: 2, ..Faults::default() },
        Faults { html_tokens: 2, ..Faults::default() },
        Faults { empty_tokens: 2, ..Faults::default() },
        Faults { empty_reads: 3, ..Faults::default() },
        Faults { unauthorized: 1, ..Faults::default() },
        Faults { members_padding: 3_000_000, ..Faults::default() },
    ];
    for faults in table {
        let mut company = sample::company("a");
        company.members = (1..=300).map(|index| member(index, "古い 名前")).collect();
        company.faults = faults.clone();
        let mut world = World::new(1, vec![company], no_latency()).await;
        world.link(link("c1", "a")).await;
        world.run_for(MINUTE * 5).await;
        assert_eq!(world.connection("c1").await.state, ConnectionState::Active, "{faults:?}");
        // The whole list was taken over: a known member is changed, not registered.
        send(&mut world, [300]).await;
        world.run_for(MINUTE).await;
        let methods: Vec<String> =
            world.company("a", |company| company.log().writes().map(|call| call.method.clone()).collect()).await;
        assert_eq!(methods, ["PATCH"], "{faults:?}");
    }
}

/// Answers the read of all members with more and more of the same, without end.
struct Endless {
    way: Arc<dyn Transport>,
    sent: Arc<AtomicUsize>,
}

#[async_trait::async_trait]
impl Transport for Endless {
    async fn send(&self, request: OutRequest) -> Result<OutResponse, TransportError> {
        if request.method != "GET" || !request.url.ends_with("/members") {
            return self.way.send(request).await;
        }
        let (more, body) = tokio::sync::mpsc::channel(4);
        let sent = Arc::clone(&self.sent);
        tokio::spawn(async move {
            let mut chunk = br#"{"updated_at":"2026-04-01 09:00:00","padding":""#.to_vec();
            while more.send(Ok(chunk)).await.is_ok() {
                chunk = vec![b'x'; 1 << 20];
                sent.fetch_add(1, Ordering::SeqCst);
            }
        });
        Ok(OutResponse { status: 200, headers: Vec::new(), body })
    }
}

#[tokio::test]
async fn a_member_list_over_256_mb_halts_and_is_not_read_to_its_end() {
    let mut world = world(1).await;
    let sent = Arc::new(AtomicUsize::new(0));
    let way = Arc::clone(&world.workers[0].context.transport);
    world.workers[0].context.transport = Arc::new(Endless { way, sent: Arc::clone(&sent) });
    world.run_for(HOUR * 24).await;
    let connection = world.connection("c1").await;
    assert_eq!(connection.state, ConnectionState::Halted);
    assert_eq!(connection.state_code.as_deref(), Some("kaonavi.member_list_too_large"));
    assert_eq!(connection.state_detail.as_deref(), Some("GET /members"));
    let sent = sent.load(Ordering::SeqCst);
    assert!((256..270).contains(&sent), "{sent} MB");
}

#[tokio::test]
async fn a_member_list_of_60_mb_is_read() {
    let mut company = sample::company("a");
    company.members = (1..=300).map(|index| member(index, "古い 名前")).collect();
    company.faults.members_padding = 60 << 20;
    let mut world = World::new(1, vec![company], no_latency()).await;
    world.link(link("c1", "a")).await;
    world.run_for(MINUTE * 2).await;
    assert_eq!(world.connection("c1").await.state, ConnectionState::Active);
    send(&mut world, [300]).await;
    world.run_for(MINUTE).await;
    let methods: Vec<String> =
        world.company("a", |company| company.log().writes().map(|call| call.method.clone()).collect()).await;
    assert_eq!(methods, ["PATCH"], "the last of them is known");
}

/// What カオナビ holds of a member is known from a read; one that is older than a day is not trusted for the first write.
#[tokio::test]
async fn first_contact_with_old_knowledge_reads_again() {
    let mut world = world(1).await;
    order(&world, Faults { html_500_reads: u32::MAX, ..Faults::default() }, Settings::default()).await;
    world.run_for(HOUR * 30).await;
    send(&mut world, [1]).await;
    world.run_for(HOUR).await;
    assert_eq!(update_calls(&world).await, 0);
    assert_eq!(world.count("c1", RowState::Due).await, 1);
    order(&world, Faults::default(), Settings::default()).await;
    world.drain("c1", HOUR).await;
    assert_all_there(&world, [1]).await;
}
