//! From an episode's items to what its mail says, and to whom.

use jiff::civil::Date;
use renkei_events::record::EmployeeRecord;
use renkei_store::Store;
use renkei_store::connections::Connection;
use renkei_store::db::Sql;
use renkei_store::episodes::{Item, Trouble};
use renkei_store::error::StoreError;
use renkei_store::{runs, troubles};

use super::open_items::{LINK, Scan};
use super::texts::{LISTED, Letter, People, Person, Told};
use crate::error::Result;

/// The connections that items are about, by id.
fn concerned<'a>(scan: &'a Scan, items: &[Item]) -> Vec<&'a Connection> {
    let ids: std::collections::BTreeSet<&str> = items.iter().map(|item| item.connection.as_str()).collect();
    ids.into_iter().filter_map(|id| scan.connections.get(id)).collect()
}

/// Who is told: of each connection concerned those whom it names, else who made it, else the installation's; each once.
#[must_use]
pub fn recipients(scan: &Scan, items: &[Item], fallback: &[String]) -> Vec<String> {
    let mut to: Vec<String> = Vec::new();
    for connection in concerned(scan, items) {
        let of_it = match (connection.settings.recipients.as_slice(), &connection.created_by) {
            ([], Some(maker)) => std::slice::from_ref(maker),
            ([], None) => fallback,
            (named, _) => named,
        };
        for address in of_it {
            if !to.contains(address) {
                to.push(address.clone());
            }
        }
    }
    to
}

/// What the mail says.
///
/// # Errors
/// When the store does not answer.
pub async fn letter(
    store: &Store,
    sql: &impl Sql,
    scan: &Scan,
    trouble: &Trouble,
    digest: i64,
    items: &[Item],
    public_url: Option<&str>,
) -> Result<Letter> {
    let connections = concerned(scan, items);
    let people: Vec<&Item> = items.iter().filter(|item| !item.employee.is_empty()).collect();
    let told = match people.first() {
        Some(first) => {
            let names = scan.connections.get(&first.connection).is_some_and(|known| known.settings.names_in_mail);
            Told::People(People { listed: listed(store, sql, &people, names).await?, total: people.len() })
        }
        None => match unread_from(sql, &connections, trouble).await? {
            Some(day) => Told::UnreadFrom(day),
            None => said(&connections, trouble),
        },
    };
    let link = public_url.map(|url| match connections.as_slice() {
        [one] => match one.id.strip_prefix(LINK) {
            Some(link) => format!("{url}/links/{link}"),
            None => format!("{url}/attention?connection={}", one.id),
        },
        _ => format!("{url}/attention"),
    });
    let connections = connections.iter().map(|connection| connection.name.clone()).collect();
    // The connection itself is in trouble together with its people: it stopped because of them.
    let stopped = !people.is_empty() && people.len() < items.len();
    Ok(Letter { connections, code: trouble.code, digest, told, stopped, link })
}

/// From which day on the run of a link read nothing that this is the trouble of.
async fn unread_from(sql: &impl Sql, connections: &[&Connection], trouble: &Trouble) -> Result<Option<Date>> {
    let [connection] = connections else { return Ok(None) };
    let Some(link) = connection.id.strip_prefix(LINK) else { return Ok(None) };
    let run = runs::last_failed(sql, &trouble.tenant, link, trouble.code).await?;
    Ok(run.and_then(|run| run.unread_from()))
}

/// What カオナビ said when it made the connections stop.
fn said(connections: &[&Connection], trouble: &Trouble) -> Told {
    let halted = |connection: &&&Connection| connection.state_code.as_deref() == Some(trouble.code.as_str());
    let details = connections.iter().filter(halted).filter_map(|connection| connection.state_detail.as_deref());
    match details.map(str::trim).find(|detail| !detail.is_empty()) {
        Some(detail) => Told::Value(detail.to_owned()),
        None => Told::Nothing,
    }
}

/// The first of these people, of one connection.
async fn listed(store: &Store, sql: &impl Sql, people: &[&Item], names: bool) -> Result<Vec<Person>> {
    let Some(first) = people.first() else { return Ok(Vec::new()) };
    let of_one = people.iter().filter(|item| item.connection == first.connection);
    let ids: Vec<&str> = of_one.take(LISTED).map(|item| item.employee.as_str()).collect();
    let rows = match troubles::people_in_full(store, sql, &first.connection, &ids).await {
        Ok(rows) => rows,
        // A record that does not open must not keep anybody from being told.
        Err(StoreError::Sealed { .. } | StoreError::Corrupt(_)) => Vec::new(),
        Err(error) => return Err(error.into()),
    };
    if rows.is_empty() {
        let unknown = |id: &&str| Person { number: None, employee: (*id).to_owned(), name: None };
        return Ok(ids.iter().map(unknown).collect());
    }
    let person = |row: renkei_store::employees::FullRow| Person {
        name: row.record.as_ref().filter(|_| names).and_then(full_name),
        number: row.number,
        employee: row.key.employee,
    };
    Ok(rows.into_iter().map(person).collect())
}

fn full_name(record: &EmployeeRecord) -> Option<String> {
    let parts = [&record.last_name, &record.first_name].into_iter().flatten().map(String::as_str);
    let name = parts.collect::<Vec<_>>().join(" ");
    (!name.trim().is_empty()).then_some(name)
}
