//! Tenants that share an account: each is told of its own connections only.

use renkei_store::connections::{self, Connection, ConnectionState};

use super::steps::{MINUTE, Stage};
use crate::people::person;

#[tokio::test]
async fn i9_tenants_whose_account_halts_are_each_told_of_their_own() {
    let mut stage = Stage::new().await;
    let store = stage.world.store.clone();
    let mut first = stage.world.connection("c1").await;
    first.name = "本社連携".to_owned();
    first.settings.recipients = vec!["hr@first.example.jp".to_owned()];
    let mut second = Connection {
        account: first.account.clone(),
        settings: first.settings.clone(),
        name: "支社連携".to_owned(),
        ..Connection::draft("branch-link", "t2", "roumumate")
    };
    second.settings.recipients = vec!["hr@second.example.jp".to_owned()];
    let tx = store.begin().await.unwrap();
    let now = store.now_in(&tx).await.unwrap();
    connections::put_tenant(&tx, "t2", "別の企業", now).await.unwrap();
    for connection in [&first, &second] {
        connections::put(&tx, connection, now).await.unwrap();
    }
    connections::switch_on(&tx, "branch-link", now, None).await.unwrap();
    tx.commit().await.unwrap();
    // A call of one of them is refused, and the account as a whole stops.
    stage.world.company("a", |company| company.permissions_mut().members.clear()).await;
    let at = stage.world.now();
    stage.world.send("c1", person(1, at)).await;
    stage.world.run_for(2 * MINUTE).await;
    for id in ["c1", "branch-link"] {
        let halted = stage.world.connection(id).await;
        assert_eq!(halted.state, ConnectionState::Halted, "{id}");
        assert_eq!(halted.state_code.as_deref(), Some("kaonavi.forbidden"), "{id}");
    }
    stage.tell_for(120 * MINUTE).await;
    let mails = stage.mails();
    assert_eq!(mails.len(), 2, "one each: {:?}", mails.iter().map(|(_, mail)| &mail.to).collect::<Vec<_>>());
    for (to, own, others) in [
        ("hr@first.example.jp", ["本社連携", "connection=c1"], ["支社連携", "branch-link"]),
        ("hr@second.example.jp", ["支社連携", "connection=branch-link"], ["本社連携", "connection=c1"]),
    ] {
        let (_, mail) = mails.iter().find(|(_, mail)| mail.to == [to]).unwrap();
        for text in [&mail.text, &mail.html] {
            assert!(own.iter().all(|name| text.contains(name)), "{to}: {text}");
            assert!(!others.iter().any(|name| text.contains(name)), "{to}: {text}");
        }
        assert!(!others.iter().any(|name| mail.subject.contains(name)), "{to}: {}", mail.subject);
    }
}
