//! What a person decides about people who are held (保留): nothing of it is sent here, they are judged anew with the decision
//! known.

use renkei_events::codes::Code;
use renkei_runtime::clock::Millis;
use sea_orm::Value;

use crate::Store;
use crate::activity::{self, Entry};
use crate::audit;
use crate::connections::Connection;
use crate::db::{Sql, Tx, list};
use crate::episodes::{self, Trouble};
use crate::error::{Result, StoreError};
use crate::{accounts, employees};

/// A decision.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// Send it: 別の人として登録する for a near number, もう一度登録する for a member that is gone, この番号で更新する for a number that
    /// was somebody else's, 送る for a mass change.
    Release,
    /// Do not send the mass change: it goes out only when the values change once more, and can be released for 90 days.
    Decline,
    /// 新しい番号で登録する: the changed number is a new member; the old one stays as it is.
    RegisterNew,
    /// カオナビ側の番号を変更済み: somebody gave the member its new number in カオナビ.
    NumberMoved,
    /// この連携に移す: the member belongs to this connection from now on.
    TakeOver,
}

impl Decision {
    /// All decisions.
    pub const ALL: [Decision; 5] = [Self::Release, Self::Decline, Self::RegisterNew, Self::NumberMoved, Self::TakeOver];

    /// The stable text.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Decision::Release => "release",
            Decision::Decline => "decline",
            Decision::RegisterNew => "register_new",
            Decision::NumberMoved => "number_moved",
            Decision::TakeOver => "take_over",
        }
    }

    /// The decision with this text.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|decision| decision.as_str() == text)
    }

    /// What a person may decide about people who wait for this reason.
    #[must_use]
    pub fn allowed(reason: Code) -> &'static [Decision] {
        match reason {
            Code::MemberNearMiss | Code::MemberGone | Code::MemberNumberReused | Code::DeliveryDeclined => {
                &[Decision::Release]
            }
            Code::MemberNumberChanged => &[Decision::RegisterNew, Decision::NumberMoved],
            Code::MemberOwnedElsewhere => &[Decision::TakeOver],
            Code::DeliveryBrake | Code::DeliveryCeiling => &[Decision::Release, Decision::Decline],
            _ => &[],
        }
    }
}

/// Who is meant.
#[derive(Debug, Clone, Copy)]
pub enum Who<'a> {
    /// Everybody of the connection who waits for the reason.
    All,
    /// These employee ids.
    Some(&'a [String]),
}

/// Why a decision is not taken.
#[derive(Debug, thiserror::Error)]
pub enum DecisionError {
    /// It makes no sense for the reason.
    #[error("{decision} can not be decided about {reason}")]
    NotAllowed {
        /// What was decided.
        decision: &'static str,
        /// What the people wait for.
        reason: &'static str,
    },
    /// The member belongs to a connection of another company that shares the account.
    #[error(
        "{people} of these members belong to another company that shares the account, which alone can give them up"
    )]
    AnothersMembers {
        /// How many.
        people: u64,
    },
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What is decided about whom, and by whom.
#[derive(Debug, Clone, Copy)]
pub struct Verdict<'a> {
    /// What the people wait for.
    pub reason: Code,
    /// What is decided.
    pub decision: Decision,
    /// For whom.
    pub who: Who<'a>,
    /// `token:{id}` or [`audit::COMMAND`].
    pub actor: &'a str,
}

/// How many people one transaction takes, so that delivery is never kept waiting for long.
const AT_ONCE: i64 = 500;
/// How long something declined can still be released.
const DECLINED_FOR: std::time::Duration = std::time::Duration::from_secs(90 * 24 * 3600);

/// Decides about people of a connection who wait for `reason`; answers how many there were. Of a mass change some may be
/// released: those who are left out are then declined.
///
/// # Errors
/// When the decision does not fit the reason, or the store does not answer.
pub async fn decide(
    store: &Store,
    connection: &Connection,
    verdict: Verdict<'_>,
) -> std::result::Result<u64, DecisionError> {
    let Verdict { reason, decision, who, .. } = verdict;
    if !Decision::allowed(reason).contains(&decision) {
        return Err(DecisionError::NotAllowed { decision: decision.as_str(), reason: reason.as_str() });
    }
    if decision == Decision::TakeOver {
        let people = anothers_members(&store.db, connection, reason, who).await?;
        if people > 0 {
            return Err(DecisionError::AnothersMembers { people });
        }
    }
    let mut decided = 0;
    match who {
        Who::All => loop {
            let some = decide_some(store, connection, verdict, None).await?;
            decided += some;
            if some < AT_ONCE as u64 {
                break;
            }
        },
        Who::Some(ids) => {
            for chunk in ids.chunks(usize::try_from(AT_ONCE).unwrap_or(500)) {
                decided += decide_some(store, connection, verdict, Some(chunk)).await?;
            }
            // Of a mass change what is not released is declined. A choice that meets nobody is none.
            let mass = matches!(reason, Code::DeliveryBrake | Code::DeliveryCeiling);
            if mass && decision == Decision::Release && decided > 0 {
                let rest = Verdict { decision: Decision::Decline, ..verdict };
                while decide_some(store, connection, rest, None).await? == AT_ONCE as u64 {}
            }
        }
    }
    store.hint();
    Ok(decided)
}

async fn decide_some(
    store: &Store,
    connection: &Connection,
    verdict: Verdict<'_>,
    ids: Option<&[String]>,
) -> Result<u64> {
    let Verdict { reason, decision, actor, .. } = verdict;
    let tx = store.begin().await?;
    let now = store.now_in(&tx).await?;
    if let Some(account) = &connection.account {
        accounts::wake(&tx, account, now).await?;
    }
    let people = waiting(&tx, &connection.id, reason, ids, now).await?;
    if people.is_empty() {
        return Ok(0);
    }
    if let (Decision::TakeOver, Some(account)) = (decision, &connection.account) {
        take_over(&tx, account, connection, &people).await?;
    }
    let ids: Vec<&str> = people.iter().map(|(employee, _)| employee.as_str()).collect();
    apply(&tx, &connection.id, reason, decision, &ids, now).await?;
    let entries: Vec<Entry> = people
        .iter()
        .map(|(employee, _)| Entry {
            at: now,
            connection: connection.id.clone(),
            employee: Some(employee.clone()),
            kind: match decision {
                Decision::Decline => "declined".to_owned(),
                _ => "released".to_owned(),
            },
            code: Some(reason.as_str().to_owned()),
            detail: Some(decision.as_str().to_owned()),
        })
        .collect();
    activity::add(store, &tx, &entries).await?;
    episodes::acted(&tx, &Trouble::of(reason, connection), now).await?;
    let detail = format!("{}: {} people", reason.as_str(), people.len());
    let action = format!("attention.{}", decision.as_str());
    audit::of_connection(store, &tx, connection, actor, &action, Some(&detail), now).await?;
    tx.commit().await?;
    Ok(people.len() as u64)
}

/// Employee id and number of those who wait for `reason`, locked.
async fn waiting(
    tx: &Tx,
    connection: &str,
    reason: Code,
    ids: Option<&[String]>,
    now: Millis,
) -> Result<Vec<(String, Option<String>)>> {
    let mut values: Vec<Value> =
        vec![connection.into(), reason.as_str().into(), AT_ONCE.into(), (now - DECLINED_FOR).0.into()];
    let among = match ids {
        None => String::new(),
        Some(ids) => {
            values.extend(ids.iter().map(|id| id.clone().into()));
            format!("AND employee_id IN ({})", list(ids.len(), 5))
        }
    };
    // Whoever was declined is skipped and not held, and can be released for a while.
    let query = format!(
        "SELECT employee_id, number FROM employees WHERE connection_id = $1 AND reason = $2
           AND (state IN ('held', 'parked') OR (state = 'skipped' AND declined_ms > $4)) {among}
         ORDER BY employee_id LIMIT $3{}",
        tx.for_update()
    );
    let rows = tx.rows(&query, values).await?;
    rows.iter().map(|row| Ok((row.get("employee_id")?, row.get("number")?))).collect()
}

async fn apply(tx: &Tx, connection: &str, reason: Code, decision: Decision, ids: &[&str], now: Millis) -> Result<()> {
    let due = "state = 'due', reason = NULL, detail = NULL, attempts = 0, lone_attempts = 0, changed_ms = $1, next_try_ms = $2,
        due_ms = COALESCE(due_ms, $1)";
    let yes = "confirmed = 1, surge_op = NULL, surge_ms = NULL, declined = NULL, declined_ms = NULL";
    let (set, next_try) = match (decision, reason) {
        (Decision::Release, Code::DeliveryBrake | Code::DeliveryCeiling | Code::DeliveryDeclined) => {
            (format!("{due}, {yes}"), employees::after_backup(now))
        }
        (Decision::Release, _) => (format!("{due}, released_number = number, confirmed = 1, surge_ms = NULL"), now),
        (Decision::RegisterNew, _) => (
            format!("{due}, op = 'create', written = NULL, written_number = NULL, confirmed = 1, surge_ms = NULL"),
            now,
        ),
        // Whether カオナビ has the new number is read before anything is sent.
        (Decision::NumberMoved, _) => (format!("{due}, written_number = number, confirmed = 1, surge_ms = NULL"), now),
        (Decision::TakeOver, _) => (format!("{due}, confirmed = 1, surge_ms = NULL"), now),
        (Decision::Decline, _) => (
            "state = 'skipped', reason = 'delivery.declined', declined_ms = $1, changed_ms = $1, next_try_ms = $2"
                .to_owned(),
            Millis(0),
        ),
    };
    let mut values: Vec<Value> = vec![now.0.into(), next_try.0.into(), connection.into()];
    values.extend(ids.iter().map(|id| (*id).into()));
    let sql =
        format!("UPDATE employees SET {set} WHERE connection_id = $3 AND employee_id IN ({})", list(ids.len(), 4));
    tx.exec(&sql, values).await?;
    Ok(())
}

/// How many of those who wait have a number whose member belongs to another tenant (I9).
async fn anothers_members(sql: &impl Sql, connection: &Connection, reason: Code, who: Who<'_>) -> Result<u64> {
    let Some(account) = &connection.account else { return Ok(0) };
    let query = "SELECT e.employee_id FROM employees e
        JOIN codes c ON c.account_id = $3 AND c.code = e.number
        JOIN connections o ON o.connection_id = c.owner_connection
        WHERE e.connection_id = $1 AND e.reason = $2 AND e.state IN ('held', 'parked')
          AND o.tenant_id <> $4 AND o.state <> 'disconnected'";
    let values = vec![
        connection.id.clone().into(),
        reason.as_str().into(),
        account.clone().into(),
        connection.tenant.clone().into(),
    ];
    let mut people = 0;
    for row in sql.rows(query, values).await? {
        let employee: String = row.get("employee_id")?;
        people += u64::from(match who {
            Who::All => true,
            Who::Some(ids) => ids.contains(&employee),
        });
    }
    Ok(people)
}

async fn take_over(tx: &Tx, account: &str, connection: &Connection, people: &[(String, Option<String>)]) -> Result<()> {
    for (employee, number) in people {
        let Some(number) = number else { continue };
        // Once more who owns it, under the account's lock.
        let sql = "UPDATE codes SET owner_connection = $1, owner_employee = $2 WHERE account_id = $3 AND code = $4
            AND (owner_connection IS NULL
              OR owner_connection IN (SELECT connection_id FROM connections WHERE tenant_id = $5 OR state = 'disconnected'))";
        let values = vec![
            connection.id.clone().into(),
            employee.clone().into(),
            account.into(),
            number.clone().into(),
            connection.tenant.clone().into(),
        ];
        tx.exec(sql, values).await?;
    }
    Ok(())
}
