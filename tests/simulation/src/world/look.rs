//! What a test sees of the world.

use std::time::Duration;

use renkei_runtime::clock::{Clock, Millis};
use renkei_sandbox::kaonavi::Company;
use renkei_store::connections::{self, Connection};
use renkei_store::db::Sql;
use renkei_store::employees::{FullRow, RowState};

use super::World;

impl World {
    /// Somebody beside the world's own workers appended to the log.
    pub fn look_at_the_log(&mut self) {
        self.unread.store(true, std::sync::atomic::Ordering::SeqCst);
    }

    /// A connection as it is now.
    pub async fn connection(&self, id: &str) -> Connection {
        connections::get(&self.store, &self.store.db, id).await.unwrap()
    }

    /// What the activity log says of these kinds: when, the connection, 従業員ID, the kind and the code.
    pub async fn activity(&self, kinds: &[&str]) -> Vec<(Millis, String, String, String, String)> {
        let query = "SELECT at_ms, connection_id, employee_id, kind, code FROM activity ORDER BY activity_id";
        let rows = self.store.db.rows(query, vec![]).await.unwrap();
        let text = |row: &renkei_store::db::Row, column| row.get::<Option<String>>(column).unwrap().unwrap_or_default();
        rows.iter()
            .map(|row| {
                let at = Millis(row.get("at_ms").unwrap());
                (at, text(row, "connection_id"), text(row, "employee_id"), text(row, "kind"), text(row, "code"))
            })
            .filter(|(_, _, _, kind, _)| kinds.contains(&kind.as_str()))
            .collect()
    }

    /// The person who has a number.
    pub async fn row(&self, connection: &str, number: &str) -> FullRow {
        let rows = renkei_store::employees::with_number(&self.store, &self.store.db, connection, number).await.unwrap();
        rows.into_iter().next().unwrap_or_else(|| panic!("nobody has {number}"))
    }

    /// How many people of a connection are in a state.
    pub async fn count(&self, connection: &str, state: RowState) -> i64 {
        let counts = renkei_store::employees::counts(&self.store.db, connection).await.unwrap();
        counts.iter().filter(|(known, _, _)| *known == state).map(|(_, _, count)| count).sum()
    }

    /// Looks at a company of カオナビ as it is now.
    pub async fn company<T>(&self, id: &str, look: impl FnOnce(&mut Company) -> T) -> T {
        let mut kaonavi = self.kaonavi.lock().await;
        look(kaonavi.company(self.clock.now(), id).unwrap())
    }

    /// Runs until nobody of the connection is due or in flight, at most `longest`; answers how long it took.
    pub async fn drain(&mut self, connection: &str, longest: Duration) -> Duration {
        let start = self.now();
        self.run_for(Duration::from_millis(1)).await;
        loop {
            let open = self.count(connection, RowState::Due).await + self.count(connection, RowState::Flying).await;
            if open == 0 {
                return self.now().since(start);
            }
            if self.now().since(start) >= longest {
                let states = [RowState::Due, RowState::Flying];
                let rows = renkei_store::employees::in_states(&self.store, connection, &states, 3).await.unwrap();
                let rows: Vec<_> = rows
                    .iter()
                    .map(|row| {
                        (row.key.clone(), row.state, row.op, row.reason.clone(), row.attempts, row.next_try, row.batch)
                    })
                    .collect();
                let known = self.connection(connection).await;
                let (now, state, code) = (self.now(), known.state, known.state_code);
                panic!("{open} people are still due or in flight at {now:?}, {state} {code:?}, such as {rows:#?}");
            }
            self.run_for(Duration::from_secs(5)).await;
        }
    }

    /// Checks what カオナビ saw: it never had to refuse for quota.
    pub async fn assert_limits(&self, company: &str) {
        let now = self.now();
        let stats = self.company(company, |company| company.stats(now)).await;
        assert_eq!(stats.refused_429, 0, "{stats:?}");
        assert!(stats.peak_update_calls <= 5, "{stats:?}");
        assert!(stats.peak_tokens_per_hour <= 5, "{stats:?}");
        assert!(stats.peak_calls_per_hour <= 3000, "{stats:?}");
    }

    /// Checks what must hold in the end: nobody in flight, nobody due, no batch open, no search under way.
    pub async fn assert_quiet(&self, connection: &str) {
        assert_eq!(self.count(connection, RowState::Due).await, 0, "somebody is still due");
        assert_eq!(self.count(connection, RowState::Flying).await, 0, "somebody is still in flight");
        let account = self.connection(connection).await.account.unwrap();
        let open = renkei_store::batches::open_lightly(&self.store.db, &account).await.unwrap();
        assert!(open.is_empty(), "{open:?}");
        let searches = renkei_store::batches::repairs(&self.store.db, &account).await.unwrap();
        assert!(searches.is_empty(), "{searches:?}");
    }
}
