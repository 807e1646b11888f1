//! Brake, ceiling, and what a person decides about people who are held.

use std::time::Duration;

use renkei_events::codes::Code;
use renkei_runtime::clock::Millis;
use renkei_sandbox::kaonavi::transport::no_latency;
use renkei_sandbox::kaonavi::{TextField, sample};
use renkei_store::decisions::{Decision, DecisionError, Verdict, Who, decide};
use renkei_store::employees::{RowState, after_backup};
use renkei_store::previews::{self, Shown};
use renkei_store::settings::Settings;
use renkei_store::switch;
use serde_json::json;

use crate::people::{member, person, record};
use crate::world::{Link, World, link, settings};

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);

/// A company with `members`, all of whom differ from the source, and a connection with brake and ceiling on.
async fn world(members: usize, ceiling: Option<u32>) -> World {
    let mut company = sample::company("a");
    company.members = (1..=members).map(|index| member(index, "古い 名前")).collect();
    let mut world = World::new(5, vec![company], no_latency()).await;
    world.link(Link { settings: Settings { brake: true, ceiling, ..settings() }, ..link("c1", "a") }).await;
    world.run_for(MINUTE + MINUTE).await;
    world
}

async fn send(world: &mut World, people: impl IntoIterator<Item = usize>) {
    let at = world.now();
    let events = people.into_iter().map(|index| world.event("c1", person(index, at))).collect();
    world.append(events).await;
}

async fn held(world: &World) -> i64 {
    world.count("c1", RowState::Held).await
}

async fn decided(world: &mut World, reason: Code, decision: Decision, who: Who<'_>) -> u64 {
    let connection = world.connection("c1").await;
    let decided = decide(&world.store, &connection, Verdict { reason, decision, who, actor: "test" }).await.unwrap();
    world.wake_all();
    decided
}

async fn new_names(world: &World) -> usize {
    let new = |company: &mut renkei_sandbox::kaonavi::Company| {
        company.members().values().filter(|member| member.get(TextField::Name) != "古い 名前").count()
    };
    world.company("a", new).await
}

#[tokio::test]
async fn brake_50_people_are_never_too_many_and_51_are_when_they_pass_30_percent() {
    for (members, changed, braked) in [(60, 50, false), (100, 51, true), (300, 90, false), (300, 91, true)] {
        let mut world = world(members, None).await;
        send(&mut world, 1..=changed).await;
        world.run_for(MINUTE * 5).await;
        let expected = if braked { i64::try_from(changed).unwrap() } else { 0 };
        assert_eq!(held(&world).await, expected, "{changed} of {members}");
        assert_eq!(new_names(&world).await, if braked { 0 } else { changed }, "{changed} of {members}");
    }
}

#[tokio::test]
async fn brake_holds_what_is_not_sent_yet_and_hires_go_on() {
    let mut world = world(100, None).await;
    send(&mut world, 1..=40).await;
    world.run_for(MINUTE).await;
    assert_eq!((held(&world).await, new_names(&world).await), (0, 40));
    // Within the same ten minutes forty more: eighty of a hundred.
    send(&mut world, 41..=80).await;
    send(&mut world, 201..=203).await;
    world.run_for(MINUTE * 2).await;
    assert_eq!(held(&world).await, 40);
    for index in [201, 202, 203] {
        assert_eq!(world.row("c1", &format!("E{index:05}")).await.state, RowState::Synced);
    }
    let row = world.row("c1", "E00041").await;
    assert_eq!(row.reason.as_deref(), Some("delivery.brake"));
}

#[tokio::test]
async fn brake_counts_people_and_not_changes_and_only_ten_minutes() {
    let mut world = world(100, None).await;
    for _ in 0..3 {
        send(&mut world, 1..=40).await;
        world.run_for(Duration::from_secs(20)).await;
    }
    world.run_for(MINUTE * 11).await;
    send(&mut world, 41..=80).await;
    world.run_for(MINUTE * 3).await;
    assert_eq!((held(&world).await, new_names(&world).await), (0, 80));
}

#[tokio::test]
async fn brake_released_all_go_and_do_not_count_again() {
    let mut world = world(100, None).await;
    send(&mut world, 1..=80).await;
    world.run_for(MINUTE * 2).await;
    assert_eq!(decided(&mut world, Code::DeliveryBrake, Decision::Release, Who::All).await, 80);
    world.run_for(MINUTE * 3).await;
    assert_eq!((held(&world).await, new_names(&world).await), (0, 80));
    // Ten more of whom nobody was asked: as few as this are sent.
    send(&mut world, 81..=90).await;
    world.run_for(MINUTE).await;
    assert_eq!(new_names(&world).await, 90);
}

#[tokio::test]
async fn brake_released_some_the_others_wait() {
    let mut world = world(100, None).await;
    send(&mut world, 1..=80).await;
    world.run_for(MINUTE * 2).await;
    let some = ["rm_00003".to_owned(), "rm_00004".to_owned(), "rm_99999".to_owned()];
    assert_eq!(decided(&mut world, Code::DeliveryBrake, Decision::Release, Who::Some(&some)).await, 2);
    world.run_for(HOUR).await;
    assert_eq!((held(&world).await, new_names(&world).await), (0, 2));
    let row = world.row("c1", "E00005").await;
    assert_eq!((row.state, row.reason.as_deref()), (RowState::Skipped, Some("delivery.declined")));
    // They wait for the next change of what is mapped, or for a person who thinks better of it.
    let at = world.now();
    world.send("c1", record(json!({ "birthday": "1991-03-01" }), 5, at)).await;
    world.run_for(MINUTE * 2).await;
    assert_eq!(new_names(&world).await, 3);
    let more = ["rm_00006".to_owned()];
    assert_eq!(decided(&mut world, Code::DeliveryDeclined, Decision::Release, Who::Some(&more)).await, 1);
    world.run_for(HOUR).await;
    assert_eq!((held(&world).await, new_names(&world).await), (0, 4));
    // Somebody of a decline is only that: nothing is said about the others.
    let mut world = self::world(100, None).await;
    send(&mut world, 1..=80).await;
    world.run_for(MINUTE * 2).await;
    assert_eq!(decided(&mut world, Code::DeliveryBrake, Decision::Decline, Who::Some(&some)).await, 2);
    world.run_for(HOUR).await;
    assert_eq!((held(&world).await, new_names(&world).await), (78, 0));
}

#[tokio::test]
async fn brake_released_at_night_goes_after_five() {
    let mut world = world(100, None).await;
    let two = Millis("2026-04-02T02:00:00+09:00".parse::<jiff::Timestamp>().unwrap().as_millisecond());
    world.run_until(two).await;
    send(&mut world, 1..=80).await;
    world.run_for(MINUTE * 2).await;
    assert_eq!(decided(&mut world, Code::DeliveryBrake, Decision::Release, Who::All).await, 80);
    world.run_until(after_backup(two) - Duration::from_secs(1)).await;
    assert_eq!(new_names(&world).await, 0, "カオナビ backs up");
    world.run_for(MINUTE * 2).await;
    assert_eq!((held(&world).await, new_names(&world).await), (0, 80));
}

#[tokio::test]
async fn brake_confirmed_through_a_preview_at_night_goes_after_five() {
    let mut world = world(100, None).await;
    let two = Millis("2026-04-02T02:00:00+09:00".parse::<jiff::Timestamp>().unwrap().as_millisecond());
    world.run_until(two).await;
    send(&mut world, 1..=80).await;
    world.run_for(MINUTE * 2).await;
    assert_eq!(held(&world).await, 80);
    let connection = world.connection("c1").await;
    let id = previews::want(&world.store, &connection, &Shown::Waiting, "test").await.unwrap().id;
    world.wake_all();
    world.run_for(MINUTE).await;
    let shown = previews::find(&world.store, &world.store.db, "c1", &id).await.unwrap().unwrap();
    // Saying it once more sends nobody sooner.
    for _ in 0..2 {
        assert_eq!(previews::confirm(&world.store, &connection, &shown, Who::All, "test").await.unwrap(), 80);
        world.wake_all();
        world.run_for(MINUTE).await;
    }
    world.run_until(after_backup(two) - Duration::from_secs(1)).await;
    assert_eq!(new_names(&world).await, 0, "カオナビ backs up");
    world.run_for(MINUTE * 2).await;
    assert_eq!((held(&world).await, new_names(&world).await), (0, 80));
}

#[tokio::test]
async fn single_creates_and_updates_go_at_night() {
    let mut world = world(100, None).await;
    let two = Millis("2026-04-02T02:00:00+09:00".parse::<jiff::Timestamp>().unwrap().as_millisecond());
    world.run_until(two).await;
    send(&mut world, [1, 101]).await;
    world.run_for(MINUTE).await;
    assert_eq!(new_names(&world).await, 2);
}

#[tokio::test]
async fn brake_declined_people_go_only_when_their_values_change_and_can_be_released_for_90_days() {
    let mut world = world(100, None).await;
    send(&mut world, 1..=80).await;
    world.run_for(MINUTE * 2).await;
    assert_eq!(decided(&mut world, Code::DeliveryBrake, Decision::Decline, Who::All).await, 80);
    world.run_for(HOUR).await;
    // Something that is not mapped changes, and settings are saved: nothing is sent.
    let at = world.now();
    world.send("c1", record(json!({ "employment_type": "契約社員" }), 1, at)).await;
    world.save_settings("c1", Settings { brake: true, ceiling: None, batch_size: 199, ..settings() }).await;
    world.run_for(HOUR).await;
    assert_eq!(new_names(&world).await, 0);
    assert_eq!(world.row("c1", "E00001").await.reason.as_deref(), Some("delivery.declined"));
    // A mapped value changes: sent.
    let at = world.now();
    world.send("c1", record(json!({ "birthday": "1991-03-01" }), 2, at)).await;
    world.run_for(MINUTE * 2).await;
    assert_eq!(world.row("c1", "E00002").await.state, RowState::Synced);
    assert_eq!(new_names(&world).await, 1);
    world.run_for(HOUR * 24 * 80).await;
    let one = ["rm_00003".to_owned()];
    assert_eq!(decided(&mut world, Code::DeliveryDeclined, Decision::Release, Who::Some(&one)).await, 1);
    world.run_for(HOUR).await;
    assert_eq!(world.row("c1", "E00003").await.state, RowState::Synced);
    world.run_for(HOUR * 24 * 10).await;
    let late = ["rm_00004".to_owned()];
    assert_eq!(decided(&mut world, Code::DeliveryDeclined, Decision::Release, Who::Some(&late)).await, 0);
}

#[tokio::test]
async fn brake_a_newer_state_of_somebody_held_stays_held() {
    let mut world = world(100, None).await;
    send(&mut world, 1..=80).await;
    world.run_for(MINUTE * 20).await;
    let at = world.now();
    world.send("c1", record(json!({ "birthday": "1991-03-01" }), 1, at)).await;
    world.run_for(MINUTE * 2).await;
    assert_eq!(held(&world).await, 80);
    assert_eq!(decided(&mut world, Code::DeliveryBrake, Decision::Release, Who::All).await, 80);
    world.run_for(MINUTE * 3).await;
    let birthday = |company: &mut renkei_sandbox::kaonavi::Company| {
        company.member("E00001").map(|member| member.get(TextField::Birthday).to_owned())
    };
    assert_eq!(world.company("a", birthday).await.as_deref(), Some("1991-03-01"));
}

#[tokio::test]
async fn ceiling_more_hires_than_allowed_are_held_and_a_person_releases_them() {
    let mut world = world(1, Some(30)).await;
    send(&mut world, 101..=131).await;
    world.run_for(MINUTE * 2).await;
    assert_eq!(held(&world).await, 31);
    assert_eq!(world.row("c1", "E00101").await.reason.as_deref(), Some("delivery.ceiling"));
    assert_eq!(decided(&mut world, Code::DeliveryCeiling, Decision::Release, Who::All).await, 31);
    world.run_for(MINUTE * 2).await;
    assert_eq!((held(&world).await, new_names(&world).await), (0, 31));
}

#[tokio::test]
async fn ceiling_is_met_by_as_many_hires_as_allowed() {
    let mut world = world(1, Some(30)).await;
    send(&mut world, 101..=130).await;
    world.run_for(MINUTE * 2).await;
    assert_eq!((held(&world).await, new_names(&world).await), (0, 30));
}

#[test]
fn releases_do_not_start_while_kaonavi_backs_up() {
    let at = |text: &str| Millis(text.parse::<jiff::Timestamp>().unwrap().as_millisecond());
    for (now, expected) in [
        ("2026-04-01T00:59:59+09:00", "2026-04-01T00:59:59+09:00"),
        ("2026-04-01T01:00:00+09:00", "2026-04-01T05:00:00+09:00"),
        ("2026-04-01T04:59:59+09:00", "2026-04-01T05:00:00+09:00"),
        ("2026-04-01T05:00:00+09:00", "2026-04-01T05:00:00+09:00"),
    ] {
        assert_eq!(after_backup(at(now)), at(expected), "{now}");
    }
}

#[tokio::test]
async fn a_changed_number_is_registered_anew_or_follows_the_member_as_a_person_decides() {
    for decision in [Decision::RegisterNew, Decision::NumberMoved] {
        let mut world = world(1, None).await;
        send(&mut world, [11]).await;
        world.run_for(MINUTE).await;
        let at = world.now();
        world.send("c1", record(json!({ "employee_number": "N-9", "birthday": "1991-03-01" }), 11, at)).await;
        world.run_for(MINUTE).await;
        assert_eq!(world.row("c1", "N-9").await.reason.as_deref(), Some("member.number_changed"));
        if decision == Decision::NumberMoved {
            let now = world.now();
            let moved =
                json!({ "member_data": [{ "code": "N-9", "name": "髙橋 花子11", "entered_date": "2026-04-01" }] });
            world
                .company("a", |company| {
                    company.delete(now, "E00011");
                    company.upsert(now, &moved).unwrap();
                })
                .await;
        }
        assert_eq!(decided(&mut world, Code::MemberNumberChanged, decision, Who::All).await, 1);
        world.run_for(MINUTE * 3).await;
        let row = world.row("c1", "N-9").await;
        assert_eq!((row.state, row.reason), (RowState::Synced, None), "{decision:?}");
        let (codes, birthday) = world
            .company("a", |company| {
                let codes: Vec<String> = company.members().keys().cloned().collect();
                (codes, company.member("N-9").map(|member| member.get(TextField::Birthday).to_owned()))
            })
            .await;
        assert_eq!(birthday.as_deref(), Some("1991-03-01"), "{decision:?}");
        assert_eq!(codes.contains(&"E00011".to_owned()), decision == Decision::RegisterNew, "{decision:?}");
    }
}

#[tokio::test]
async fn number_moved_but_not_in_kaonavi_is_held_as_gone() {
    let mut world = world(1, None).await;
    send(&mut world, [11]).await;
    world.run_for(MINUTE).await;
    let at = world.now();
    world.send("c1", record(json!({ "employee_number": "N-9" }), 11, at)).await;
    world.run_for(MINUTE).await;
    decided(&mut world, Code::MemberNumberChanged, Decision::NumberMoved, Who::All).await;
    world.run_for(MINUTE * 3).await;
    assert_eq!(world.row("c1", "N-9").await.reason.as_deref(), Some("member.gone"));
}

#[tokio::test]
async fn a_reused_number_is_held_when_name_and_hire_date_both_differ() {
    // Member 1 is called 古い 名前 and was hired on 2026-04-01.
    let rows = [
        (json!({ "hire_date": "2027-04-01" }), true),
        (json!({}), false),
        (json!({ "hire_date": null }), false),
        (json!({ "last_name": "古い名", "first_name": "前", "hire_date": "2027-04-01" }), false),
    ];
    for (changes, reused) in rows {
        let mut world = world(1, None).await;
        let at = world.now();
        world.send("c1", record(changes.clone(), 1, at)).await;
        world.run_for(MINUTE * 2).await;
        let row = world.row("c1", "E00001").await;
        let expected = if reused { Some("member.number_reused") } else { None };
        assert_eq!(row.reason.as_deref(), expected, "{changes}");
        if reused {
            assert_eq!(decided(&mut world, Code::MemberNumberReused, Decision::Release, Who::All).await, 1);
            world.run_for(MINUTE * 2).await;
            assert_eq!(world.row("c1", "E00001").await.state, RowState::Synced);
        }
    }
}

#[tokio::test]
async fn a_number_that_another_employee_gave_up_is_held_for_its_next_holder() {
    let mut world = world(1, None).await;
    send(&mut world, [11]).await;
    world.run_for(MINUTE).await;
    let at = world.now();
    world.send("c1", record(json!({ "employee_status": "退職" }), 11, at)).await;
    world.run_for(MINUTE).await;
    let next = json!({ "employee_number": "E00011", "last_name": "別", "first_name": "人", "hire_date": "2027-04-01" });
    let at = world.now();
    world.send("c1", record(next, 12, at)).await;
    world.run_for(MINUTE * 2).await;
    let rows = renkei_store::employees::with_number(&world.store, &world.store.db, "c1", "E00011").await.unwrap();
    let of_next = rows.iter().find(|row| row.key.employee == "rm_00012").unwrap();
    assert_eq!(of_next.reason.as_deref(), Some("member.number_reused"));
}

#[tokio::test]
async fn a_member_of_another_connection_is_taken_over_when_a_person_says_so() {
    let mut world = world(1, None).await;
    world.link(link("c2", "a")).await;
    world.run_for(MINUTE * 2).await;
    let at = world.now();
    let event = world.event("c2", person(11, at));
    world.append(vec![event]).await;
    world.run_for(MINUTE).await;
    let at = world.now();
    world.send("c1", record(json!({ "birthday": "1991-03-01" }), 11, at)).await;
    world.run_for(MINUTE).await;
    assert_eq!(world.row("c1", "E00011").await.reason.as_deref(), Some("member.owned_elsewhere"));
    assert_eq!(decided(&mut world, Code::MemberOwnedElsewhere, Decision::TakeOver, Who::All).await, 1);
    world.run_for(MINUTE * 2).await;
    assert_eq!(world.row("c1", "E00011").await.state, RowState::Synced);
}

#[tokio::test]
async fn a_decision_that_makes_no_sense_is_refused() {
    let world = world(1, None).await;
    let connection = world.connection("c1").await;
    for (reason, decision) in [
        (Code::MemberNearMiss, Decision::Decline),
        (Code::KaonaviRejected, Decision::Release),
        (Code::DeliveryBrake, Decision::TakeOver),
        (Code::MemberNumberChanged, Decision::Release),
    ] {
        let refused =
            decide(&world.store, &connection, Verdict { reason, decision, who: Who::All, actor: "test" }).await;
        assert!(matches!(refused, Err(DecisionError::NotAllowed { .. })), "{reason} {decision:?}");
    }
}

#[tokio::test]
async fn brake_counts_those_who_go_out_together_though_they_came_long_before() {
    // What gathered while the connection was paused goes out in one run when it is on again.
    let mut world = world(100, None).await;
    switch::pause(&world.store, world.clock.as_ref(), "c1", "test").await.unwrap();
    send(&mut world, 1..=80).await;
    world.run_for(MINUTE * 30).await;
    switch::resume(&world.store, "c1", "test").await.unwrap();
    world.wake_all();
    world.run_for(MINUTE * 2).await;
    assert_eq!((held(&world).await, new_names(&world).await), (80, 0));
}

#[tokio::test]
async fn regression_the_rest_of_a_mass_change_went_out_when_the_first_were_held() {
    let mut world = world(100, None).await;
    world.save_settings("c1", Settings { brake: true, batch_size: 3, ..settings() }).await;
    switch::pause(&world.store, world.clock.as_ref(), "c1", "test").await.unwrap();
    send(&mut world, 1..=60).await;
    world.run_for(MINUTE * 30).await;
    switch::resume(&world.store, "c1", "test").await.unwrap();
    world.wake_all();
    world.run_for(MINUTE * 4).await;
    assert_eq!((held(&world).await, new_names(&world).await), (60, 0));
    // Ten minutes later a few more are no mass change.
    world.run_for(MINUTE * 10).await;
    send(&mut world, 61..=63).await;
    world.run_for(MINUTE * 2).await;
    assert_eq!((held(&world).await, new_names(&world).await), (60, 3));
}

#[tokio::test]
async fn people_who_are_left_out_count_for_nobody() {
    let filter = serde_json::from_value(json!({ "employment_types": ["正社員"] })).unwrap();
    let mut world = world(100, None).await;
    world.save_settings("c1", Settings { brake: true, ceiling: Some(10), filter, ..settings() }).await;
    send(&mut world, 1..=80).await;
    send(&mut world, 101..=140).await;
    world.run_for(MINUTE).await;
    let at = world.now();
    world.send("c1", record(json!({ "employment_type": "正社員" }), 90, at)).await;
    world.send("c1", record(json!({ "employment_type": "正社員" }), 190, at)).await;
    world.run_for(MINUTE * 2).await;
    assert_eq!((held(&world).await, world.count("c1", RowState::Synced).await), (0, 2));
}

#[tokio::test]
async fn what_was_said_about_a_mass_change_ends_when_nothing_differs_any_more() {
    let mut world = world(100, None).await;
    send(&mut world, 1..=80).await;
    world.run_for(MINUTE * 2).await;
    decided(&mut world, Code::DeliveryBrake, Decision::Decline, Who::All).await;
    world.run_for(MINUTE * 20).await;
    // Back to what カオナビ holds, and months later the same change for good.
    let back = json!({ "last_name": "古い", "first_name": "名前", "last_name_kana": null, "first_name_kana": null });
    let at = world.now();
    world.send("c1", record(back, 1, at)).await;
    world.run_for(MINUTE * 2).await;
    assert_eq!(world.row("c1", "E00001").await.state, RowState::Synced);
    send(&mut world, [1]).await;
    world.run_for(MINUTE * 2).await;
    assert_eq!((world.row("c1", "E00001").await.state, new_names(&world).await), (RowState::Synced, 1));
}

#[tokio::test]
async fn a_leaver_whose_number_somebody_else_has_now_changes_nobody() {
    let company = sample::company("a");
    let mut world = World::new(5, vec![company], no_latency()).await;
    world.link(Link { settings: Settings { retired_date: true, ..settings() }, ..link("c1", "a") }).await;
    world.run_for(MINUTE * 2).await;
    send(&mut world, [11]).await;
    world.run_for(MINUTE).await;
    let left = |day: &str| json!({ "employee_status": "退職", "retired_date": day });
    let at = world.now();
    world.send("c1", record(left("2026-06-30"), 11, at)).await;
    world.run_for(MINUTE).await;
    let next = json!({ "employee_number": "E00011", "last_name": "別", "first_name": "人", "hire_date": "2027-04-01" });
    let at = world.now();
    world.send("c1", record(next, 12, at)).await;
    world.run_for(MINUTE * 2).await;
    assert_eq!(decided(&mut world, Code::MemberNumberReused, Decision::Release, Who::All).await, 1);
    world.run_for(MINUTE * 2).await;
    let at = world.now();
    world.send("c1", record(left("2026-07-31"), 11, at)).await;
    world.run_for(MINUTE * 2).await;
    let retired = |company: &mut renkei_sandbox::kaonavi::Company| {
        company.member("E00011").unwrap().get(TextField::RetiredDate).to_owned()
    };
    assert_ne!(world.company("a", retired).await, "2026-07-31", "the member is somebody else's now");
}
