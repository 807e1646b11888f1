//! When somebody can not be deleted.

use std::time::Duration;

use renkei_sandbox::kaonavi::Faults;
use renkei_store::forgotten::ForgetError;
use renkei_workers::commands::{self, CommandError};

use crate::people::person;
use crate::world::World;

const MINUTE: Duration = Duration::from_secs(60);

#[tokio::test]
async fn nobody_is_deleted_while_kaonavi_has_not_answered_about_the_record() {
    let mut world = World::simple().await;
    let now = world.now();
    world.company("a", |company| company.set_faults(now, Faults { hold_tasks: true, ..Faults::default() })).await;
    world.send("c1", person(1, now)).await;
    world.run_for(MINUTE).await;
    let refused = commands::forget(&world.store, "c1", "rm_00001").await;
    assert!(matches!(refused, Err(CommandError::Forget(ForgetError::UnderWay))), "{refused:?}");
    let now = world.now();
    world.company("a", |company| company.set_faults(now, Faults::default())).await;
    world.drain("c1", MINUTE * 10).await;
    let gone = commands::forget(&world.store, "c1", "rm_00001").await.unwrap();
    assert_eq!((gone.records, gone.number_in_use), (1, false));
    let again = commands::forget(&world.store, "c1", "rm_00001").await;
    assert!(matches!(again, Err(CommandError::Nobody { .. })), "{again:?}");
}
