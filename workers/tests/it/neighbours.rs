//! Companies side by side: what one of them suffers is nothing to the others.

use renkei_events::event::EmployeeEvent;
use renkei_sandbox::kaonavi::transport::no_latency;
use renkei_sandbox::kaonavi::{Faults, sample};
use renkei_store::connections::ConnectionState;
use renkei_store::employees::RowState;

use crate::company::{HOUR, SECOND};
use crate::people::person;
use crate::world::{World, link};

#[tokio::test]
async fn i5_a_company_that_hangs_never_stops_another_one() {
    for hangs in [true, false] {
        let mut world = World::new(31, vec![sample::company("a"), sample::company("b")], no_latency()).await;
        world.link(link("c1", "a")).await;
        world.link(link("c2", "b")).await;
        // Until the slots that the verifications took are free again.
        world.run_for(SECOND * 65).await;
        let now = world.now();
        let faults = if hangs {
            Faults { slow_answers: u32::MAX, slow_answer_ms: 24 * 3_600_000, ..Faults::default() }
        } else {
            Faults { unavailable_until: Some(now + HOUR * 24), ..Faults::default() }
        };
        world.company("a", |company| company.set_faults(now, faults)).await;
        // On the log the hires of the other one come behind all of these.
        let events: Vec<EmployeeEvent> = (1..=300).map(|index| world.event("c1", person(index, now))).collect();
        world.append(events).await;
        for index in 1..=8 {
            let sent = world.now();
            world.send("c2", person(index, sent)).await;
            world.run_for(SECOND * 30).await;
            let code = format!("E{index:05}");
            let left = world
                .company("b", |company| {
                    company.log().writes().find(|call| call.codes.contains(&code)).map(|call| call.at)
                })
                .await;
            let waited = left.map(|at| at.since(sent));
            assert!(waited.is_some_and(|waited| waited <= SECOND), "hangs: {hangs}, {code} waited {waited:?}");
            assert_eq!(world.row("c2", &code).await.state, RowState::Synced, "hangs: {hangs}, {code}");
        }
        assert_eq!(world.count("c1", RowState::Synced).await, 0, "hangs: {hangs}, nothing was answered there");
        assert_eq!(world.count("c1", RowState::Parked).await, 0, "hangs: {hangs}, and nobody is to blame for it");
        assert_eq!(world.connection("c1").await.state, ConnectionState::Active, "hangs: {hangs}");
        world.assert_limits("b").await;
    }
}
